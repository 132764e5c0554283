"""Whether preprocessing and order of classes are right as declared, and both sides of one draw: asked first."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.data.labels import class_name
from fer_audit.metrics.class_order import Order, better_names, order_of, order_warnings, scaling_hint
from fer_audit.metrics.class_shares import shares_differ
from fer_audit.runner.model_audit.subjects import Audited

_TRIED = 500  #: rows that other ways of preprocessing are tried on
_SCALINGS = ("0..255", "0..1", "-1..1", "imagenet")
_COLOURS = ("rgb", "bgr")


def declared_wrong(audited: Audited, predicted: npt.NDArray[np.int64]) -> tuple[list[str], str]:
    """What speaks against the preprocessing, and why results can't be trusted; nothing where all seems right.

    `predicted` (N,) are the classes of members and non-members: they judge the declaration, and nothing that is
    reported is chosen by them.
    """
    data = audited.rows.data
    order = order_of(np.asarray(data.pool.labels), predicted, data.classes)
    warnings = order_warnings(order, _declared(audited))
    invalid = warnings[0] if order.permuted else ""
    hint = None if order.permuted else scaling_hint(_accuracies(audited), min(_TRIED, int(audited.rows.member.sum())))
    warnings += [hint] if hint else []
    differ = shares_differ(np.asarray(data.pool.labels), audited.rows.member, data.classes)
    return warnings + ([differ] if differ else []), invalid or differ


def _declared(audited: Audited) -> tuple[str, ...] | None:
    """What the outputs were said to stand for, by the names that classes have here."""
    declared = audited.section.preprocessing.classes
    return None if declared is None else tuple(map(class_name, declared))


def _accuracies(audited: Audited) -> dict[str, float]:
    """Accuracy on a few members as declared, and then in other ways, each in the order of classes that fits best."""
    pool, classes, declared = audited.rows.data.pool, audited.rows.data.classes, audited.section.preprocessing
    members = np.flatnonzero(audited.rows.member)
    chosen = np.sort(np.random.default_rng(0).permutation(members)[:_TRIED])
    images, labels = np.asarray(pool.images[chosen]), np.asarray(pool.labels)[chosen]

    def tried(scaling: Any, colour: str) -> Order:
        model = audited.with_preprocessing(scaling=scaling, colour=colour)
        return order_of(labels, np.asarray(model.logits(images).argmax(axis=1), np.int64), classes)

    name = f"scaling {declared.scaling}, colour {declared.colour}"
    found = {name: tried(declared.scaling, declared.colour).accuracy}
    if audited.opened.format == "callable":  # it scales its images itself
        return found
    colours = (declared.colour,) if declared.colour == "grey" else _COLOURS
    for scaling, colour in itertools.product(_SCALINGS, colours):
        order, name = tried(scaling, colour), f"scaling {scaling}, colour {colour}"
        if order.best is None:
            found.setdefault(name, order.accuracy)
        else:
            found[f"{name}, classes {','.join(better_names(order, _declared(audited)))}"] = order.best_accuracy
    return found
