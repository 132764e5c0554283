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


def read_finished(path: Path) -> FinishedRun:
    """The run in a folder, or of a results.json; raises ResultsError."""
    file = path / "results.json" if path.is_dir() or path.suffix != ".json" else path
    record = file.with_name("run.json")
    try:
        return FinishedRun(file.parent, read_results(file), read_run(record) if record.exists() else None)
    except UnicodeDecodeError:
        raise ResultsError(f"{file} is not a text file; expected the results.json of a finished run") from None
