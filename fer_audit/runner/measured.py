"""What was measured on the utility model of a cell, from stored arrays: corruptions, attacks, batches, heat maps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.cell_choice import cell_id
from fer_audit.data.dataset import Rows
from fer_audit.explain import measured as heat
from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import (
    AdversarialPoint,
    AdversarialRobustness,
    BatchInvariance,
    CorruptionKind,
    CorruptionRobustness,
    Estimate,
    Explanation,
    ExplanationMeasure,
)
from fer_audit.robustness.corruption_error import corruption_error
from fer_audit.specs import MeasureSpec
from fer_audit.store import Store

Arrays = dict[str, npt.NDArray[Any]]

#: What was asked, and the arrays and facts that were found.
Measured = tuple[MeasureSpec, Mapping[str, npt.NDArray[Any]], Any]


def read_measure(plan: Plan, store: Store, cell: PlannedCell, kind: str) -> list[tuple[MeasureSpec, Arrays, Any]]:
    """Spec, arrays and facts of each measure of that `kind` on the utility model of `cell` that is in the store."""
    job = plan.trainings[cell.utility].job
    found = []
    for measure, artefact in zip(job.measures, job.measured(), strict=True):
        if measure.kind == kind and store.has(*artefact):
            folder = store.path(*artefact)
            with np.load(folder / "arrays.npz", allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            found.append((measure, arrays, json.loads((folder / "facts.json").read_text(encoding="utf-8"))))
    return found


def baseline_of(plan: Plan, cell: PlannedCell) -> str:
    """Id of what the corruption errors of `cell` are relative to: the first cell of the baseline model with its seed.

    It is a cell of the grid, but maybe not of the plan.
    """
    grid = plan.grid
    named = grid.measures.corruptions.baseline if grid.measures.corruptions else None
    model = next((ref for ref in grid.models if ref.label == named), grid.models[0])
    return cell_id(cell.seed, grid.attacks.labels[0], model, grid.augmentations[0], grid.defences[0])


def corruption_robustness(
    plan: Plan, store: Store, cell: PlannedCell, clean: npt.NDArray[np.int64]
) -> CorruptionRobustness | None:
    """Accuracy on corrupted test images, beside that on the same rows as they are, from predictions `clean` (T,)."""
    found = read_measure(plan, store, cell, "corruption")
    if not found:
        return None
    baseline = baseline_of(plan, cell)
    labels = np.asarray(plan.data.test.labels)[found[0][1]["rows"]]
    theirs, why_none = _baseline_wrong(plan, store, baseline, labels, len(found))
    return corruptions_of(found, plan.data.test, clean, baseline=baseline, theirs=theirs, why_none=why_none)


def corruptions_of(
    found: Sequence[Measured],
    test: Rows,
    clean: npt.NDArray[np.int64],
    *,
    baseline: str,
    theirs: npt.NDArray[np.bool_] | None,
    why_none: str = "",
) -> CorruptionRobustness:
    """The same of what was measured on `test`; `theirs` are the errors of `baseline`, or None and why."""
    rows, params = found[0][1]["rows"], found[0][0].params
    labels, units = np.asarray(test.labels)[rows], _units(test, rows)
    wrong = wrong_of(found, labels)
    errors, mean = _errors(wrong, theirs, why_none, units)
    kinds = [
        CorruptionKind(
            kind=measure.params["corruption"],
            accuracy=[_accuracy(~by_severity, units) for by_severity in wrong[place]],
            error=errors[place],
        )
        for place, (measure, _, _) in enumerate(found)
    ]
    return CorruptionRobustness(
        severities=params["severities"],
        rows=len(rows),
        clean=_accuracy(clean[rows] == labels, units),
        accuracy=mean_accuracy(~wrong.reshape(-1, len(rows)), np.ones((wrong[..., 0].size, len(rows)), bool), units),
        kinds=kinds,
        mce=mean,
        baseline=baseline,
    )


def _errors(
    wrong: npt.NDArray[np.bool_],
    baseline: npt.NDArray[np.bool_] | None,
    why_none: str,
    units: npt.NDArray[np.int64] | None,
) -> tuple[list[Estimate], Estimate]:
    if baseline is None:
        unknown = Estimate(value=None, note=why_none)
        return [unknown] * len(wrong), unknown
    return corruption_error(wrong, baseline, units, seed=0)


def _baseline_wrong(
    plan: Plan, store: Store, baseline: str, labels: npt.NDArray[np.int64], kinds: int
) -> tuple[npt.NDArray[np.bool_] | None, str]:
    """Errors of the cell with the id `baseline`, or None and why: it must be measured, and its answers its own."""
    cell = next((cell for cell in plan.cells if cell.id == baseline), None)
    if cell is None:
        return None, f"the baseline {baseline} is not among the chosen cells"
    found, probed = read_measure(plan, store, cell, "corruption"), batch_invariance(plan, store, cell)
    if len(found) != kinds or (probed is not None and not probed.passed):
        return None, "the baseline was not measured, or its answers depend on their batch"
    return wrong_of(found, labels), ""


def wrong_of(found: Sequence[Measured], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(kinds, severities, rows), whether a corrupted image is misread."""
    return np.asarray(np.stack([arrays["predictions"] for _, arrays, _ in found]) != labels)


