"""Images in one folder a class."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from fer_audit.data.class_folders import classed_images, named_folders, subfolders
from fer_audit.data.images import refuse
from fer_audit.data.labels import class_name
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import SPLITS, Item, Listing
from fer_audit.errors import DataError, did_you_mean

#: YAML reads the name of a numbered folder as a number.
FolderName: TypeAlias = Annotated[str, BeforeValidator(str)]


class Folders(RootedDataset):
    """Images in `root/{train,test}/<class>/`, or in `root/<class>/` and split at random.

    A folder's name is the name of its class; `angry`, `Angry` and `anger` are one class. Numbered folders need
    `classes`. Classes are in the canonical order of the expressions, then contempt, then others by the alphabet.
    Subjects are unknown unless `subject_pattern` finds them in the paths. Files that are no images are passed over.

    Source: none, the layout is that of most image collections.
    """

    name = "folders"

    class Params(RootParameters):
        """Parameters of class folders."""

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

    def found(self, root: Path) -> Listing:
        """All images of all class folders."""
        split_folders = self._split_folders(root)
        found = [item for split, folder in split_folders or [("", root)] for item in self._images(root, folder, split)]
        self._check_classes(root, {item.label for item in found})
        listing = Listing.of(str(root), found)
        return replace(listing, subjects=self._subjects(root, listing.names))

    def _split_folders(self, root: Path) -> list[tuple[str, Path]]:
        """Each split and its folder; none where `root` holds the class folders themselves."""
        folders = {folder.name: folder for folder in subfolders(root)}
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

    def _images(self, root: Path, folder: Path, split: str) -> list[Item]:
        """The images of all class folders in `folder`; raises DataError."""
        if not self.params.classes:
            return classed_images(root, folder, split, named_folders(folder))
        unknown = [f"folder {path.name!r}" for path in subfolders(folder) if path.name not in self.params.classes]
        known = ", ".join(self.params.classes)
        refuse(str(folder), unknown, f"only folders that `classes` lists ({known}); null leaves a folder out")
        labels = {name: to and class_name(to) for name, to in self.params.classes.items()}
        return classed_images(root, folder, split, labels)

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
