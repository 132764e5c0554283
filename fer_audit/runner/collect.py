"""From stored trainings to results: accuracies, attacks and what they depend on. Nothing here trains."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import traceback
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from rich.console import Console

import fer_audit
from fer_audit.canary_section import Canaries
from fer_audit.data.hygiene import check_hygiene, invalid_reason
from fer_audit.errors import FerAuditError
from fer_audit.grid import GridFile, PluginRef, chain_label
from fer_audit.metrics.accuracy import accuracy, balanced_accuracy, confusion_matrix, per_class_recall
from fer_audit.plan import Labels, Plan, PlannedCanaries, PlannedCell
from fer_audit.resolved_defence import record_of
from fer_audit.results import (
    CanaryAudit,
    Cell,
    Corruption,
    Cost,
    Epoch,
    Gate,
    Hygiene,
    PluginRecord,
    Privacy,
    Provenance,
    Results,
    SourceFile,
    Utility,
)
from fer_audit.runner.canaries import audit_canaries, canary_file
from fer_audit.runner.comparisons import paired_differences
from fer_audit.runner.dataset import summarised
from fer_audit.runner.galleries import write_galleries
from fer_audit.runner.labels import SUSPECTS, find_label_errors, measure_memorisation, noise_curves
from fer_audit.runner.many_runs import many_run_audit
from fer_audit.runner.matched import matched_differences
from fer_audit.runner.measured import adversarial_robustness, batch_invariance, corruption_robustness, explanation
from fer_audit.runner.privacy import measure_privacy, read_answers
from fer_audit.runner.records import RECORDS, write_records
from fer_audit.runner.sheets import write_sheets
from fer_audit.specs import PluginIdentity, cost_key
from fer_audit.store import Store, array_digest

#: Packages whose versions the page names.
_PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn", "imgaug", "opencv-python", "pillow", "plotly")


def collect(
    plan: Plan,
    store: Store,
    failures: Mapping[str, str],
    folder: Path,
    console: Console,
    hygiene: Hygiene | None = None,
) -> Results:
    """The results of everything in the store that `plan` wants; `failures` explains what is absent.

    The dataset is checked, unless what was found there before is given as `hygiene`.
    """
    with console.status("attacking") if console.is_terminal else contextlib.nullcontext():
        for old in (RECORDS, SUSPECTS):
            shutil.rmtree(folder / old, ignore_errors=True)
        halves = {cell.seed: cell.keep for cell in plan.cells if cell.keep is not None}
        hygiene = hygiene or check_hygiene(plan.data, halves)
        collector = _Collector(plan, store, failures, folder, hygiene)
        cells = [collector.cell(place, cell) for place, cell in enumerate(plan.cells)]
        measured = [cell for cell, found in zip(plan.cells, cells, strict=True) if _trusted(found)]
        curves, galleries = noise_curves(plan, store, measured), write_galleries(plan, store, measured, folder)
        comparisons = paired_differences(plan, store, cells)
    return Results(
        grid=plan.grid.name,
        include_images=plan.grid.include_images,
        dataset=summarised(plan.dataset, plan.data, plan.grid.training.image_size, hygiene),
        costs=_costs(plan, store),
        cells=cells,
        noise_curves=curves,
        comparisons=comparisons,
        matched=matched_differences(plan, store, cells),
        left_out=plan.left_out,
        gates=[Gate.model_validate(gate.recorded) for gate in plan.grid.gates],
        sheets=write_sheets(plan, folder),
        galleries=galleries,
        provenance=provenance_of(plan.file, plan.code),
    )


def _trusted(found: Cell) -> bool:
    """Whether the utility model of a cell was measured, and its answers are its own and not its batch's."""
    return found.utility is not None and (found.batch_invariance is None or found.batch_invariance.passed)


