"""SFEW 2.0: frames of films in class folders."""

from __future__ import annotations

from pathlib import Path

from fer_audit.data.class_folders import classed_images, named_folders, subfolders
from fer_audit.data.codes import FOLDERS
from fer_audit.data.listed import RootedDataset
from fer_audit.data.listing import Listing
from fer_audit.errors import DataError


class Sfew(RootedDataset):
    """SFEW 2.0: folders `Train` and `Val` (tested on) of class folders; `Test` has no labels and is left out.

    Folders may have longer names, such as `Train_Aligned_Faces`.

    Source: Dhall, Goecke, Lucey, Gedeon, "Static Facial Expression Analysis in Tough Conditions", ICCV workshops 2011.
    """

    name = "sfew"

    def found(self, root: Path) -> Listing:
        """All images of the two splits with labels."""
        train, val = (self._split(root, name) for name in ("train", "val"))
        items = [
            item
            for split, folder in (("train", train), ("test", val))
            for item in classed_images(root, folder, split, named_folders(folder, FOLDERS))
        ]
        return Listing.of(str(root), items)

    def _split(self, root: Path, name: str) -> Path:
        found = [folder for folder in subfolders(root) if folder.name.lower().startswith(name)]
        if len(found) != 1:
            received = ", ".join(folder.name for folder in subfolders(root)) or "no folders"
            raise DataError(f"{root} is no SFEW: expected one folder {name.title()}, received {received}")
        inside = subfolders(found[0])
        # The archives hold a folder of their own name.
        return inside[0] if len(inside) == 1 and inside[0].name.lower() not in FOLDERS else found[0]
