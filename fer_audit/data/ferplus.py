"""FERPlus: FER2013's faces with the votes of ten annotators."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.data.class_folders import file_named
from fer_audit.data.fer2013 import CSV_NAMES, PUBLIC_TEST, PublicTest, pixels_of, usage_splits
from fer_audit.data.images import refuse
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Listing
from fer_audit.data.text_tables import Row, csv_rows
from fer_audit.errors import DataError

_EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
_COLUMNS = (*_EMOTIONS, "unknown", "NF")


class FerPlus(RootedDataset):
    """FERPlus: the faces of FER2013 with new labels, by majority of ten annotators, and their votes.

    `root` holds `fer2013new.csv` and `fer2013.csv`, rows in the same order. Single votes are dropped; a row is kept
    where one expression then has more than half of the votes. Rows without a name are no faces.

    Source: Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition with
    Crowd-Sourced Label Distribution", ICMI 2016.
    """

    name = "ferplus"

    class Params(RootParameters):
        """Parameters of FERPlus."""

        public_test: PublicTest = Field("population", description=PUBLIC_TEST)
        expressions: Literal[7, 8] = Field(8, description="8 with contempt, 7 without")

    params: Params

    def found(self, root: Path) -> Listing:
        """The rows with a majority."""
        new, old = file_named(root, "fer2013new.csv", "ferplus/fer2013new.csv"), file_named(root, *CSV_NAMES)
        if new is None or old is None:
            missing = "fer2013new.csv (the votes)" if new is None else "fer2013.csv (the faces)"
            raise DataError(f"{root} is no FERPlus: expected fer2013new.csv and fer2013.csv, found no {missing}")
        voted, faces = csv_rows(new, ("Usage", "Image name", *_COLUMNS)), csv_rows(old, ("emotion", "pixels", "Usage"))
        _check_order(new, voted, faces)
        votes = _votes(new, voted)
        winner = majority(votes)
        named = np.array([bool(row.values["Image name"]) for row in voted])
        splits = usage_splits(old, faces, self.params.public_test) or ()
        wanted = (
            named & (winner >= 0) & (winner < self.params.expressions) & np.array([bool(split) for split in splits])
        )
        kept = np.flatnonzero(wanted)
        if not len(kept):
            raise DataError(f"{new} has no row with a majority: expected votes in {', '.join(_COLUMNS)}")
        chosen = [faces[row] for row in kept]
        return Listing(
            source=str(new),
            names=tuple(voted[row].values["Image name"] for row in kept),
            places=tuple(voted[row].place for row in kept),
            labels=tuple(_EMOTIONS[winner[row]] for row in kept),
            pixels=pixels_of(old, chosen),
            splits=tuple(splits[row] for row in kept),
            votes={name: votes[kept, column].astype(np.float64) for column, name in enumerate(_EMOTIONS)},
            documents=(new, old),
            remarks=self._remarks(named, winner),
        )

    def _remarks(self, named: npt.NDArray[np.bool_], winner: npt.NDArray[np.int64]) -> tuple[str, ...]:
        contempt = int((named & (winner == 7)).sum()) if self.params.expressions == 7 else 0
        told = [
            (int((~named).sum()), "rows are no faces (no name)"),
            (int((named & (winner < 0)).sum()), "rows have no majority for an expression"),
            (contempt, "rows of contempt"),
        ]
        return tuple(f"{count} {what}; left out" for count, what in told if count)


def majority(votes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The column that wins each row of `votes` (N, 10), or -1: the majority rule of the FERPlus paper.

    Single votes are dropped; the winner needs more than half of the rest, and must be an expression.
    """
    counted = np.where(votes > 1, votes, 0)
    best = counted.argmax(axis=1)
    wins = 2 * counted.max(axis=1) > counted.sum(axis=1)
    return np.where(wins & (best < len(_EMOTIONS)), best, -1).astype(np.int64)


def _votes(path: Path, rows: list[Row]) -> npt.NDArray[np.int64]:
    bad = [row.place for row in rows if not all(row.values[name].isdigit() for name in _COLUMNS)]
    refuse(str(path), bad, "whole numbers of votes in " + ", ".join(_COLUMNS))
    return np.array([[int(row.values[name]) for name in _COLUMNS] for row in rows], np.int64).reshape(-1, len(_COLUMNS))


def _check_order(path: Path, voted: list[Row], faces: list[Row]) -> None:
    """Raises DataError where the two files can't be in the same order."""
    if len(voted) != len(faces):
        raise DataError(f"{path} has {len(voted)} rows, but the csv of the faces {len(faces)}: expected the same rows")
    other = [new.place for new, old in zip(voted, faces, strict=True) if new.values["Usage"] != old.values["Usage"]]
    refuse(str(path), other, "rows in the order of the csv of the faces, with the same Usage")