class _Collector:
    """Makes the cells of the results; what many cells share is looked up once."""

    def __init__(self, plan: Plan, store: Store, failures: Mapping[str, str], folder: Path, hygiene: Hygiene) -> None:
        self._plan = plan
        self._store = store
        self._failures = failures
        self._folder = folder
        self._hygiene = hygiene
        self._digest = plan.data.digest()
        self._confidence = plan.confidence
        jobs = {key: training.job for key, training in plan.trainings.items()}
        there = store.has_all(name for job in jobs.values() for name in job.artefacts())
        self._whole = {key for key, job in jobs.items() if there.issuperset(job.artefacts())}
        #: trainings whose models have answered what they were asked
        self._answered = self._whole | {
            key for key, job in jobs.items() if there.issuperset((job.fit, *job.answers(), *job.losses()))
        }
        self._records: dict[tuple[str, str], PluginRecord] = {}
        self._corruptions: dict[tuple[str, int], Corruption | None] = {}

    def cell(self, place: int, cell: PlannedCell) -> Cell:
        """The results of the cell at `place` in the plan."""
        wanted = cell.trainings
        failed = next((key for key in wanted if key in self._failures), None)
        status, error = "done", ""
        if failed or not self._whole.issuperset(wanted):
            status, error = ("failed", self._failures[failed]) if failed else ("missing", "not trained yet")
        found: dict[str, Any] = {}
        try:
            # What is there is shown, also where a privacy model or a measure failed.
            if cell.utility in self._answered:
                found |= self._of_utility(cell)
                error = error or _complaint(found)
                status = "failed" if error and status == "done" else status
            if cell.keep is not None and self._answered.issuperset(cell.privacy):
                found |= self._of_references(place, cell, cell.keep)
                if found["privacy"] is not None:
                    found["privacy"].invalid = invalid_reason(self._hygiene, cell.seed)
            if cell.canaries is not None and cell.canaries.training in self._answered:
                found["canaries"] = self._canaries(place, cell.canaries)
            found |= self._of_guarantee(cell, found.get("privacy"))
        except FerAuditError as problem:
            status, error = "failed", str(problem)
        except Exception:  # noqa: BLE001 - an attack may raise anything; only its cell fails
            status, error = "failed", traceback.format_exc(limit=-8)
        return Cell.model_validate({**self._named(cell), "status": status, "error": error, **found})

    def _named(self, cell: PlannedCell) -> dict[str, Any]:
        """What a cell is, known before anything is trained."""
        attack = cell.labels.identity
        return {
            "id": cell.id,
            "model": cell.model.label,
            "augmentation": chain_label(cell.chain),
            "defence": cell.defence.label,
            "label_attack": cell.label_attack.label,
            "noise_rate": cell.labels.corruption.rate if cell.labels.corruption else 0.0,
            "seed": cell.seed,
            "model_plugin": self._record(cell.model, cell.model_identity),
            "augmentation_plugins": list(map(self._record, cell.chain, cell.augmentation_identities)),
            "defence_plugin": record_of(cell.defence),
            "label_attack_plugin": self._record(cell.label_attack, attack) if attack else None,
            "corruption": self._corruption(cell),
        }

    def _record(self, ref: PluginRef, identity: PluginIdentity) -> PluginRecord:
        known = (identity.kind, ref.label)
        if known not in self._records:
            self._records[known] = PluginRecord(name=identity.name, params=identity.params, source=identity.source)
        return self._records[known]

    def _corruption(self, cell: PlannedCell) -> Corruption | None:
        known = (cell.label_attack.label, cell.seed)
        if known not in self._corruptions:
            self._corruptions[known] = _corruption(cell.labels)
        return self._corruptions[known]

    def _of_utility(self, cell: PlannedCell) -> dict[str, Any]:
        """What is known of the utility model: accuracy, and whatever the grid has measured on it."""
        plan, store = self._plan, self._store
        predicted = np.load(store.path(*plan.trainings[cell.utility].job.fit) / "test.npy").argmax(axis=1)
        return {
            "utility": _utility(plan, store, cell, predicted),
            "memorisation": measure_memorisation(plan, store, cell) if plan.grid.measures.memorisation else None,
            "corruptions": corruption_robustness(plan, store, cell, predicted),
            "adversarial": adversarial_robustness(plan, store, cell, predicted),
            "batch_invariance": batch_invariance(plan, store, cell),
            "explanation": explanation(plan, store, cell),
        }

    def _of_references(self, place: int, cell: PlannedCell, keep: npt.NDArray[np.bool_]) -> dict[str, Any]:
        """What is known from the privacy models: leakage, and wrong labels where the grid seeks them."""
        plan = self._plan
        found: dict[str, Any] = {"privacy": self._privacy(place, cell, keep) if plan.attacks else None}
        if plan.grid.measures.label_errors is not None:
            found["label_errors"] = find_label_errors(
                self._store,
                plan.data,
                keep=keep,
                given=cell.labels.given,
                jobs=[plan.trainings[key].job for key in cell.privacy],
                folder=self._folder,
                file=f"{SUSPECTS}/{place}.csv",
            )
        return found

    def _canaries(self, place: int, canaries: PlannedCanaries) -> CanaryAudit:
        """What the training with canaries shows of them."""
        return audit_canaries(
            self._store,
            self._plan.trainings[canaries.training].job,
            canaries.planted,
            section=cast("Canaries", self._plan.grid.canaries),
            guarantee=canaries.guarantee,
            confidence=self._confidence if canaries.guarantee else 0.95,
            folder=self._folder,
            file=canary_file(place),
        )

    def _of_guarantee(self, cell: PlannedCell, privacy: Privacy | None) -> dict[str, Any]:
        """What is promised, and how much of it the attacks on the trainings on halves leave standing."""
        many = None
        if cell.halves_guarantee is not None and privacy is not None and not privacy.invalid:
            many = many_run_audit(privacy.attacks, cell.halves_guarantee, self._confidence)
        return {"guarantee": cell.guarantee, "many_runs": many}

    def _privacy(self, place: int, cell: PlannedCell, keep: npt.NDArray[np.bool_]) -> Privacy:
        """What the attacks found; the exposure of each row goes to a csv that only row numbers tie to people."""
        plan, given = self._plan, cell.labels.given
        privacy, found = measure_privacy(
            self._store,
            plan.attacks,
            plan.data,
            digest=self._digest,
            keep=keep,
            given=given,
            jobs=[plan.trainings[key].job for key in cell.privacy],
            seed=cell.seed,
            **({"delta": cell.halves_guarantee.delta} if cell.halves_guarantee else {}),
        )
        if not found:
            return privacy
        columns = {
            "label": [plan.data.classes[label] for label in given],
            "corrupted": (given != np.asarray(plan.data.pool.labels)).tolist(),
        }
        file = f"{RECORDS}/{place}.csv"
        write_records(self._folder / file, found, columns, self._digest)
        return privacy.model_copy(update={"records": file})


