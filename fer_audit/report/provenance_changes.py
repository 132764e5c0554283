"""What two runs depend on, side by side."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fer_audit.report.finished_run import FinishedRun
from fer_audit.report.numbers import UNKNOWN
from fer_audit.results import AuditedFile, DatasetSummary, RunRecord

_DIGEST = re.compile(r"[0-9a-f]{40,}")


@dataclass(frozen=True)
class Fact:
    """Something that numbers may depend on, in both runs; a run that does not know it has a dash."""

    group: str
    name: str
    one: str
    other: str

    @property
    def changed(self) -> bool:
        """Whether the runs differ in it."""
        return self.one != self.other


def facts(one: FinishedRun, other: FinishedRun) -> list[Fact]:
    """All that is known of either run, what changed first."""
    first, second = dict(_known(one)), dict(_known(other))
    found = [Fact(*name, first.get(name, UNKNOWN), second.get(name, UNKNOWN)) for name in {**first, **second}]
    return sorted(found, key=lambda fact: not fact.changed)


def other_rows(one: FinishedRun, other: FinishedRun) -> bool:
    """Whether the runs were trained and tested on other data, so that their numbers are not of the same rows."""
    return one.results.dataset.digest != other.results.dataset.digest


def grid_difference(one: FinishedRun, other: FinishedRun) -> list[str]:
    """The grids as a unified diff, line by line; empty where they are equal."""
    first, second = (run.results.provenance.grid_text.splitlines() for run in (one, other))
    return list(difflib.unified_diff(first, second, "A", "B", lineterm=""))


def shortened(value: str) -> str:
    """A value as it is shown: digests by their first twelve digits."""
    return f"{value[:12]}\u2026" if _DIGEST.fullmatch(value) else value


def _known(run: FinishedRun) -> Iterator[tuple[tuple[str, str], str]]:
    origin = run.results.provenance
    software = {"fer-audit": origin.fer_audit, "Python": origin.python, "platform": origin.platform, **origin.packages}
    groups = (
        ("software", software),
        ("dataset", _dataset(run.results.dataset)),
        ("audited model", {cell.model: _file(cell.audited) for cell in run.results.cells if cell.audited}),
        ("code", {file.path: file.sha256 for file in origin.code if file.plugins}),
        ("recipe", origin.recipe),
        ("grid", {"name": run.results.grid, "SHA-256": origin.grid_sha256, "seeds": origin.seeds}),
        ("run", _run(run.record) if run.record else {}),
    )
    for group, values in groups:
        yield from (((group, name), _written(value)) for name, value in _flat(values))


def _dataset(data: DatasetSummary) -> dict[str, Any]:
    return {
        "plug-in": data.plugin.name,
        "parameters": data.plugin.params,
        "code": data.plugin.source,
        "digest": data.digest,
        "classes": data.classes,
        "image size": data.image_size,
        "rows": {"train": data.pool.rows, "test": data.test.rows, "population": data.population.rows},
    }


def _file(audited: AuditedFile) -> dict[str, Any]:
    held = audited.calibration
    return {
        "SHA-256": audited.sha256,
        "preprocessing": audited.preprocessing,
        "trusted": audited.trusted,
        "epochs": audited.checkpoint,
        "references": audited.references,
        "calibration members": held.members if held else None,
        "calibration non-members": held.nonmembers if held else None,
    }


def _run(record: RunRecord) -> dict[str, Any]:
    return {
        "machine": record.machine,
        "Git commit": record.git_commit,
        "changes not committed": record.git_dirty,
    }


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values, those of a mapping within a mapping by the names of both."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    return UNKNOWN if value in (None, "") else str(value)
