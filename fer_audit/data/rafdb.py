"""RAF-DB, as its authors give it out and as others have rearranged it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from fer_audit.data.class_folders import classed_images, file_named, folder_named, named_folders, subfolders
from fer_audit.data.codes import AFFECT_NET, RAF_DB, code_of
from fer_audit.data.images import refuse
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Item, Listing
from fer_audit.data.text_tables import csv_rows, spaced_lines
from fer_audit.errors import DataError

#: The authors misspelt the name; others mended it.
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_VOTES = ("distribution_basic.txt", "distribution.txt")
_GENDER = ("male", "female", "unsure")
_RACE = ("Caucasian", "African-American", "Asian")
_AGE = ("0-3", "4-19", "20-39", "40-69", "70+")
_LANDMARKS = 5
_STEM = re.compile(r"(train|test)_\d+", re.IGNORECASE)

#: Rows of each split in the order of the codes, to notice labels in a wrong order.
_PUBLISHED = {
    "train": (1290, 281, 717, 4772, 1982, 705, 2524),
    "test": (329, 74, 160, 1185, 478, 162, 680),
}

#: Codes of numbered folders, by the value of the parameter `codes`.
_CODES: Mapping[str, Mapping[int, str]] = {
    "rafdb": RAF_DB,
    "rafdb-from-0": {code - 1: name for code, name in RAF_DB.items()},
    "affectnet": {code: name for code, name in AFFECT_NET.items() if name != "contempt"},
}


class RafDb(RootedDataset):
    """RAF-DB, the basic (single-label) subset: 12,271 train and 3,068 test faces of seven expressions.

    Recognised below `root`: the authors' `EmoLabel/list_patition_label.txt` with `Image/aligned` or `Image/original`
    (also flat), gender, race and age from `Annotation/manual`, votes from `EmoLabel/distribution_basic.txt`; the Kaggle
    copy with `train_labels.csv` and `test_labels.csv`; folders `train/1..7` and `test` or `valid`. Folders that count
    from 0 need `codes`. Where a split is complete, its class counts must be the published ones.

    Source: Li, Deng, Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in
    the Wild", CVPR 2017.
    """

    name = "rafdb"

    class Params(RootParameters):
        """Parameters of RAF-DB."""

        images: Literal["aligned", "original"] = Field("aligned", description="which images of the authors' layout")
        codes: Literal["rafdb", "rafdb-from-0", "affectnet"] | None = Field(
            None,
            description="what numbered folders stand for: RAF-DB's 1..7, the same from 0, or AffectNet's 0..6; null: "
            "1..7 is RAF-DB's, 0..6 an error",
        )

    params: Params

    def found(self, root: Path) -> Listing:
        """All images of either split."""
        for place in (root, *(found for name in ("basic", "DATASET") if (found := folder_named(root, name)))):
            listing = self._authors(place) or self._kaggle(place) or self._folders(place)
            if listing is not None:
                _check_counts(listing)
                return listing
        raise DataError(
            f"{root} is no RAF-DB: expected EmoLabel/list_patition_label.txt with Image/aligned, or train_labels.csv "
            f"with train/, or folders train/1 .. train/7 with test/ or valid/; received {_content(root)}"
        )

    def _authors(self, root: Path) -> Listing | None:
        path = file_named(root, *(f"{folder}{name}" for folder in ("EmoLabel/", "") for name in _LISTS))
        if path is None:
            return None
        images = self._image_folder(root)
        manual = root / "Annotation" / "manual"
        annotations = manual if manual.is_dir() else None
        items, documents = [], [path]
        for place, (file, code) in spaced_lines(path, values=2):
            stem = Path(file).stem
            attributes: dict[str, str] = {}
            if annotations is not None:
                described = annotations / f"{stem}_manu_attri.txt"
                attributes = _attributes(described)
                documents += [described] if attributes else []
            found = _aligned_or_not(images, file)
            items.append(Item(file, found, code_of(code, RAF_DB, place), _split(file, place), "", place, attributes))
        listing = Listing.of(str(path), items, documents=documents)
        votes = file_named(path.parent, *_VOTES)
        return listing if votes is None else _with_votes(listing, votes)

    def _image_folder(self, root: Path) -> Path:
        wanted = self.params.images
        places = [root / "Image" / wanted, root / wanted, root / "Image", root]
        return next(place for place in places if place.is_dir())

    def _kaggle(self, root: Path) -> Listing | None:
        items, documents = [], []
        for split in ("train", "test"):
            # The csv files lie beside the folder DATASET, or in it.
            place = next((p for p in (root, root.parent) if (p / f"{split}_labels.csv").is_file()), None)
            folder = root / split
            if place is None or not folder.is_dir():
                return None
            path = place / f"{split}_labels.csv"
            documents.append(path)
            for row in csv_rows(path, ("image", "label")):
                file, code = row.values["image"], row.values["label"]
                label = code_of(code, RAF_DB, row.place)
                in_class = folder / code / file
                found = in_class if in_class.is_file() else folder / file
                items.append(Item(found.relative_to(root).as_posix(), found, label, split, "", row.place))
        return Listing.of(str(root), items, documents=documents)

    def _folders(self, root: Path) -> Listing | None:
        train, test = folder_named(root, "train", "train_set"), folder_named(root, "test", "valid", "val", "val_set")
        if train is None or test is None or not subfolders(train) or not subfolders(test):
            return None
        items = [
            item
            for split, folder in (("train", train), ("test", test))
            for item in classed_images(root, folder, split, self._labels(folder))
        ]
        return Listing.of(str(root), items)

    def _labels(self, folder: Path) -> dict[str, str | None]:
        names = [found.name for found in subfolders(folder)]
        if not all(name.isdigit() for name in names):
            return named_folders(folder)
        if self.params.codes is None and "0" in names:
            raise DataError(
                f"{folder} has folders {', '.join(names)}, whose order can't be guessed: set `codes: affectnet` (0 "
                f"neutral, 1 happiness, 2 sadness, ...) or `codes: rafdb-from-0` (0 surprise, 1 fear, 2 disgust, ...)"
            )
        table = _CODES[self.params.codes or "rafdb"]
        return {name: code_of(name, table, f"{folder}, folder {name!r}") for name in names}


def _content(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "an empty folder"


def _split(file: str, place: str) -> str:
    found = _STEM.match(file)
    if found is None:
        raise DataError(f"{place}: expected a name such as train_00001.jpg or test_0001.jpg, received {file!r}")
    return found[1].lower()


def _aligned_or_not(folder: Path, file: str) -> Path:
    """The image of `file` in `folder`, whose name may have got the suffix `_aligned`."""
    path = Path(file)
    aligned = folder / f"{path.stem}_aligned{path.suffix}"
    return aligned if aligned.is_file() else folder / file


def _attributes(path: Path) -> dict[str, str]:
    """Gender, race and age group in the annotation at `path`; empty where there is none; raises DataError."""
    if not path.is_file():
        return {}
    lines = list(spaced_lines(path))[_LANDMARKS:]
    known = {"gender": _GENDER, "race": _RACE, "age": _AGE}
    values: dict[str, str] = {}
    for (key, names), (place, found) in zip(known.items(), lines, strict=False):
        if len(found) != 1 or not found[0].isdigit() or int(found[0]) >= len(names):
            raise DataError(f"{place}: expected {key} as a number 0..{len(names) - 1}, received {' '.join(found)!r}")
        values[key] = names[int(found[0])]
    if len(values) < len(known):
        raise DataError(f"{path}: expected five landmarks, then gender, race and age, one a line")
    return values


def _with_votes(listing: Listing, path: Path) -> Listing:
    """`listing` with the share of votes for each code, one line an image: its name and seven numbers."""
    votes = {}
    for place, (file, *shares) in spaced_lines(path, values=1 + len(RAF_DB)):
        try:
            votes[file] = [float(share) for share in shares]
        except ValueError:
            raise DataError(f"{place}: expected a name and {len(RAF_DB)} numbers, received {shares}") from None
    absent = [f"no line for {name}" for name in listing.names if name not in votes]
    refuse(str(path), absent, "one line for every image")
    table = np.array([votes[name] for name in listing.names])
    columns = {name: table[:, column] for column, name in enumerate(RAF_DB.values())}
    return replace(listing, votes=columns, documents=(*listing.documents, path))


def _check_counts(listing: Listing) -> None:
    """Raises DataError where a complete split has the published counts of other classes: its labels are misread."""
    for split, published in _PUBLISHED.items():
        rows = [label for label, part in zip(listing.labels, _splits(listing), strict=True) if part == split]
        counts = Counter(rows)
        received = tuple(counts[name] for name in RAF_DB.values())
        if len(rows) == sum(published) and received != published:
            wanted = ", ".join(f"{name} {count}" for name, count in zip(RAF_DB.values(), published, strict=True))
            got = ", ".join(f"{name} {count}" for name, count in zip(RAF_DB.values(), received, strict=True))
            raise DataError(
                f"{listing.source}: the {split} split has RAF-DB's {len(rows)} rows but not its classes, so the labels "
                f"are probably in another order (see `codes`): expected {wanted}; received {got}"
            )


def _splits(listing: Listing) -> Iterator[str] | Sequence[str]:
    return listing.splits or ()
