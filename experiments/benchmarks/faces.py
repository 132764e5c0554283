"""How many faces the detectors find on real photographs, and how well their eyes are put in place.

    python experiments/benchmarks/faces.py [--rows N] [--workers 2]

The photographs are those of $FER_AUDIT_TEST_DATA, or of ../shared/data. Alignment is judged by detecting the eyes again
in the output: by the same detector, and by another one that had no part in it.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path
from typing import cast

import numpy as np

from fer_audit.data.faces.align import eye_places
from fer_audit.data.faces.detection import DetectorName
from fer_audit.data.faces.prepare import Prepared, Settings, prepare
from fer_audit.data.listing import Listing
from fer_audit.data.manifest import Manifest

_SIZE, _MARGIN = 112, 0.25
_NEAR = 0.10  #: of the output's side


def main() -> None:
    """Prints what either detector finds, and how well its eyes are put in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, help="photographs, evenly spread (default: all)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    data = Path(os.environ.get("FER_AUDIT_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    listing = Manifest(path="labels.csv").listing(data / "faces_in_the_wild")
    if options.rows:
        listing = listing.take(np.linspace(0, len(listing) - 1, options.rows).astype(np.int64))
    with tempfile.TemporaryDirectory() as folder:
        for detector in ("mtcnn", "haar"):
            _measure(listing, detector, Path(folder), options.workers)


def _measure(listing: Listing, detector: DetectorName, folder: Path, workers: int) -> None:
    out = folder / detector
    began = time.perf_counter()
    outcome = _prepared(listing, out, detector, workers)
    seconds = time.perf_counter() - began
    share = sum(outcome.found.values()) / outcome.total
    target = " (target: at least 95 %)" if detector == "mtcnn" else ""
    print(f"{detector}: {share:.1%} of {outcome.total} faces found{target}, {outcome.total / seconds:.1f} images/s")
    made = Manifest(path="manifest.csv").listing(out)
    found = np.array([row for row, face in enumerate(made.attributes["face"]) if face == "found"], np.int64)
    if detector == "haar":
        eyes = [line["eyes"] for line in csv.DictReader((out / "faces.csv").open(encoding="utf-8")) if line["eyes"]]
        print(f"  eyes found in {eyes.count('found') / len(eyes):.1%} of the faces, guessed from the box in the others")
    for judge in ("mtcnn", "haar"):
        again = folder / f"{detector}-{judge}"
        _prepared(made.take(found), again, judge, workers)
        judged, near = _in_place(again / "faces.csv")
        goal = " (target: at least 90 % of found faces)" if judge == "mtcnn" else ""
        print(
            f"  judged by {judge}: both eyes within {_NEAR:.0%} of the side in {near / max(1, judged):.1%} of {judged} "
            f"faces whose eyes it found, {near / len(found):.1%} of all {len(found)} found{goal}"
        )


def _prepared(listing: Listing, out: Path, detector: DetectorName, workers: int) -> Prepared:
    settings = Settings(detector, _SIZE, _MARGIN)
    *_, outcome = prepare(listing, out, settings, "keep", workers=workers)
    return cast("Prepared", outcome)


def _in_place(path: Path) -> tuple[int, int]:
    """Faces whose eyes were found again, and those of them with both eyes in place."""
    wanted = np.array(eye_places(_SIZE, _MARGIN))
    judged = near = 0
    with path.open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["eyes"] != "found":
                continue
            eyes = np.array([[float(line[f"{side}_eye_{axis}"]) for axis in "xy"] for side in ("left", "right")])
            judged += 1
            near += bool((np.linalg.norm(eyes - wanted, axis=1) <= _NEAR * _SIZE).all())
    return judged, near


if __name__ == "__main__":
    main()
