"""How long it takes from nothing to a new attack in the report of a grid that is trained already.

    python experiments/benchmarks/new_attack.py [--grid experiments/grid.yaml] [--store .fer-audit] [--runs 3]

Writes an attack with `fer-audit new`, checks it with `fer-audit check`, adds it to a copy of the grid and runs that;
each command is a process of its own, as a user would type it. Target: under 30 s in all, and nothing trained. The
baseline is the same grid run again without the attack. What the store lacks is trained first, which is not timed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from side import tell
from table import Measured, below, heading, note, show

_NAME = "my-attack"
_TARGET = 30
_ALL = "from nothing to the new row"


def main() -> None:
    """Prints seconds of every step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, default=Path("experiments/grid.yaml"))
    parser.add_argument("--store", type=Path, default=Path(".fer-audit"))
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    tell("training what the store lacks")
    with _study(options.grid) as study:
        study.command("run", study.grid.name, "--store", str(options.store.resolve()))
    found: dict[str, list[float]] = {}
    for number in range(options.runs):
        tell(f"run {number + 1} of {options.runs}")
        with _study(options.grid) as study:
            for step, seconds in _measured(study, options.store).items():
                found.setdefault(step, []).append(seconds)
    measured = {step: Measured(seconds, "s") for step, seconds in found.items()}
    heading(f"A new attack in the report of {options.grid}, median (range) of {options.runs} runs")
    show(list(measured.items()))
    note(below(measured[_ALL].median, _TARGET, "s"))


class Study:
    """A copy of a grid in a folder of its own."""

    def __init__(self, folder: Path, grid: Path) -> None:
        self.folder, self.grid = folder, folder / grid.name
        self.grid.write_text(grid.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "plugins").mkdir()

    def command(self, *words: str) -> float:
        """Seconds of a command; one that fails ends the benchmark."""
        began = perf_counter()
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "fer_audit", *words], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"fer-audit {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return perf_counter() - began

    def add_attack(self) -> None:
        """Names the attack in the grid, as a user would with an editor."""
        text = self.grid.read_text(encoding="utf-8")
        changed = re.sub(r"(membership: \[[^]]*)\]", rf"\1, {_NAME}]", text)
        if changed == text:
            sys.exit(f"{self.grid}: expected a line such as `membership: [loss-threshold]`, found none")
        self.grid.write_text(changed, encoding="utf-8")

    def trained(self) -> int:
        """Trainings of the last run."""
        [record] = self.folder.glob("reports/*/run.json")
        return int(json.loads(record.read_text(encoding="utf-8"))["trained"])


@contextmanager
def _study(grid: Path) -> Iterator[Study]:
    with tempfile.TemporaryDirectory() as folder:
        yield Study(Path(folder), grid)


def _measured(study: Study, store: Path) -> dict[str, float]:
    """Seconds of each step, on a copy of the store: the attack's results are new each time."""
    shutil.copytree(store, study.folder / ".fer-audit")
    baseline = study.command("run", study.grid.name)
    steps = {
        "fer-audit new attack": study.command("new", "attack", _NAME, "--in", "plugins"),
        "fer-audit check attack": study.command("check", "attack", _NAME),
    }
    study.add_attack()
    steps["fer-audit run, with the attack"] = study.command("run", study.grid.name)
    if study.trained():
        sys.exit(f"expected nothing to be trained, {study.trained()} were")
    return {"baseline: run again as it is": baseline, **steps, _ALL: sum(steps.values())}


if __name__ == "__main__":
    main()
