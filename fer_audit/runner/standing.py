"""How far a run is, as the store tells: cheap enough to be asked every few seconds, by whoever did not start it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import RunRecord
from fer_audit.runner.rates import Rates
from fer_audit.store import FAILURES, MANIFEST, Store
from fer_audit.time_left import seconds_left


@dataclass(frozen=True)
class Standing:
    """What there is of a plan, and what will not come."""

    total: int  #: cells
    done: frozenset[str]  #: ids of the cells whose trainings are all in the store
    failed: frozenset[str]  #: ids of the cells of which a training failed
    failures: Mapping[str, str]  #: key of a training -> why it failed
    waiting: tuple[str, ...]  #: keys of the trainings that are neither there nor failed

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return not self.waiting


class Lookout:
    """Looks at the store for the artefacts of a plan. Whether they are whole is left to who reads them."""

    def __init__(self, plan: Plan, store: Store, run: RunRecord) -> None:
        """Counts failures since `run` started, and estimates for its workers."""
        self._plan = plan
        self._store = store
        self._since = datetime.fromisoformat(run.started).timestamp()
        self._workers = run.workers
        # Names are hashes of long texts, so they are made once.
        self._manifests = {
            key: [store.path(*artefact) / MANIFEST for artefact in training.job.artefacts()]
            for key, training in plan.trainings.items()
        }

    @property
    def trainings(self) -> int:
        """How many the plan has in all."""
        return len(self._manifests)

    def look(self) -> Standing:
        """How far the plan is now."""
        there = {key for key, manifests in self._manifests.items() if all(path.is_file() for path in manifests)}
        absent = [key for key in self._manifests if key not in there]
        failures = {key: report for key in absent if (report := self._failure(key)) is not None}
        return Standing(
            total=len(self._plan.cells),
            done=frozenset(cell.id for cell in self._plan.cells if there.issuperset(_wanted(cell))),
            failed=frozenset(cell.id for cell in self._plan.cells if not failures.keys().isdisjoint(_wanted(cell))),
            failures=failures,
            waiting=tuple(key for key in absent if key not in failures),
        )

    def seconds_left(self, standing: Standing) -> float | None:
        """Estimated time (s) to the end; None where no program was timed on this machine yet."""
        rates = Rates(self._store).known
        trainings = [self._plan.trainings[key] for key in standing.waiting]
        return seconds_left(trainings, rates, self._workers) if rates or standing.over else None

    def _failure(self, key: str) -> str | None:
        """Why the training failed, or None where it did not, or did so in an earlier run."""
        path = self._store.root / FAILURES / f"{key}.txt"
        try:
            if path.stat().st_mtime < self._since:
                return None
            _, _, error = path.read_text(encoding="utf-8", errors="replace").partition("\n")
        except OSError:
            return None
        return error.removesuffix("\n")


def _wanted(cell: PlannedCell) -> tuple[str, ...]:
    return (cell.utility, *cell.privacy)
