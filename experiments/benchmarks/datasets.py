"""How fast images on disk are read, and copies found, beside a plain loop with Pillow.

    python experiments/benchmarks/datasets.py [--rows 12000] [--images 36000] [--repeats 3]

Prints each figure with its baseline from the same run, and the target.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fer_audit.data.cached import load_through
from fer_audit.data.copies import find_copies
from fer_audit.data.images import read_images
from fer_audit.data.manifest import Manifest
from fer_audit.data.synthface import Synthface
from fer_audit.store import Store

_FILE_SIDE, _SIDE = 100, 48


def main() -> None:
    """Prints reading, the second start and copies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000, help="JPEG files of 100 px")
    parser.add_argument("--images", type=int, default=36_000, help="images among which copies are sought")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--copies-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.copies_only:
        _copies(options.images)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = _write(root, options.rows)
        _reading(paths, options.repeats)
        _second_start(root)
    # In a process of its own, so that its memory is its own.
    subprocess.run([sys.executable, __file__, "--copies-only", "--images", str(options.images)], check=True)  # noqa: S603


def _write(root: Path, rows: int) -> list[Path]:
    images = Synthface(rows=rows).load(_FILE_SIDE, root).pool
    names = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
    lines = [["image", "label"]]
    for row, image in enumerate(images.images):
        Image.fromarray(image).save(root / f"{row}.jpg", quality=90)
        lines.append([f"{row}.jpg", names[images.labels[row]]])
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return [root / f"{row}.jpg" for row in range(rows)]


def _reading(paths: list[Path], repeats: int) -> None:
    def plain() -> None:
        images = np.empty((len(paths), _SIDE, _SIDE, 3), np.uint8)
        for row, path in enumerate(paths):
            with Image.open(path) as opened:
                images[row] = np.asarray(opened.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))

    pairs = [(_seconds(plain), _seconds(lambda: read_images(paths, _SIDE))) for _ in range(repeats)]
    loop, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"reading {len(paths)} JPEGs of {_FILE_SIDE} px at {_SIDE} px: {len(paths) / ours:,.0f} images/s")
    print(f"  plain Pillow loop: {len(paths) / loop:,.0f} images/s; ratio {ratio:.2f} (target: at least 1.5)")


def _second_start(root: Path) -> None:
    store, dataset = Store(root / "store"), Manifest(path="labels.csv")
    first = _seconds(lambda: load_through(store, dataset, _SIDE, root))
    second = _seconds(lambda: load_through(store, dataset, _SIDE, root))
    print(f"first start {first:.2f} s (with copies and split), second from the store {second:.2f} s (target: below 2)")


def _copies(count: int) -> None:
    """Copies among drawn faces, a tenth of which are saved again as JPEG."""
    drawn = Synthface(rows=count * 9 // 10).load(_SIDE, Path()).pool.images
    again = np.clip(drawn[: count - len(drawn)].astype(np.int16) + 2, 0, 255).astype(np.uint8)
    images = np.concatenate([drawn, again])
    del drawn
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    began = time.perf_counter()
    found = find_copies(images)
    seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    linked = found.near[: len(again)] == found.near[len(images) - len(again) :]
    others = len(images) - len(np.unique(found.near)) - int(linked.sum())
    print(
        f"copies among {len(images)} images: {seconds:.1f} s (target: below 60), peak {peak:.2f} GiB of which "
        f"{before:.2f} before (target: below 2); {linked.sum()} of {len(again)} copies made were found, "
        f"{others} other links"
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
