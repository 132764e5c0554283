"""How long an audit of a model from elsewhere takes, against asking the model alone.

    python experiments/benchmarks/model_audit.py [--rows 7000] [--size 64] [--keep DIR]

A Keras model of about 60,000 parameters, drawn faces as PNG files (half members), all attacks that need no references,
two queries. Target: under 60 s on 2 cores, for the whole command: TensorFlow started, images read, copies sought, rows
told apart without a model, attacks, page. The baseline is Keras' `predict` on the same images and queries in memory.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from table import below, heading, show

TARGET = 60
PEOPLE_SIDES = ("members", "nonmembers")


def main() -> None:
    """Prints the seconds of the command and of the baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=7000, help="images of both sides together")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--keep", type=Path, help="a folder for images, model and report (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        images = _write_faces(folder, options.rows, options.size)
        parameters, predicted = _write_model(folder, images, options.size)
        seconds = _audit(folder)
    heading(f"{options.rows:,} images of {options.size} px, a model of {parameters:,} parameters")
    show(
        [
            ("", "s", ""),
            ("fer-audit audit, whole command", f"{seconds:.1f}", below(seconds, TARGET, " s")),
            ("Keras predict on the same images, two queries, in memory", f"{predicted:.1f}", ""),
        ]
    )


def _write_faces(folder: Path, rows: int, size: int) -> Any:
    from fer_audit.data.dataset import EXPRESSIONS
    from fer_audit.data.synthface import Synthface

    pool = Synthface(rows=rows, test_rows=70, population_rows=0).load(size, folder).pool
    people = np.unique(pool.subjects)
    sides = np.isin(pool.subjects, people[: len(people) // 2])
    for name, chosen in zip(PEOPLE_SIDES, (np.flatnonzero(sides), np.flatnonzero(~sides)), strict=True):
        (folder / name).mkdir(exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "label", "subject"])
            for row in chosen:
                Image.fromarray(pool.images[row]).save(folder / name / f"{row}.png")
                writer.writerow([f"{name}/{row}.png", EXPRESSIONS[pool.labels[row]], pool.subjects[row]])
    return pool.images


def _write_model(folder: Path, images: Any, size: int) -> tuple[int, float]:
    """Saves an untrained network; returns its parameters, and the seconds that Keras takes for both queries."""
    from fer_audit.registry import Registry

    network = Registry.load([]).create("model", "mini-xception", {}).create((size, size, 3), 7)
    network.save(folder / "model.keras")
    seconds = 0.0
    network.predict(images[:64], verbose=0)  # tracing is not counted
    for asked in (images, images[:, :, ::-1]):
        began = time.perf_counter()
        network.predict(asked, batch_size=64, verbose=0)
        seconds += time.perf_counter() - began
    return network.count_params(), seconds


def _audit(folder: Path) -> float:
    command = [sys.executable, "-m", "fer_audit", "audit", "--model", folder / "model.keras"]
    command += ["--members", folder / "members.csv", "--nonmembers", folder / "nonmembers.csv", "--measures", ""]
    command += ["--store", folder / "store", "--reports", folder / "reports"]
    began = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, env=os.environ)  # noqa: S603
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
