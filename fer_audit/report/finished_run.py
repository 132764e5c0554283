"""A finished run as it lies in its folder, or in the one file of a bundle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_audit.errors import ResultsError
from fer_audit.report.bundle import is_bundle, opened_bundle
from fer_audit.report.naming import given_models
from fer_audit.results import Results, RunRecord, read_results, read_run


@dataclass(frozen=True)
class FinishedRun:
    """Where a run lies, what it found, and what is known of the run itself."""

    folder: Path  #: or the file of a bundle
    results: Results
    record: RunRecord | None  #: None where there is no run.json beside the results

    @property
    def bundled(self) -> bool:
        """Whether it lies in one file."""
        return is_bundle(self.folder)

    @property
    def given(self) -> bool:
        """Whether its models were audited as they were given."""
        return given_models(self.results)

    def beside(self, name: str) -> Path:
        """Where a file about the run belongs: in its folder, or beside its bundle and called after it."""
        return self.folder.with_name(f"{self.folder.stem}-{name}") if self.bundled else self.folder / name


def run_folder(path: Path) -> Path:
    """The folder of a run, given as it is or as its results.json; raises ResultsError for another file."""
    if path.is_file() and path.name != "results.json":
        raise ResultsError(
            f"expected a finished run: its folder, its results.json or a bundle (.zip); received the file {path}"
        )
    return path.parent if path.is_file() else path


@contextlib.contextmanager
def opened_run(path: Path) -> Iterator[Path]:
    """The folder of a run, given as it is, as its results.json or as a bundle; raises ResultsError.

    That of a bundle is gone afterwards.
    """
    if is_bundle(path):
        with opened_bundle(path) as folder:
            yield folder
    else:
        yield run_folder(path)


def read_finished(path: Path) -> FinishedRun:
    """The run in a folder, of a results.json, or in a bundle; raises ResultsError."""
    with opened_run(path) as folder:
        record = folder / "run.json"
        results, run = read_results(folder / "results.json"), read_run(record) if record.exists() else None
    return FinishedRun(path if is_bundle(path) else folder, results, run)
