"""The cells of an audit, one a model."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from rich.console import Console

from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.data.hygiene import invalid_sides
from fer_audit.errors import FerAuditError
from fer_audit.grid import GridFile
from fer_audit.results import CalibrationSplit, Cell, Hygiene, PluginRecord
from fer_audit.runner.measured import (
    Measured,
    adversarial_of,
    batch_invariance_of,
    corruptions_of,
    explanation_of,
    wrong_of,
)
from fer_audit.runner.model_audit.asked import Asked, ask, audited_file, utility
from fer_audit.runner.model_audit.attacked import attack_label, attacked, calibration_rows, privacy_of, signals_of
from fer_audit.runner.model_audit.measures import measure
from fer_audit.runner.model_audit.order import declared_wrong
from fer_audit.runner.model_audit.references import References
from fer_audit.runner.model_audit.subjects import Audited
from fer_audit.runner.records import RECORDS, write_records
from fer_audit.store import Store

#: What the two sides are called where the hygiene of splits is checked.
MEMBERS, NONMEMBERS = "members", "non-members"


def doing(console: Console, text: str) -> contextlib.AbstractContextManager[Any]:
    """Shows `text` on a terminal as long as something lasts."""
    return console.status(text) if console.is_terminal else contextlib.nullcontext()


@dataclass
class Cells:
    """Makes the cells of an audit: what they share, and what is kept of each for those after it."""

    file: GridFile
    store: Store
    folder: Path
    console: Console
    audited: Sequence[Audited]
    attacks: Sequence[MembershipAttack]
    references: References | None
    hygiene: Hygiene
    explained: list[tuple[str, Mapping[str, npt.NDArray[Any]]]] = field(default_factory=list)
    _baseline: npt.NDArray[np.bool_] | None = None  #: errors of the first model on corrupted images

    def cell(self, place: int) -> Cell:
        """Everything about one model; what an attack or a measure raises fails the cell alone."""
        audited, grid = self.audited[place], self.file.grid
        with doing(self.console, f"asking {audited.label}"):
            asked = ask(audited, grid.privacy.queries)
        description = audited_file(audited, self.references)
        predicted = np.asarray(asked.pool[:, 0].argmax(axis=1), np.int64)
        warnings, permuted = declared_wrong(audited, predicted)
        for warning in warnings:
            self.console.print(
                f"{audited.label}: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True
            )
        found: dict[str, Any] = {"utility": utility(audited, asked)}
        status, error = "done", ""
        try:
            with doing(self.console, f"attacking {audited.label}"):
                privacy, calibration = self._privacy(place, asked, permuted)
            found |= {"privacy": privacy}
            description = description.model_copy(update={"calibration": calibration})
            with doing(self.console, f"measuring {audited.label}"):
                found |= self._measured(audited, asked)
        except FerAuditError as problem:
            status, error = "failed", str(problem)
        except Exception:  # noqa: BLE001 - whatever an attack raises, the other models are audited all the same
            status, error = "failed", traceback.format_exc(limit=-8)
        probed = found.get("batch_invariance")
        if status == "done" and probed is not None and not probed.passed:
            status, error = "failed", str(probed.explanation)
        return Cell(
            id=audited.label,
            model=audited.label,
            augmentation="",
            label_attack="",
            noise_rate=0.0,
            seed=grid.seeds[0],
            model_plugin=PluginRecord(name=audited.label, source=audited.opened.sha256),
            augmentation_plugins=[],
            label_attack_plugin=None,
            corruption=None,
            status=cast("Any", status),
            error=error,
            audited=description.model_copy(update={"warnings": warnings}),
            **found,
        )

    def _privacy(self, place: int, asked: Asked, permuted: str) -> tuple[Any, CalibrationSplit | None]:
        audited, grid = self.audited[place], self.file.grid
        if not self.attacks or grid.audit is None:
            return None, None
        seed, pool, member = grid.seeds[0], audited.rows.data.pool, audited.rows.member
        held, calibration = None, None
        if not self.references:
            share = grid.audit.calibration
            held = calibration_rows(audited, share, seed)
            calibration = CalibrationSplit(
                members=int((held & member).sum()), nonmembers=int((held & ~member).sum()), share=share
            )
        signals = signals_of(audited, asked, self.references)
        found = attacked(signals, self.attacks, pool.attributes, held, seed)
        invalid = permuted or invalid_sides(self.hygiene, MEMBERS, NONMEMBERS)
        digest = audited.rows.data.digest()
        privacy = privacy_of(
            audited,
            asked,
            found,
            queries=grid.privacy.queries,
            references=self.references,
            digest=digest,
            invalid=invalid,
        )
        file = f"{RECORDS}/{place}.csv"
        columns = {
            "label": [audited.rows.data.classes[label] for label in np.asarray(pool.labels)],
            "membership": np.where(member, "member", "non-member").tolist(),
        }
        names = {attack_label(self.attacks, number): one for number, one in enumerate(found)}
        write_records(self.folder / file, names, columns, digest)
        return privacy.model_copy(update={"records": file}), calibration

    def _measured(self, audited: Audited, asked: Asked) -> dict[str, Any]:
        """What the grid has measured on the test split."""
        found, left_out = measure(audited, self.file.grid, self.store)
        for reason in left_out:
            self.console.print(f"left out: {reason}", markup=False, highlight=False, soft_wrap=True)
        test, kinds = audited.rows.data.test, _by_kind(found)
        for _, arrays, _ in kinds.get("explanation", ()):
            self.explained.append((audited.label, arrays))
        return {
            "corruptions": self._corruptions(audited, kinds.get("corruption", []), asked),
            "adversarial": adversarial_of(kinds.get("adversarial", []), test, asked.predicted),
            "batch_invariance": batch_invariance_of(kinds.get("batch-invariance", [])),
            "explanation": explanation_of(kinds.get("explanation", []), test),
        }

    def _corruptions(self, audited: Audited, found: list[Measured], asked: Asked) -> Any:
        """Errors relative to the baseline that the grid names, or the first model."""
        if not found:
            return None
        section = self.file.grid.measures.corruptions
        baseline = (section.baseline if section else None) or self.audited[0].label
        test = audited.rows.data.test
        if audited.label == baseline:
            self._baseline = wrong_of(found, np.asarray(test.labels)[found[0][1]["rows"]])
        why_none = "" if self._baseline is not None else f"the baseline {baseline} comes after this model"
        return corruptions_of(found, test, asked.predicted, baseline=baseline, theirs=self._baseline, why_none=why_none)


def _by_kind(found: Sequence[Measured]) -> dict[str, list[Measured]]:
    kinds: dict[str, list[Measured]] = {}
    for one in found:
        kinds.setdefault(one[0].kind, []).append(one)
    return kinds
