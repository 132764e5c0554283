"""AffectNet: a file of annotations for each image, or two csv files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from fer_audit.data.class_folders import file_named, folder_named, image_files
from fer_audit.data.codes import AFFECT_NET
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Item, Listing
from fer_audit.data.text_tables import csv_header, csv_rows
from fer_audit.errors import DataError

_NO_EXPRESSION = {8: "none", 9: "uncertain", 10: "no face"}
_SPLITS = (("train", "train_set", "training.csv"), ("test", "val_set", "validation.csv"))
_HEADER = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_IMAGE_FOLDERS = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "images", ".")

Coded = tuple[Item, int]  #: an image, its label still empty, and its code


class AffectNet(RootedDataset):
    """AffectNet's manually annotated images; its validation set is tested on.

    Recognised below `root`: `train_set/images` with `train_set/annotations/*_exp.npy` and likewise `val_set`, or
    `training.csv` and `validation.csv` with the images below `root` or `Manually_Annotated_Images`. Images without an
    expression (none, uncertain, no face) are left out and counted.

    Source: Mollahosseini, Hasani, Mahoor, "AffectNet: A Database for Facial Expression, Valence, and Arousal Computing
    in the Wild", 2017.
    """

    name = "affectnet"

    class Params(RootParameters):
        """Parameters of AffectNet."""

        expressions: Literal[7, 8] = Field(8, description="8 with contempt, 7 without")

    params: Params

    def found(self, root: Path) -> Listing:
        """All images of an expression."""
        if folder_named(root, "train_set") is not None:
            coded, documents = self._new(root)
        elif file_named(root, "training.csv") is not None:
            coded, documents = self._old(root)
        else:
            raise DataError(
                f"{root} is no AffectNet: expected train_set/ and val_set/ with images/ and annotations/, or "
                f"training.csv and validation.csv"
            )
        items, left_out = [], Counter[str]()
        for item, code in coded:
            if code < self.params.expressions:
                items.append(Item(item.name, item.path, AFFECT_NET[code], item.split, "", item.place))
            else:
                left_out[_NO_EXPRESSION.get(code, AFFECT_NET.get(code, ""))] += 1
        remarks = [f"{count} images of {name!r}; left out" for name, count in sorted(left_out.items())]
        return Listing.of(str(root), items, documents=documents, remarks=remarks)

    def _new(self, root: Path) -> tuple[list[Coded], list[Path]]:
        coded: list[Coded] = []
        documents = []
        for split, name, _ in _SPLITS:
            folder = root / name
            if not (folder / "images").is_dir():
                raise DataError(f"no folder {str(folder / 'images')!r}: expected train_set and val_set with images/")
            for path in image_files(folder / "images"):
                annotation = folder / "annotations" / f"{path.stem}_exp.npy"
                documents.append(annotation)
                coded.append((Item(path.relative_to(root).as_posix(), path, "", split), _saved_code(annotation)))
        return coded, documents

    def _old(self, root: Path) -> tuple[list[Coded], list[Path]]:
        paths = [root / file for _, _, file in _SPLITS]
        images = next((root / name for name in _IMAGE_FOLDERS if (root / name).is_dir()), root)
        coded = [each for (split, _, file) in _SPLITS for each in _csv_items(root / file, images, split)]
        return coded, paths


def _csv_items(path: Path, images: Path, split: str) -> Iterator[Coded]:
    # Some copies of validation.csv have lost their header.
    headless = "expression" not in csv_header(path)
    for row in csv_rows(path, ("subDirectory_filePath", "expression"), _HEADER if headless else None):
        file = row.values["subDirectory_filePath"]
        code = _code(row.values["expression"], row.place)
        yield Item(file, images / file, "", split, "", row.place), code


def _saved_code(path: Path) -> int:
    """The code in the array file at `path`, which holds one number or one text; raises DataError."""
    try:
        value = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"can't read {str(path)!r}: expected an .npy file with one label code. {error}") from None
    if value.size != 1:
        raise DataError(f"{path}: expected one label code, received an array of shape {value.shape}")
    return _code(str(value.reshape(-1)[0]), str(path))


def _code(text: str, place: str) -> int:
    last = max(_NO_EXPRESSION)
    if not text.strip().isdigit() or int(text) > last:
        raise DataError(f"{place}: expected a label code of 0..{last}, received {text!r}")
    return int(text)
