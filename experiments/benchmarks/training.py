"""How fast, how small and how exact the training core is, against plain Keras and PyTorch in the same run.

Run it on a machine that does nothing else:
    python experiments/benchmarks/training.py [--only trainings steps ...] [--quick]
Every side of a comparison runs in a process of its own, and sides take turns. Figures are medians, with their range.
PyTorch is optional: pip install --no-deps torch==2.13.0 filelock fsspec networkx sympy mpmath
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import side
from figures.agreement import agreement
from figures.augmentation import augmentation
from figures.first_step import first_step
from figures.growth import growth
from figures.memory import memory
from figures.signals import signals
from figures.steps import steps
from figures.study import study
from figures.trainings import overhead, trainings
from settings import QUICK, Settings

FIGURES: dict[str, Callable[[Settings], None]] = {
    "trainings": trainings,
    "overhead": overhead,
    "steps": steps,
    "first-step": first_step,
    "augmentation": augmentation,
    "signals": signals,
    "memory": memory,
    "agreement": agreement,
    "growth": growth,
    "study": study,
}


def main() -> None:
    """Measures and prints the figures that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), help="these figures only")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to quote")
    parser.add_argument("--repeats", type=int, help="rounds of each comparison")
    arguments = parser.parse_args()
    settings = QUICK if arguments.quick else Settings()
    if arguments.repeats:
        settings = replace(settings, repeats=arguments.repeats, trainings_repeats=arguments.repeats)
    _print_head(arguments.quick)
    began = time.perf_counter()
    failed = [name for name in FIGURES if name in arguments.only and not _measured(name, settings)]
    print(f"\n{(time.perf_counter() - began) / 60:.0f} minutes in all")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _measured(name: str, settings: Settings) -> bool:
    """Measures a figure; one that fails does not take the others, measured for an hour, with it."""
    side.tell(name)
    try:
        FIGURES[name](settings)
    except RuntimeError as error:
        print(f"\n{name}: FAILED", flush=True)
        side.tell(str(error))
        return False
    return True


def _print_head(quick: bool) -> None:
    packages = ("tensorflow", "keras", "torch", "numpy")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    print(f"{_processor()}, {len(os.sched_getaffinity(0))} cores; {versions}; python {platform.python_version()}")
    print(f"{time.strftime('%Y-%m-%d %H:%M')}; load before: {os.getloadavg()[0]:.1f}{'; QUICK, not to quote' * quick}")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
