"""Runs of a small grid as a user starts them: a process of its own, real trainings, real files."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fer_audit.store import DAMAGED, LOGS, TEMPORARY, Store
from fer_audit.store_contents import RESERVED, artefacts

#: Two cells with what makes runs share and repeat: references and two seeds. Ten trainings.
GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 120, "test_rows": 40, "population_rows": 0}},
    "models": ["mini-xception"],
    "attacks": {"labels": ["none"], "membership": ["loss-threshold"]},
    "training": {"image_size": 16, "epochs": 2, "batch_size": 30},
    "privacy": {"references": 4},
    "measures": {"batch_invariance": False},
    "seeds": [0, 1],
}

#: Seconds after which a run counts as one that never ends.
_NEVER = 900


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"


class Study:
    """A grid with its store and reports, all in one folder."""

    def __init__(self, folder: Path, grid: dict, *, store: Path | None = None, plugins: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store_folder = store or folder / "store"
        if plugins:
            (folder / "plugins").mkdir()
            (folder / "plugins" / "mine.py").write_text(plugins, encoding="utf-8")
        self.write(grid)

    def write(self, grid: dict) -> None:
        text = yaml.safe_dump(grid, sort_keys=False, allow_unicode=True)
        (self.folder / "study.yaml").write_text(text, encoding="utf-8")

    @property
    def options(self) -> list[str]:
        return ["study.yaml", "--store", os.path.relpath(self.store_folder, self.folder), "--reports", "reports"]

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fer_audit", "run", *self.options, *options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )

    def run(self, *options: str) -> Ended:
        return ended(self.start(*options))

    def file(self, name: str) -> bytes:
        return (self.folder / "reports" / "study" / name).read_bytes()

    @property
    def results(self) -> dict:
        return json.loads(self.file("results.json"))

    @property
    def record(self) -> dict:
        return json.loads(self.file("run.json"))

    def finished_trainings(self) -> set[str]:
        """Keys of the whole trainings of the store."""
        store = Store(self.store_folder)
        return {one.name[1] for one in artefacts(store, "trainings") if store.has(*one.name)}

    def attempts(self, word: str) -> list[dict]:
        """The lines of that kind in the logs of all runs on the store."""
        texts = [log.read_text(encoding="utf-8") for log in (self.store_folder / LOGS).glob("*-attempts.jsonl")]
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        return [line for line in lines if line["event"] == word]

    def check_undamaged(self) -> None:
        """Every artefact of the store is whole, and no draft is left behind."""
        store = Store(self.store_folder)
        kinds = {path.name for path in self.store_folder.iterdir() if path.is_dir()} - RESERVED - {"keras"}
        assert "trainings" in kinds
        for kind in kinds:
            for one in artefacts(store, kind):
                assert store.damage(*one.name) is None, one.name
        assert not (self.store_folder / DAMAGED).exists()
        assert not list((self.store_folder / TEMPORARY).iterdir())


def ended(process: subprocess.Popen[str]) -> Ended:
    """Waits for the end of a run."""
    try:
        out, err = process.communicate(timeout=_NEVER)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the run did not end within {_NEVER} s\n{out}\n{err}") from None
    return Ended(process.returncode, out, err)


@pytest.fixture(scope="session")
def wait_for():
    """Waits for the end of a run that was started."""
    return ended


@pytest.fixture
def grid():
    """The grid, to be changed at will."""
    return copy.deepcopy(GRID)


@pytest.fixture(scope="session")
def study():
    """Makes a study: `study(folder, grid)`."""
    return Study


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A run of the grid by itself, that others are compared with."""
    plain = Study(tmp_path_factory.mktemp("undisturbed"), copy.deepcopy(GRID))
    end = plain.run("--workers=2")
    assert end.code == 0, end.said
    assert not end.err
    return plain


@pytest.fixture(scope="session")
def environment():
    """The environment of this process with changes; one that is None is left out."""

    def changed(**changes: str | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in changes}
        return kept | {name: value for name, value in changes.items() if value is not None}

    return changed
