"""Whether fer-audit's networks learn as much as plain Keras': accuracy on real faces, several seeds of each.

Run it with: python experiments/benchmarks/accuracy_against_keras.py [CSV]
The csv is that of a `manifest` dataset (image,label[,subject]); by default the real faces of the tests, found through
FER_AUDIT_TEST_DATA or beside the project. Same split, same recipe, no augmentation; fer-audit through `fer-audit run`,
Keras by build, compile and fit, anew for each seed. The seeds draw other weights on either side, so nothing is paired.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import side
import yaml
from table import heading, note, show

MEASURES = {"accuracy": "accuracy", "balanced": "balanced_accuracy"}

Figures = dict[str, list[float]]


def main() -> None:
    """Trains both sides and prints how far they are apart."""
    arguments = _arguments()
    if not arguments.csv.is_file():
        sys.exit(f"no csv at {arguments.csv}: name one, or set FER_AUDIT_TEST_DATA to the folder of the tests' data")
    grid = _grid(arguments)
    ours = _ours(grid)
    theirs = side.run("baselines.keras_faces:accuracies", grid=grid)
    heading(
        f"GhostFace on real faces, {arguments.size} px, {arguments.epochs} epochs, batch {arguments.batch}, AdamW "
        f"{arguments.learning_rate:g}, {arguments.schedule}"
    )
    for name in MEASURES:
        _show(name, ours[name], theirs[name])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("csv", nargs="?", type=Path, default=_test_data() / "faces_in_the_wild" / "labels.csv")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--schedule", choices=("cosine", "constant"), default="cosine")
    return parser.parse_args()


def _test_data() -> Path:
    named = os.environ.get("FER_AUDIT_TEST_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"


def _grid(arguments: argparse.Namespace) -> dict[str, Any]:
    optimizer = {
        "name": "adamw",
        "learning_rate": arguments.learning_rate,
        "weight_decay": 1e-4,
        "schedule": arguments.schedule,
    }
    return {
        "name": "accuracy",
        "dataset": {"name": "manifest", "params": {"path": str(arguments.csv.resolve()), "test_fraction": 0.25}},
        "models": ["ghostface"],
        "seeds": list(range(arguments.seeds)),
        "training": {
            "image_size": arguments.size,
            "epochs": arguments.epochs,
            "batch_size": arguments.batch,
            "optimizer": optimizer,
        },
    }


def _ours(grid: dict[str, Any]) -> Figures:
    """The figures of fer-audit's utility models, from the results of a run."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fer-audit-benchmark-") as folder:
        root = Path(folder)
        (root / "grid.yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")
        command = [sys.executable, "-m", "fer_audit", "run", "grid.yaml", "--store", "store", "--reports", "reports"]
        subprocess.run(command, cwd=root, check=True, stdout=sys.stderr)  # noqa: S603 - our own command
        results = json.loads((root / "reports" / grid["name"] / "results.json").read_text(encoding="utf-8"))
    side.tell(f"fer-audit: {len(grid['seeds'])} trainings, {time.perf_counter() - began:.0f} s")
    utilities = [cell["utility"] for cell in sorted(results["cells"], key=lambda cell: cell["seed"])]
    return {name: [utility[field]["value"] for utility in utilities] for name, field in MEASURES.items()}


def _show(name: str, ours: list[float], theirs: list[float]) -> None:
    difference = statistics.mean(ours) - statistics.mean(theirs)
    error = math.hypot(*(statistics.stdev(values) / math.sqrt(len(values)) for values in (ours, theirs)))
    spread = math.sqrt(statistics.mean((statistics.variance(ours), statistics.variance(theirs))))
    seeds = [f"seed {seed}" for seed in range(len(ours))]
    show(
        [
            (f"{name}, %", *seeds, "mean", "spread (sd)"),
            *((who, *_percent(values)) for who, values in (("fer-audit", ours), ("plain Keras", theirs))),
        ]
    )
    verdict = "met" if abs(difference) < spread else "missed"
    note(
        f"difference {100 * difference:+.2f}, standard error {100 * error:.2f}; "
        f"target |difference| < pooled spread ({100 * spread:.2f}): {verdict}"
    )


def _percent(values: list[float]) -> list[str]:
    return [f"{100 * value:.2f}" for value in (*values, statistics.mean(values), statistics.stdev(values))]


if __name__ == "__main__":
    main()
