"""SIGKILL of drivers and workers at random moments: nothing is lost, and results are those of a calm run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks" / "soak.py"


@pytest.mark.release
@pytest.mark.parametrize(("engine", "kills"), [("local", 50), ("ray", 15)])
def test_kills_lose_nothing_and_repeat_no_more_than_was_under_way(engine, kills):
    command = [sys.executable, str(SOAK), f"--kills={kills}", f"--engine={engine}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    totals = ended.stdout.splitlines()[-1]
    for kept in (", 0 lost;", " 0 artefacts damaged,", " 0 drafts left behind;", " results of 0 rounds differ"):
        assert kept in totals
