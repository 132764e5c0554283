"""Auditing signals from anywhere: no grid, no image, no training, only what models answered."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

import fer_audit
from fer_audit.attacks.audit import Audited, audited, references_of
from fer_audit.attacks.frame import make_frame
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.data.csv_lines import csv_lines
from fer_audit.errors import FerAuditError, SignalsError
from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.plugins import guest
from fer_audit.results import (
    AuditedFile,
    Cell,
    DatasetSummary,
    PluginRecord,
    Privacy,
    Provenance,
    Results,
    SourceFile,
    SplitSummary,
)
from fer_audit.runner.exposed import most_exposed

RECORDS = "records.csv"  #: the exposure of every row
PLUGIN = "signals"  #: stands where the results of a grid name their dataset

_PACKAGES = ("numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, eq=False)
class SignalsAudit:
    """What is audited, and how."""

    name: str
    signals: Signals
    targets: list[int]
    families: Mapping[str, Sequence[str]] = field(default_factory=dict)  #: slices: name -> (N,) groups
    seed: int = 0
    confidence: float = 0.95
    classes: tuple[str, ...] = ()  #: names; without them classes are numbers
    calibration: npt.NDArray[np.bool_] | None = None  #: (N,), rows that set thresholds in the place of references
    audited: AuditedFile | None = None  #: the files that the answers lie in
    invalid: str = ""  #: why nothing of it can be trusted

    def check(self) -> None:
        """Raises SignalsError where no attack could be audited."""
        models = self.signals.models
        wrong = [target for target in self.targets if not 0 <= target < models]
        if wrong or not self.targets:
            raise SignalsError(f"targets must lie within 0..{models - 1}, received {wrong[0] if wrong else 'none'}")
        if self.calibration is not None:
            make_frame(self.signals, "row", self.families)
            return
        alone = [target for target in self.targets if not references_of(self.signals.keep, target)]
        if alone:
            raise SignalsError(
                f"an audit needs reference models beside the target, and target {alone[0]} has none of the "
                f"{models} models that is neither its copy nor its complement"
            )
        make_frame(self.signals, "row", self.families)

    def check_attack(self, attack: MembershipAttack) -> None:
        """Raises SignalsError where the signals lack what `attack` needs."""
        signals, chosen = self.signals, attack.params.queries
        shown = 0 if signals.population_logits is None else signals.population_logits.shape[2]
        first = 0 if chosen == "all" else min(chosen)
        attack.check_plan(
            references=self.references,
            population=first < shown,
            queries=signals.queries,
            subjects=signals.subjects is not None,
        )
        if attack.needed().loss_trace and signals.loss_trace is None:
            raise SignalsError(
                f"membership attack {attack.name!r} needs loss_trace, the loss of every row after every epoch; "
                "the signals have none"
            )
        make_frame(signals, attack.unit, self.families)

    @property
    def references(self) -> int:
        """Models that every target can be attacked with."""
        return min(len(references_of(self.signals.keep, target)) for target in self.targets)

    def run(self, attack: MembershipAttack) -> Audited:
        """One attack; raises AttackError, whatever its code raises."""
        try:
            with guest(attack, AttackError):
                found = audited(
                    self.signals,
                    [attack],
                    targets=self.targets,
                    slices=self.families,
                    seed=self.seed,
                    confidence=self.confidence,
                    calibration=self.calibration,
                )[0]
        except FerAuditError as error:
            raise AttackError(str(error)) from error
        if self.calibration is None:
            return found
        scored = np.flatnonzero(~self.calibration)
        return replace(found, records=replace(found.records, first=scored[found.records.first]))

    def results(
        self, found: Sequence[Audited], digest: str, *, records: bool, code: Sequence[SourceFile] = ()
    ) -> Results:
        """The results that the report shows: one cell, and nothing of images, trainings and costs.

        `code` is what attacks from outside fer-audit lie in.
        """
        return Results(
            grid=self.name,
            include_images=False,
            dataset=self._dataset(digest),
            costs=[],
            cells=[self._cell(self._privacy(found, digest, records))],
            provenance=self._provenance(found, code),
        )

    def _dataset(self, digest: str) -> DatasetSummary:
        signals = self.signals
        return DatasetSummary(
            plugin=PluginRecord(name=PLUGIN, params={"models": signals.models, "queries": signals.queries}),
            classes=list(self.classes) or [str(label) for label in range(signals.classes)],
            image_size=None,
            digest=digest,
            drawn=False,
            pool=_split(signals.labels, signals.classes, signals.subjects),
            test=_split(None, signals.classes),
            population=_split(signals.population_labels, signals.classes),
        )

    def _cell(self, privacy: Privacy) -> Cell:
        return Cell(
            id=f"{PLUGIN}/{self.name}",
            model=self.name,
            augmentation="",
            label_attack="",
            noise_rate=0.0,
            seed=self.seed,
            model_plugin=PluginRecord(name=self.name),
            augmentation_plugins=[],
            label_attack_plugin=None,
            corruption=None,
            status="done",
            privacy=privacy,
            audited=self.audited,
        )

    def _privacy(self, found: Sequence[Audited], digest: str, records: bool) -> Privacy:
        signals = self.signals
        predicted = np.stack([model[:, 0].argmax(axis=1) for model in signals.logits])
        correct, keep, people = predicted == signals.labels, signals.keep, signals.subjects
        return Privacy(
            trainings=[],
            references=self.references,
            queries=[f"query {query}" for query in range(signals.queries)],
            member_accuracy=mean_accuracy(correct, keep, people, self.confidence),
            nonmember_accuracy=mean_accuracy(correct, ~keep, people, self.confidence),
            test_accuracy=None,
            attacks=[one.result for one in found],
            records=RECORDS if records else None,
            invalid=self.invalid,
            exposed=[most_exposed(one, digest, signals.labels, np.zeros(signals.rows, np.bool_)) for one in found],
        )

    def _provenance(self, found: Sequence[Audited], code: Sequence[SourceFile]) -> Provenance:
        asked = self._asked(found)
        return Provenance(
            fer_audit=fer_audit.__version__,
            python=platform.python_version(),
            packages={name: metadata.version(name) for name in _PACKAGES},
            platform=f"{platform.system()} {platform.machine()}",
            grid_text=asked,
            grid_sha256=hashlib.sha256(asked.encode()).hexdigest(),
            recipe={},
            seeds=[self.seed],
            code=list(code),
        )

    def _asked(self, found: Sequence[Audited]) -> str:
        asked = {
            "attacks": [{"name": one.result.attack.name, "params": one.result.attack.params} for one in found],
            "targets": self.targets,
            "slices": list(self.families),
            "seed": self.seed,
            "confidence": self.confidence,
        }
        # By way of JSON, as YAML would tag the tuples of parameters.
        return yaml.safe_dump(json.loads(json.dumps(asked)), sort_keys=False, allow_unicode=True, width=110)


class AttackError(FerAuditError):
    """An attack that could not be audited; others may go on."""


def row_columns(audit: SignalsAudit) -> dict[str, Sequence[Any]]:
    """What is told of each row beside its exposure: label and groups, and only the number of the row of who it is."""
    taken = ("attack", "row", "id", "label")
    groups = {f"slice {name}" if name in taken else name: values for name, values in audit.families.items()}
    return {"label": audit.signals.labels.tolist(), **groups}


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_families(path: Path, rows: int) -> dict[str, list[str]]:
    """The columns of a csv with a header and one line for each of `rows` rows; raises SignalsError."""
    try:
        found = csv_lines(path, strict=False)
    except OSError as error:
        raise SignalsError(f"can't read the slices {path}: {error.strerror}") from None
    except ValueError as error:
        raise SignalsError(f"the slices {path} are not a csv in UTF-8: {error}") from None
    lines = [line for _, line in found]
    head = [name.strip() for name in lines[0]] if lines else []
    if not head or not all(head) or len(set(head)) < len(head):
        raise SignalsError(f"the slices {path} need a header with a different name for each column, received {head}")
    ragged = next(((number, len(line)) for number, line in found if len(line) != len(head)), None)
    if ragged is not None:
        raise SignalsError(
            f"the slices {path} must have {len(head)} fields in every line, received {ragged[1]} in line {ragged[0]}"
        )
    if len(lines) - 1 != rows:
        raise SignalsError(
            f"the slices {path} must have a header and one line for each of the {rows} rows of the signals, "
            f"received {len(lines) - 1} lines below the header"
        )
    return {name: _groups(path, name, [line[place].strip() for line in lines[1:]]) for place, name in enumerate(head)}


#: More groups would be too many tests for any to be shown, and too many lines for the page.
_MOST_GROUPS = 100


def _groups(path: Path, name: str, values: list[str]) -> list[str]:
    found = len(set(values))
    if found > _MOST_GROUPS:
        raise SignalsError(
            f"the slices {path} must group rows: column {name!r} has {found} different values, at most {_MOST_GROUPS} "
            "are expected"
        )
    return values


def _split(
    labels: npt.NDArray[np.int64] | None, classes: int, subjects: npt.NDArray[Any] | None = None
) -> SplitSummary:
    known = np.zeros(0, np.int64) if labels is None else labels
    return SplitSummary(
        rows=len(known),
        per_class=np.bincount(known, minlength=classes).tolist(),
        subjects=None if subjects is None else len(np.unique(subjects)),
    )
