"""Runs one grid again and again while processes are killed at random moments; counts trainings done, repeated and lost.

In each round the grid, of `--trainings` small trainings, is run on a new store. While it runs, at random moments, the
driver or one of its workers gets SIGKILL; a driver that was killed is started again, until it ends by itself. The
round's results must be those of an undisturbed run, byte for byte, and every artefact whole. A training is lost where
the store lacks it at the end, and repeated where it was taken up more often than it was finished.

    python experiments/benchmarks/soak.py --minutes 30

prints a line for each round and the totals; it ends with 1 where a training was lost or results differ.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from fer_audit.store import Store
from fer_audit.store_contents import artefacts

#: Small and yet with everything: references, a label attack, two models.
GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 120, "test_rows": 40, "population_rows": 0}},
    "models": ["mini-xception"],
    "attacks": {"labels": ["none"], "membership": ["loss-threshold"]},
    "training": {"image_size": 16, "epochs": 2, "batch_size": 30},
    "privacy": {"references": 4},
    "measures": {"batch_invariance": False},
}

#: Exit code of a run in which something failed.
GAVE_UP = 3

#: Processes of a run that train.
WORKERS = 2

#: Seconds between two kills are drawn up to this many.
LONGEST_PEACE = 20.0


@dataclass
class Totals:
    """What a soak came to."""

    rounds: int = 0
    drivers_killed: int = 0
    workers_killed: int = 0
    wanted: int = 0  #: trainings that the rounds wanted
    finished: int = 0  #: of them in the store at the end
    taken_up: int = 0  #: attempts at a training, of all processes
    differing: list[int] = field(default_factory=list)  #: rounds whose results are not those of the undisturbed run
    left_behind: int = 0  #: drafts of processes that were killed, after the last run of a round
    gave_up: int = 0  #: runs that ended with a training whose workers were killed three times
    damaged: int = 0  #: artefacts that were found damaged

    @property
    def kills(self) -> int:
        """Processes that were killed."""
        return self.drivers_killed + self.workers_killed

    @property
    def lost(self) -> int:
        """Trainings that the store lacks."""
        return self.wanted - self.finished

    @property
    def repeated(self) -> int:
        """Attempts beyond one for each training."""
        return self.taken_up - self.finished


def main() -> int:
    """Soaks for as long as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--kills", type=int, help="end after so many, however long that takes")
    parser.add_argument("--trainings", type=int, default=10, help="at least this many in each round")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the victims")
    parser.add_argument("--engine", default="local", choices=("local", "ray"))
    options = parser.parse_args()
    chance, totals = random.Random(options.seed), Totals()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        root = Path(folder)
        grid = root / "soak.yaml"
        seeds = list(range(-(-options.trainings // 5)))
        grid.write_text(yaml.safe_dump({**GRID, "seeds": seeds}), encoding="utf-8")
        expected = run_to_the_end(grid, root / "calm", options.engine, None, totals)
        while options.kills is None or totals.kills < options.kills:
            if options.kills is None and time.monotonic() - began > 60 * options.minutes:
                break
            soak_round(grid, root / f"round-{totals.rounds}", options.engine, chance, totals, expected)
            print(line_of(totals, time.monotonic() - began), flush=True)
    print(
        f"{totals.rounds} rounds in {(time.monotonic() - began) / 60:.1f} min: {totals.drivers_killed} drivers and "
        f"{totals.workers_killed} workers killed; {totals.finished} trainings done, {totals.repeated} repeated, "
        f"{totals.lost} lost; {totals.gave_up} runs gave up a training; "
        f"{totals.damaged} artefacts damaged, {totals.left_behind} drafts left behind; "
        f"results of {len(totals.differing)} rounds differ"
    )
    # A worker that is killed, or whose driver is, loses the training under way and no other.
    too_many = totals.repeated > totals.workers_killed + WORKERS * totals.drivers_killed
    return int(bool(totals.lost or totals.differing or totals.damaged or totals.left_behind or too_many))


def line_of(totals: Totals, seconds: float) -> str:
    """How far a soak is."""
    return (
        f"{seconds / 60:5.1f} min  round {totals.rounds}: {totals.drivers_killed} drivers and {totals.workers_killed} "
        f"workers killed so far, {totals.finished} done, {totals.repeated} repeated, {totals.lost} lost"
    )


def soak_round(grid: Path, folder: Path, engine: str, chance: random.Random, totals: Totals, expected: bytes) -> None:
    """One round, added to `totals`."""
    results = run_to_the_end(grid, folder, engine, chance, totals)
    totals.rounds += 1
    if results != expected:
        totals.differing.append(totals.rounds)
    store = Store(folder / "store")
    totals.wanted += wanted(results)
    totals.finished += sum(store.has(*one.name) for one in artefacts(store, "trainings"))
    totals.taken_up += attempts(folder / "store")
    # What an earlier run of the round found is put aside; drafts and claims of the dead must not pile up.
    totals.damaged += len(list((folder / "store" / "damaged").glob("*")))
    totals.left_behind += len(store.abandoned_drafts())


def run_to_the_end(grid: Path, folder: Path, engine: str, chance: random.Random | None, totals: Totals) -> bytes:
    """Runs `grid` until it ends by itself, killing by `chance`; returns its results."""
    command = [sys.executable, "-m", "fer_audit", "run", str(grid), "--store", str(folder / "store")]
    command += ["--reports", str(folder / "reports"), "--engine", engine, f"--workers={WORKERS}"]
    folder.mkdir()
    with (folder / "log.txt").open("w") as log:
        while True:
            driver = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own command
            ended_by_itself = disturbed(driver, chance, totals)
            if ended_by_itself and driver.returncode != GAVE_UP:
                break
            # A training whose workers were killed three times has failed; the next run tries it again.
            totals.gave_up += ended_by_itself
    if driver.returncode:
        raise SystemExit(f"the run ended with {driver.returncode}:\n{(folder / 'log.txt').read_text()[-3000:]}")
    return (folder / "reports" / "soak" / "results.json").read_bytes()


def disturbed(driver: subprocess.Popen[bytes], chance: random.Random | None, totals: Totals) -> bool:
    """Kills the driver or its workers at random moments; whether the driver ended by itself."""
    while True:
        try:
            driver.wait(None if chance is None else chance.uniform(0.5, LONGEST_PEACE))
            return True
        except subprocess.TimeoutExpired:
            if chance is not None and victim_is_driver(driver, chance, totals):
                driver.wait()
                return False


def victim_is_driver(driver: subprocess.Popen[bytes], chance: random.Random, totals: Totals) -> bool:
    """Kills the driver, or one of its workers; whether it was the driver."""
    workers = [one for one in psutil.Process(driver.pid).children(recursive=True) if is_worker(one)]
    if not workers or chance.random() < 0.5:
        driver.send_signal(signal.SIGKILL)
        totals.drivers_killed += 1
        return True
    with contextlib.suppress(psutil.NoSuchProcess):
        chance.choice(workers).kill()
        totals.workers_killed += 1
    return False


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is a worker of a run."""
    try:
        return "fer_audit.training.worker" in process.cmdline()
    except psutil.Error:
        return False


def wanted(results: bytes) -> int:
    """How many trainings the cells of some results have."""
    cells = json.loads(results)["cells"]
    return len(cells) * (1 + GRID["privacy"]["references"])  # type: ignore[index]


def attempts(store: Path) -> int:
    """How often a training was taken up in a store, by the logs of all its runs."""
    words = Counter[str]()
    for log in (store / "logs").glob("*-attempts.jsonl"):
        for line in log.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # a line that a kill has cut
                words[json.loads(line)["event"]] += 1
    return words["started"]


if __name__ == "__main__":
    sys.exit(main())
