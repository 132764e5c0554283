"""Whether the declared preprocessing and order of classes are right, asked before anything is counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.class_order import order_of, order_warnings, scaling_hint
from fer_audit.runner.model_audit.subjects import Audited

_TRIED = 500  #: rows that other ways of preprocessing are tried on
_SCALINGS = ("0..255", "0..1", "-1..1", "imagenet")
_COLOURS = ("rgb", "bgr")


def declared_wrong(
    audited: Audited, labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> tuple[list[str], str]:
    """What speaks against the preprocessing, and why results can't be trusted; nothing where all seems right.

    `labels` and `predicted` (N,) are of rows that need not have been left out of training: they judge the declaration,
    and nothing that is reported is chosen by them.
    """
    classes = audited.rows.data.classes
    order = order_of(labels, predicted, classes)
    warnings = order_warnings(order)
    if order.near_chance:
        hint = scaling_hint(_accuracies(audited), min(_TRIED, len(audited.rows.data.test)))
        warnings += [hint] if hint else []
    return warnings, warnings[0] if order.permuted else ""


def _accuracies(audited: Audited) -> dict[str, float]:
    """Accuracy on a few rows, the declared way first and then others."""
    test = audited.rows.data.test
    chosen = np.sort(np.random.default_rng(0).permutation(len(test))[:_TRIED])
    images, labels = np.asarray(test.images[chosen]), np.asarray(test.labels)[chosen]

    def accuracy(**changed: str) -> float:
        predicted = audited.with_preprocessing(**changed).logits(images).argmax(axis=1)
        return float((predicted == labels).mean())

    declared = audited.section.preprocessing
    found = {f"scaling {declared.scaling}, colour {declared.colour}": accuracy()}
    if declared.colour == "grey" or audited.opened.format == "callable":
        colours: tuple[str, ...] = (declared.colour,)
    else:
        colours = _COLOURS
    if audited.opened.format == "callable":  # it scales its images itself
        return found
    for colour in colours:
        for scaling in _SCALINGS:
            found.setdefault(f"scaling {scaling}, colour {colour}", accuracy(scaling=scaling, colour=colour))
    return found
