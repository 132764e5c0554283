"""A finished run as it lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_audit.errors import ResultsError
from fer_audit.results import Results, RunRecord, read_results, read_run


@dataclass(frozen=True)
class FinishedRun:
    """Where a run lies, what it found, and what is known of the run itself."""

    folder: Path
    results: Results
    record: RunRecord | None  #: None where there is no run.json beside the results


def run_folder(path: Path) -> Path:
    """The folder of a run, given as it is or as its results.json; raises ResultsError for another file."""
    if path.is_file() and path.name != "results.json":
        raise ResultsError(f"expected the results.json of a finished run, or its folder; received the file {path}")
    return path.parent if path.is_file() else path


def read_finished(path: Path) -> FinishedRun:
    """The run in a folder, or of a results.json; raises ResultsError."""
    folder = run_folder(path)
    record = folder / "run.json"
    return FinishedRun(folder, read_results(folder / "results.json"), read_run(record) if record.exists() else None)