def adversarial_robustness(
    plan: Plan, store: Store, cell: PlannedCell, clean: npt.NDArray[np.int64]
) -> AdversarialRobustness | None:
    """Accuracy under FGSM and PGD, beside that on the same rows as they are."""
    return adversarial_of(read_measure(plan, store, cell, "adversarial"), plan.data.test, clean)


def adversarial_of(found: Sequence[Measured], test: Rows, clean: npt.NDArray[np.int64]) -> AdversarialRobustness | None:
    """The same of what was measured on `test`."""
    for measure, arrays, facts in found:
        rows = arrays["rows"]
        labels, units = np.asarray(test.labels)[rows], _units(test, rows)
        points = [
            AdversarialPoint(
                attack=name,
                epsilon=epsilon,
                accuracy=_accuracy(arrays["predictions"][number, place] == labels, units),
                max_perturbation=float(arrays["max_perturbation"][number, place]),
            )
            for number, name in enumerate(facts["attacks"])
            for place, epsilon in enumerate(measure.params["epsilons"])
        ]
        return AdversarialRobustness.model_validate(
            {
                "rows": len(rows),
                "steps": measure.params["steps"],
                "clean": _accuracy(clean[rows] == labels, units).model_dump(),
                "points": [point.model_dump() for point in points],
            }
        )
    return None


def batch_invariance(plan: Plan, store: Store, cell: PlannedCell) -> BatchInvariance | None:
    """The verdict of the probe."""
    return batch_invariance_of(read_measure(plan, store, cell, "batch-invariance"))


def batch_invariance_of(found: Sequence[Measured]) -> BatchInvariance | None:
    """The same of what was measured."""
    for _, _, facts in found:
        return BatchInvariance.model_validate(facts)
    return None


def explanation(plan: Plan, store: Store, cell: PlannedCell) -> Explanation | None:
    """What the heat maps are worth, or why there are none."""
    return explanation_of(read_measure(plan, store, cell, "explanation"), plan.data.test)


def explanation_of(found: Sequence[Measured], test: Rows) -> Explanation | None:
    """The same of what was measured on `test`."""
    for _, arrays, facts in found:
        if "refused" in facts:
            return Explanation(refused=facts["refused"])
        rows = arrays["rows"]
        measures = [ExplanationMeasure(**vars(one)) for one in heat.measured(arrays, _units(test, rows))]
        size = (facts["map_size"][0], facts["map_size"][1])
        return Explanation(layer=facts["layer"], map_size=size, rows=len(rows), empty=facts["empty"], measures=measures)
    return None


def _units(test: Rows, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    units = test.units
    return None if units is None else np.asarray(units)[rows]


def _accuracy(correct: npt.NDArray[np.bool_], units: npt.NDArray[np.int64] | None) -> Estimate:
    return mean_accuracy(correct[None], np.ones_like(correct)[None], units)
