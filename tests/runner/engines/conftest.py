"""Trainings that need no network, and workers that do as a script says."""

import json
import shutil
from pathlib import Path

import pytest

from fer_audit.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def script_folder(tmp_path_factory):
    """Where scripted workers read what they do, also those of a cluster that was started before a test."""
    folder = tmp_path_factory.mktemp("script")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(Path(__file__).parent))
        patched.setenv("SCRIPT_FOLDER", str(folder))
        yield folder


@pytest.fixture
def script(script_folder):
    """Says what workers do: a list of words, one an attempt, for each seed."""
    for counted in ("attempts", "starts"):
        shutil.rmtree(script_folder / counted, ignore_errors=True)

    def say(**words):
        said = {name.removeprefix("of"): said for name, said in words.items()}
        (script_folder / "script.json").write_text(json.dumps(said))

    say()
    return say


@pytest.fixture
def attempts(script_folder):
    """How often each training was taken up, by its seed."""
    return lambda: {int(file.name): len(file.read_text()) for file in (script_folder / "attempts").iterdir()}
