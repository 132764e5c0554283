"""What corrupted labels did to the models of a grid: memorisation, wrong labels that are found, accuracy lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.data.dataset import FaceData
from fer_audit.grid import chain_label
from fer_audit.metrics import label_errors, memorisation
from fer_audit.metrics.accuracy import accuracy, balanced_accuracy
from fer_audit.metrics.noise_curve import NoiseCurveData
from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import Estimate, LabelErrors, Memorisation, NoiseCurve, NoisePoint, write_text
from fer_audit.runner.privacy import read_answers
from fer_audit.specs import TrainingJob
from fer_audit.store import Store

#: Folder of the csv files with all rows, the most suspect first; one a cell in the order of the grid.
SUSPECTS = "suspects"

_PRECISION_AT = (10, 50, 100)

Labels = npt.NDArray[np.int64]


def measure_memorisation(plan: Plan, store: Store, cell: PlannedCell) -> Memorisation | None:
    """What the utility model of `cell` says of corrupted rows; None where no label was corrupted."""
    job, true = plan.trainings[cell.utility].job, np.asarray(plan.data.pool.labels)
    if not (cell.labels.given != true).any():
        return None
    predicted = read_answers(store, [job], "pool")[0, :, 0].argmax(axis=1)
    followed = np.empty((len(true), 0), np.int16)
    for artefact in filter(lambda name: store.has(*name), job.followed()):
        followed = np.load(store.path(*artefact) / "predictions.npy")
    return memorisation.memorisation(predicted, followed, cell.labels.given, true, plan.data.pool.units)


def find_label_errors(
    store: Store,
    data: FaceData,
    *,
    keep: npt.NDArray[np.bool_],
    given: Labels,
    jobs: Sequence[TrainingJob],
    folder: Path,
    file: str,
) -> LabelErrors:
    """Ranks the rows of the pool by how suspect their `given` labels (N,) are, and writes the ranking to `file`.

    Which labels are wrong is known where they were corrupted; then the ranking is judged.
    """
    logits = read_answers(store, jobs, "pool")[:, :, 0]
    probabilities = label_errors.out_of_sample(logits, keep)
    scores, wrong = label_errors.suspicion(probabilities, given), given != np.asarray(data.pool.labels)
    known = bool(wrong.any())
    wanted = {str(k): k for k in _PRECISION_AT if k <= len(given)} | {"corrupted": int(wrong.sum())}
    _write_suspects(folder / file, data, given, probabilities, scores)
    return LabelErrors(
        rows=len(given),
        suspected=int((scores > 0).sum()),
        corrupted_rows=int(wrong.sum()) if known else None,
        average_precision=label_errors.average_precision_interval(scores, wrong, data.pool.units) if known else None,
        chance=float(wrong.mean()) if known else None,
        precision_at={name: label_errors.precision_at(scores, wrong, k) for name, k in wanted.items()} if known else {},
        models=int((~keep).sum(axis=0).min()),
        file=file,
    )


def _write_suspects(
    path: Path,
    data: FaceData,
    given: Labels,
    probabilities: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
) -> None:
    """One line a row of the pool, the most suspect first, with the name by which a person finds the image."""
    classes, true, rows = data.classes, np.asarray(data.pool.labels), np.arange(len(given))
    others = probabilities.copy()
    others[rows, given] = -np.inf
    suggested = others.argmax(axis=1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ("rank", "image", "row", "given", "suggested", "suspicion", "p_given", "p_suggested")
    corrupted = bool((given != true).any())
    writer.writerow([*head, "true"] if corrupted else head)
    for rank, row in enumerate(np.argsort(-scores, kind="stable"), 1):
        shares = (scores[row], probabilities[row, given[row]], probabilities[row, suggested[row]])
        line = [rank, data.pool.names[row], row, classes[given[row]], classes[suggested[row]]]
        line += [f"{share:.6f}" for share in shares]
        writer.writerow([*line, classes[true[row]]] if corrupted else line)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def noise_curves(plan: Plan, store: Store, cells: Sequence[PlannedCell]) -> list[NoiseCurve]:
    """A curve for each model, augmentation, defence and kind of label corruption, of `cells`, all of them measured."""
    curves: dict[tuple[str, str, str], list[PlannedCell]] = {}
    for cell in cells:
        curves.setdefault((cell.model.label, chain_label(cell.chain), cell.defence.label), []).append(cell)
    found = []
    for (model, augmentation, defence), mine in curves.items():
        clean = {cell.seed: cell for cell in mine if cell.labels.corruption is None}
        for kind, points in _kinds(mine).items():
            seeds = sorted(set(clean).intersection(*(point.keys() for point in points.values())))
            if seeds:
                chosen = [[point[seed] for seed in seeds] for point in (clean, *points.values())]
                curve = _curve(plan, store, model, augmentation, kind, chosen)
                absent = [str(seed) for seed in plan.grid.seeds if seed not in seeds]
                note = f"without seed {', '.join(absent)}, of which a cell was not measured" if absent else ""
                found.append(curve.model_copy(update={"note": note, "defence": defence}))
    return found


def _kinds(cells: Sequence[PlannedCell]) -> dict[str, dict[str, dict[int, PlannedCell]]]:
    """Corrupted cells by kind of corruption, label attack, and seed."""
    kinds: dict[str, dict[str, dict[int, PlannedCell]]] = {}
    for cell in cells:
        if cell.labels.corruption is not None:
            attacks = kinds.setdefault(_kind(cell), {})
            attacks.setdefault(cell.label_attack.label, {})[cell.seed] = cell
    return kinds


def _kind(cell: PlannedCell) -> str:
    """The label attack without what says how much it corrupts: `symmetric`, or `symmetric(exact=True)`."""
    varies = cell.labels.attack.varies if cell.labels.attack else ()
    params = {key: value for key, value in cell.label_attack.params.items() if key not in varies}
    return cell.label_attack.model_copy(update={"params": params}).label


def _curve(
    plan: Plan, store: Store, model: str, augmentation: str, kind: str, cells: Sequence[Sequence[PlannedCell]]
) -> NoiseCurve:
    """The curve of `cells`, P rates of S seeds each, the first with clean labels."""
    rates = np.array([np.mean([_rate(cell) for cell in point]) for point in cells])
    order = [0, *(1 + np.argsort(rates[1:], kind="stable"))]
    labels = np.asarray(plan.data.test.labels)
    correct = np.array([[_predicted(plan, store, cell) == labels for cell in cells[place]] for place in order])
    plain, balanced = (
        NoiseCurveData(correct, labels, rates[order], plan.data.test.units, balanced=by_class)
        for by_class in (False, True)
    )
    points = [
        NoisePoint(
            rate=float(rates[place]),
            label_attack=cells[place][0].label_attack.label,
            seeds=len(cells[place]),
            **_accuracies(plan, store, cells[place], (plain.at(number), balanced.at(number))),
            drop=plain.drop(number) if number else _no_drop(),
            balanced_drop=balanced.drop(number) if number else _no_drop(),
        )
        for number, place in enumerate(order)
    ]
    area = {"area": plain.area(), "balanced_area": balanced.area()}
    return NoiseCurve(model=model, augmentation=augmentation, kind=kind, points=points, **area)


def _accuracies(
    plan: Plan, store: Store, cells: Sequence[PlannedCell], means: tuple[Estimate, Estimate]
) -> dict[str, Estimate]:
    """The `means` over seeds, or those of the only cell as they stand beside it everywhere else."""
    names = ("accuracy", "balanced_accuracy")
    if len(cells) > 1:
        return dict(zip(names, means, strict=True))
    labels, predicted = np.asarray(plan.data.test.labels), _predicted(plan, store, cells[0])
    classes = len(plan.data.classes)
    only = accuracy(labels, predicted, plan.data.test.units), balanced_accuracy(labels, predicted, classes)
    return dict(zip(names, only, strict=True))


def _no_drop() -> Estimate:
    return Estimate(value=0.0, note="clean labels are what the others are compared with")


def _rate(cell: PlannedCell) -> float:
    return cell.labels.corruption.rate if cell.labels.corruption else 0.0


def _predicted(plan: Plan, store: Store, cell: PlannedCell) -> Labels:
    """Predictions (T,) of the utility model on the test split."""
    logits = np.load(store.path(*plan.trainings[cell.utility].job.fit) / "test.npy")
    return np.asarray(logits.argmax(axis=1))
