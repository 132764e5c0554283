"""Tidy frames of what models get right and withstand, and of what they cost."""

from __future__ import annotations

import pandas as pd

from fer_audit.report.frame import IDENTITY, ends, frame, identity, spread
from fer_audit.results import Cost, Epoch, Latency, LayerCost, MemorisationEpoch, Results, RunRecord

#: Counts of the most suspect rows of which the precision is known; `corrupted` stands for as many as are corrupted.
_LEVELS = ("10", "50", "100", "corrupted")

_HISTORY = tuple(Epoch.model_fields)
_MEMORISATION = tuple(MemorisationEpoch.model_fields)
_COST = tuple(name for name in Cost.model_fields if name != "layers")
_LAYER = tuple(name for name in LayerCost.model_fields if name not in ("name", "kind", "output_shape"))
_LATENCY = tuple(Latency.model_fields)


def classes(results: Results) -> pd.DataFrame:
    """Recall of each class: a row per cell and class."""
    names = results.dataset.classes
    rows = (
        (*identity(cell), name, *ends(recall), recall.n)
        for cell in results.cells
        if cell.utility
        for name, recall in zip(names, cell.utility.per_class, strict=True)
    )
    return frame((*IDENTITY, "class", *spread("recall"), "rows"), rows)


def confusion(results: Results) -> pd.DataFrame:
    """Test images by true and predicted class: a row per cell and pair of classes."""
    names = results.dataset.classes
    rows = (
        (*identity(cell), true, predicted, count)
        for cell in results.cells
        if cell.utility
        for true, line in zip(names, cell.utility.confusion, strict=True)
        for predicted, count in zip(names, line, strict=True)
    )
    return frame((*IDENTITY, "true", "predicted", "rows"), rows)


def history(results: Results) -> pd.DataFrame:
    """Training curves: a row per cell and epoch, the first being 1."""
    rows = (
        (*identity(cell), place, *(getattr(epoch, name) for name in _HISTORY))
        for cell in results.cells
        if cell.utility
        for place, epoch in enumerate(cell.utility.history, 1)
    )
    return frame((*IDENTITY, "epoch", *_HISTORY), rows)


def memorisation_epochs(results: Results) -> pd.DataFrame:
    """What became of corrupted rows: a row per cell and epoch, the first being 1."""
    rows = (
        (*identity(cell), place, *(getattr(epoch, name) for name in _MEMORISATION))
        for cell in results.cells
        if cell.memorisation
        for place, epoch in enumerate(cell.memorisation.epochs, 1)
    )
    return frame((*IDENTITY, "epoch", *_MEMORISATION), rows)


def label_errors(results: Results) -> pd.DataFrame:
    """How well wrong labels are found: a row per cell in which they were looked for."""
    columns = ("rows", "suspected", "corrupted_rows", *spread("average_precision"), "chance", "models")
    levels = [name for level in _LEVELS for name in spread(f"precision_at_{level}")]
    rows = (
        (
            *identity(cell),
            *(found.rows, found.suspected, found.corrupted_rows, *ends(found.average_precision)),
            *(found.chance, found.models),
            *(value for level in _LEVELS for value in ends(found.precision_at.get(level))),
        )
        for cell in results.cells
        if (found := cell.label_errors)
    )
    return frame((*IDENTITY, *columns, *levels), rows)


def noise(results: Results) -> pd.DataFrame:
    """Accuracy against the rate of corrupted labels: a row per curve and point."""
    columns = ("model", "augmentation", "defence", "kind", "label_attack", "rate", "seeds")
    measures = ("accuracy", "balanced_accuracy", "drop", "balanced_drop")
    rows = (
        (
            *(curve.model, curve.augmentation, curve.defence, curve.kind, point.label_attack, point.rate, point.seeds),
            *(value for name in measures for value in ends(getattr(point, name))),
        )
        for curve in results.noise_curves
        for point in curve.points
    )
    return frame((*columns, *(name for measure in measures for name in spread(measure))), rows)


def corruptions(results: Results) -> pd.DataFrame:
    """Corrupted test images: a row per cell, kind and severity; `error` is of the kind, the same at each severity."""
    columns = ("kind", "severity", *spread("accuracy"), *spread("error"), "baseline", "rows")
    rows = (
        (*identity(cell), kind.kind, severity, *ends(accuracy), *ends(kind.error), done.baseline, done.rows)
        for cell in results.cells
        if (done := cell.corruptions)
        for kind in done.kinds
        for severity, accuracy in zip(done.severities, kind.accuracy, strict=True)
    )
    return frame((*IDENTITY, *columns), rows)


def adversarial(results: Results) -> pd.DataFrame:
    """Accuracy under white-box attacks: a row per cell, attack and epsilon; `clean` is without, on the same rows."""
    columns = ("attack", "epsilon", *spread("accuracy"), *spread("clean"), "max_perturbation", "rows", "steps")
    rows = (
        (
            *(*identity(cell), point.attack, point.epsilon, *ends(point.accuracy), *ends(done.clean)),
            *(point.max_perturbation, done.rows, done.steps),
        )
        for cell in results.cells
        if (done := cell.adversarial)
        for point in done.points
    )
    return frame((*IDENTITY, *columns), rows)


def explanations(results: Results) -> pd.DataFrame:
    """Heat maps against random ones: a row per cell and measure; none where heat maps were refused."""
    columns = ("measure", "better", *spread("value"), *spread("random"), *spread("difference"))
    rows = (
        (
            *(*identity(cell), one.name, one.better, *ends(one.value), *ends(one.baseline), *ends(one.difference)),
            *(done.layer, done.rows, done.empty),
        )
        for cell in results.cells
        if (done := cell.explanation)
        for one in done.measures
    )
    return frame((*IDENTITY, *columns, "layer", "rows", "empty"), rows)


def costs(results: Results) -> pd.DataFrame:
    """What models cost: a row per model."""
    return frame(_COST, ([getattr(cost, name) for name in _COST] for cost in results.costs))


def layers(results: Results) -> pd.DataFrame:
    """What layers cost: a row per model and call of a layer, in running order; shapes such as `24x24x8`."""
    rows = (
        (
            *(cost.model, place, layer.name, layer.kind),
            "x".join("?" if length is None else str(length) for length in layer.output_shape),
            *(getattr(layer, name) for name in _LAYER),
        )
        for cost in results.costs
        for place, layer in enumerate(cost.layers)
    )
    return frame(("model", "place", "layer", "kind", "output_shape", *_LAYER), rows)


def latencies(run: RunRecord | None) -> pd.DataFrame:
    """Wall times of calls: a row per model and size of a batch; none where there is no run.json."""
    found = run.latencies if run else []
    return frame(_LATENCY, ([getattr(latency, name) for name in _LATENCY] for latency in found))
