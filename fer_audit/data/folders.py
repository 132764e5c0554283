"""Images in one folder a class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from fer_audit.data.dataset import Dataset, FaceData
from fer_audit.data.images import SUFFIXES, refuse
from fer_audit.data.labels import class_name, class_order
from fer_audit.data.listing import SPLITS, Listing
from fer_audit.data.splits import SplitParameters
from fer_audit.errors import DataError, did_you_mean

_NUMBERED = (
    "names of classes, as the order of numbers can't be guessed (1..7 is surprise first in RAF-DB, 0..6 neutral first "
    "in AffectNet, anger first in FER2013); say for instance `classes: {1: surprise, 2: fear, ...}`"
)

#: YAML reads the name of a numbered folder as a number.
FolderName: TypeAlias = Annotated[str, BeforeValidator(str)]


class Folders(Dataset):
    """Images in `root/{train,test}/<class>/`, or in `root/<class>/` and split at random.

    A folder's name is the name of its class; `angry`, `Angry` and `anger` are one class. Numbered folders need
    `classes`. Classes are in the canonical order of the expressions, then contempt, then others by the alphabet.
    Subjects are unknown unless `subject_pattern` finds them in the paths. Files that are no images are passed over.

    Source: none, the layout is that of most image collections.
    """

    name = "folders"

    class Params(SplitParameters):
        """Parameters of class folders."""

        root: str = Field(description="the folder that holds all others, relative to the folder of the grid")
        classes: dict[FolderName, str | None] = Field(
            default_factory=dict, description="folder -> class; null leaves a folder out; empty: folders name classes"
        )
        splits: dict[str, str] = Field(
            default_factory=dict, description="folder -> train, test or population; empty: folders name splits"
        )
        subject_pattern: re.Pattern[str] | None = Field(
            None, description="regular expression of the subject in a path, its first group where it has one"
        )

    params: Params

    def read(self, size: int, base: Path) -> FaceData:
        """Reads all images of all class folders."""
        listing = self._listing(base)
        if listing.splits is not None and self.params.population_fraction:
            raise DataError(
                f"{listing.source} has folders for its splits, so that nothing is left to split: expected "
                f"population_fraction 0, received {self.params.population_fraction}"
            )
        return listing.load(size, class_order(listing.labels), self.params)

    def sources(self, base: Path) -> list[Path]:
        """All images of all class folders."""
        return list(self._listing(base).paths)

    def _listing(self, base: Path) -> Listing:
        root = base / self.params.root
        if not root.is_dir():
            raise DataError(f"no folder {str(root)!r}: expected `root` relative to the folder of the grid")
        split_folders = self._split_folders(root)
        found = [
            image for split, folder in split_folders or [("", root)] for image in self._images(root, folder, split)
        ]
        self._check_classes(root, {image.label for image in found})
        names = tuple(image.path.relative_to(root).as_posix() for image in found)
        return Listing(
            source=str(root),
            names=names,
            paths=tuple(image.path for image in found),
            places=names,
            labels=tuple(image.label for image in found),
            splits=tuple(image.split for image in found) if split_folders else None,
            subjects=self._subjects(root, names),
        )

    def _split_folders(self, root: Path) -> list[tuple[str, Path]]:
        """Each split and its folder; none where `root` holds the class folders themselves."""
        folders = {folder.name: folder for folder in _folders(root)}
        wanted = self.params.splits or {name: name.lower() for name in folders if name.lower() in SPLITS}
        if not wanted:
            return []
        problems = [f"no folder {name!r}: {did_you_mean(name, folders)}" for name in wanted if name not in folders]
        problems += [f"split {to!r}: {did_you_mean(to, SPLITS)}" for to in wanted.values() if to not in SPLITS]
        problems += [f"no folder for {split}" for split in SPLITS[:2] if split not in wanted.values()]
        if not self.params.splits:
            problems += [f"folder {name!r} is no split" for name in folders if name not in wanted]
        refuse(str(root), problems, "folders `train` and `test`, or `splits`, such as `{train: train, valid: test}`")
        return [(split, folders[name]) for name, split in wanted.items()]

    def _images(self, root: Path, folder: Path, split: str) -> list[_Image]:
        """The images of all class folders in `folder`; raises DataError."""
        class_folders = _folders(folder)
        if not class_folders:
            raise DataError(f"{folder} has no class folders: expected folders such as `happiness` that hold images")
        labels = self._labels(folder, [found.name for found in class_folders])
        found, empty = [], []
        for class_folder in class_folders:
            label = labels[class_folder.name]
            if label is None:
                continue
            paths = _image_files(class_folder)
            found += [_Image(path, label, split) for path in paths]
            empty += [] if paths else [f"no images in {class_folder.relative_to(root).as_posix()!r}"]
        refuse(str(root), empty, "images in every class folder: " + ", ".join(sorted(SUFFIXES)))
        return found

    def _labels(self, folder: Path, names: list[str]) -> Mapping[str, str | None]:
        """Folder name -> label, or None where it is left out; raises DataError."""
        if self.params.classes:
            unknown = [f"folder {name!r}" for name in names if name not in self.params.classes]
            known = ", ".join(self.params.classes)
            refuse(str(folder), unknown, f"only folders that `classes` lists ({known}); null leaves a folder out")
            return {name: to and class_name(to) for name, to in self.params.classes.items()}
        refuse(str(folder), [f"folder {name!r}" for name in names if name.isdigit()], _NUMBERED)
        return {name: class_name(name) for name in names}

    def _check_classes(self, root: Path, found: set[str]) -> None:
        wanted = {to: name for name, to in self.params.classes.items() if to is not None}
        problems = [f"no folder {name!r}" for to, name in wanted.items() if class_name(to) not in found]
        refuse(str(root), problems, "images of every class in `classes`")
        if not found:
            raise DataError(f"{root} has no classes: expected at least one folder that `classes` doesn't leave out")

    def _subjects(self, root: Path, names: Iterable[str]) -> tuple[str, ...] | None:
        pattern = self.params.subject_pattern
        if pattern is None:
            return None
        matches = {name: pattern.search(name) for name in names}
        unmatched = [name for name, match in matches.items() if match is None]
        refuse(str(root), unmatched, f"paths in which `subject_pattern` {pattern.pattern!r} finds the subject")
        return tuple(match[1] if pattern.groups else match[0] for match in matches.values() if match)


@dataclass(frozen=True)
class _Image:
    path: Path
    label: str
    split: str


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _image_files(folder: Path) -> list[Path]:
    # macOS writes a hidden `._name.jpg` beside each file on foreign disks.
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
