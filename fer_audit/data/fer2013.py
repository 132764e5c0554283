"""FER2013: the csv, the competition's csv, and folders."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.data.class_folders import classed_images, file_named, folder_named, named_folders
from fer_audit.data.codes import FER_2013, FOLDERS, code_of
from fer_audit.data.images import refuse
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Listing
from fer_audit.data.progress import tracked
from fer_audit.data.text_tables import Row, csv_rows
from fer_audit.errors import DataError

SIDE = 48  #: px of every face
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv", "fer2013/icml_face_data.csv")

PublicTest = Literal["population", "test", "train", "leave-out"]
PUBLIC_TEST = "use of PublicTest, the competition's validation rows; nothing is tuned here"


class Fer2013(RootedDataset):
    """FER2013: 35,887 grey faces of 48 px, found by an image search engine.

    Recognised below `root`: `fer2013.csv` or `icml_face_data.csv` (Training is trained on, PrivateTest tested on,
    PublicTest the population), the competition's `train.csv` (split at random, as it names no split), and folders
    `train/angry`, ... with `test/`. 568 test images are copies of Training images: see `deduplicate`.

    Source: Goodfellow et al., "Challenges in Representation Learning: A Report on Three Machine Learning Contests",
    2013.
    """

    name = "fer2013"

    class Params(RootParameters):
        """Parameters of FER2013."""

        public_test: PublicTest = Field("population", description=PUBLIC_TEST)

    params: Params

    def found(self, root: Path) -> Listing:
        """All rows of the csv, or all images of the folders."""
        path = file_named(root, *CSV_NAMES)
        if path is not None:
            return csv_listing(path, csv_rows(path, ("emotion", "pixels", "Usage")), self.params.public_test)
        train, test = folder_named(root, "train"), folder_named(root, "test")
        if train is not None and test is not None:
            items = [
                item
                for split, folder in (("train", train), ("test", test))
                for item in classed_images(root, folder, split, named_folders(folder, FOLDERS))
            ]
            return Listing.of(str(root), items)
        path = file_named(root, "train.csv")
        if path is not None:
            return csv_listing(path, csv_rows(path, ("emotion", "pixels")), self.params.public_test)
        raise DataError(
            f"{root} is no FER2013: expected fer2013.csv, icml_face_data.csv, train.csv, or folders train/ and test/ "
            f"with angry, disgust, fear, happy, neutral, sad and surprise"
        )


def csv_listing(path: Path, rows: list[Row], public_test: str) -> Listing:
    """The faces in `rows` of the csv at `path`; raises DataError."""
    labels = [code_of(row.values["emotion"], FER_2013, row.place) for row in rows]
    splits = usage_splits(path, rows, public_test)
    listing = Listing(
        source=str(path),
        names=tuple(f"{row.values.get('Usage', 'row')}/{number:05d}" for number, row in enumerate(rows)),
        places=tuple(row.place for row in rows),
        labels=tuple(labels),
        pixels=pixels_of(path, rows),
        splits=splits,
        documents=(path,),
    )
    kept = np.array([row for row, split in enumerate(splits or ["train"] * len(rows)) if split], np.int64)
    return listing if len(kept) == len(rows) else listing.take(kept)


def usage_splits(path: Path, rows: list[Row], public_test: str) -> tuple[str, ...] | None:
    """The split of each row, empty where it is left out; None where the csv has no usage; raises DataError."""
    if not rows:
        raise DataError(f"{path} has no rows: expected one face a line below the header")
    if "Usage" not in rows[0].values:
        return None
    known = {"Training": "train", "PublicTest": public_test.replace("leave-out", ""), "PrivateTest": "test"}
    strange = [f"{row.place}: {row.values['Usage']!r}" for row in rows if row.values["Usage"] not in known]
    refuse(str(path), strange, "a usage of Training, PublicTest or PrivateTest")
    return tuple(known[row.values["Usage"]] for row in rows)


def pixels_of(path: Path, rows: list[Row]) -> npt.NDArray[np.uint8]:
    """Grey faces (N, 48, 48) of the column `pixels`; raises DataError naming each broken line."""
    faces, problems = np.empty((len(rows), SIDE * SIDE), np.uint8), []
    for number, row in enumerate(tracked(rows, len(rows), "reading pixels", 2000)):
        values = _numbers(row.values["pixels"])
        if values is None or len(values) != SIDE * SIDE or not 0 <= values.min() <= values.max() <= 255:
            problems.append(f"{row.place}: {'no numbers' if values is None else f'{len(values)} numbers'}")
        else:
            faces[number] = values
    refuse(str(path), problems, f"{SIDE * SIDE} whole numbers of 0..255 in `pixels`", shown=len(problems))
    return faces.reshape(-1, SIDE, SIDE)


def _numbers(text: str) -> npt.NDArray[np.int64] | None:
    with warnings.catch_warnings():
        # NumPy only warns where the text stops being numbers.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, np.int64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
