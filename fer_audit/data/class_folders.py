"""Folders of images, one folder a class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fer_audit.data.images import SUFFIXES, refuse
from fer_audit.data.labels import class_name
from fer_audit.data.listing import Item
from fer_audit.errors import DataError

NUMBERED = (
    "names of classes, as the order of numbers can't be guessed (1..7 is surprise first in RAF-DB, 0..6 neutral first "
    "in AffectNet, anger first in FER2013); say for instance `classes: {1: surprise, 2: fear, ...}`"
)


def subfolders(root: Path) -> list[Path]:
    """The folders in `root` by name, without hidden ones."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def image_files(folder: Path) -> list[Path]:
    """The images at any depth of `folder`, by path."""
    # macOS writes a hidden `._name.jpg` beside each file on foreign disks.
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def folder_named(root: Path, *names: str) -> Path | None:
    """The first folder in `root` that has one of `names`, in any case."""
    known = {path.name.lower(): path for path in subfolders(root)}
    return next((known[name.lower()] for name in names if name.lower() in known), None)


def file_named(root: Path, *names: str) -> Path | None:
    """The first file of one of `names` (relative, with forward slashes) below `root`."""
    return next((root / name for name in names if (root / name).is_file()), None)


def classed_images(root: Path, folder: Path, split: str, labels: Mapping[str, str | None]) -> list[Item]:
    """The images of the class folders in `folder`, named relative to `root`; raises DataError where one has none.

    `labels` maps each folder's name to its class; None leaves it out.
    """
    found, empty = [], []
    for class_folder in subfolders(folder):
        label = labels[class_folder.name]
        if label is None:
            continue
        paths = image_files(class_folder)
        found += [Item(path.relative_to(root).as_posix(), path, label, split) for path in paths]
        empty += [] if paths else [f"no images in {class_folder.relative_to(root).as_posix()!r}"]
    refuse(str(root), empty, "images in every class folder: " + ", ".join(sorted(SUFFIXES)))
    return found


def named_folders(folder: Path, known: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Folder name -> class of the class folders in `folder`, whose names are names of classes; raises DataError.

    With `known`, the class of each name in lower case, any other name is an error.
    """
    names = [found.name for found in subfolders(folder)]
    if not names:
        raise DataError(f"{folder} has no class folders: expected folders such as `happiness` that hold images")
    refuse(str(folder), [f"folder {name!r}" for name in names if name.isdigit()], NUMBERED)
    if known is None:
        return {name: class_name(name) for name in names}
    strange = [f"folder {name!r}" for name in names if name.lower() not in known]
    refuse(str(folder), strange, "only folders of classes: " + ", ".join(known))
    return {name: known[name.lower()] for name in names}
