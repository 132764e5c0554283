"""MMAFEDB: FER2013-like folders with a third split."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from fer_audit.data.class_folders import classed_images, folder_named, named_folders
from fer_audit.data.codes import FOLDERS
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Listing
from fer_audit.errors import DataError


class MmaFeDb(RootedDataset):
    """MMAFEDB: folders `train`, `valid` and `test` with the class names of FER2013.

    Source: the MMA Facial Expression dataset of its Kaggle page; no paper.
    """

    name = "mmafedb"

    class Params(RootParameters):
        """Parameters of MMAFEDB."""

        valid: Literal["population", "test", "train", "leave-out"] = Field(
            "population", description="use of the folder `valid`; nothing is tuned here"
        )

    params: Params

    def found(self, root: Path) -> Listing:
        """All images of the splits."""
        root = folder_named(root, "MMAFEDB") or root
        uses = {"train": "train", "valid": self.params.valid, "test": "test"}
        folders = {name: folder_named(root, name) for name in uses}
        missing = [name for name in ("train", "test") if folders[name] is None]
        if missing:
            raise DataError(f"{root} is no MMAFEDB: expected folders train, valid and test, found no {missing[0]!r}")
        items = [
            item
            for name, folder in folders.items()
            if folder is not None and uses[name] != "leave-out"
            for item in classed_images(root, folder, uses[name], named_folders(folder, FOLDERS))
        ]
        return Listing.of(str(root), items)