def _complaint(found: Mapping[str, Any]) -> str:
    """Why a cell whose models were all trained has failed all the same; empty where it has not."""
    probed = found["batch_invariance"]
    return "" if probed is None or probed.passed else str(probed.explanation)


def _utility(plan: Plan, store: Store, cell: PlannedCell, predicted: npt.NDArray[np.int64]) -> Utility:
    job = plan.trainings[cell.utility].job
    folder = store.path(*job.fit)
    labels = np.asarray(plan.data.test.labels)
    fitted = read_answers(store, [job], "pool")[0, :, 0].argmax(axis=1)
    classes = len(plan.data.classes)
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return Utility(
        training=cell.utility,
        accuracy=accuracy(labels, predicted, plan.data.test.units),
        balanced_accuracy=balanced_accuracy(labels, predicted, classes),
        per_class=per_class_recall(labels, predicted, classes),
        confusion=confusion_matrix(labels, predicted, classes).tolist(),
        train_accuracy=float((fitted == cell.labels.given).mean()),
        history=[Epoch.model_validate(epoch) for epoch in history],
    )


def _corruption(labels: Labels) -> Corruption | None:
    corruption = labels.corruption
    if corruption is None:
        return None
    return Corruption(
        rate=corruption.rate,
        corrupted_rows=int(corruption.corrupted.sum()),
        matrix=corruption.matrix.tolist(),
        labels_sha256=array_digest(corruption.labels),
        remarks=list(corruption.remarks),
    )


def _costs(plan: Plan, store: Store) -> list[Cost]:
    programs = {program.model.model_dump_json(): program for program in plan.programs.values()}
    models = {cell.model.label: cell.model_identity for cell in plan.cells}
    found = {
        label: store.read_json("costs", cost_key(programs[model.model_dump_json()])) for label, model in models.items()
    }
    return [Cost(model=label, **value) for label, value in found.items() if value is not None]


def provenance_of(file: GridFile, code: Sequence[SourceFile], packages: Sequence[str] = ()) -> Provenance:
    """What the results of a grid depend on; `packages` are named beside the usual ones."""
    return Provenance(
        fer_audit=fer_audit.__version__,
        python=platform.python_version(),
        packages={name: metadata.version(name) for name in (*_PACKAGES, *packages)},
        platform=f"{platform.system()} {platform.machine()}",
        grid_text=file.text,
        grid_sha256=hashlib.sha256(file.text.encode()).hexdigest(),
        recipe=file.grid.training.model_dump(mode="json"),
        seeds=list(file.grid.seeds),
        code=list(code),
    )
