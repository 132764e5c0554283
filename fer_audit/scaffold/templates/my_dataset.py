"""A folder of faces whose names say who is on them, and with which expression."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field

from fer_audit.data.class_folders import image_files
from fer_audit.data.dataset import EXPRESSIONS
from fer_audit.data.images import refuse
from fer_audit.data.labels import class_name
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Item, Listing

_NAME = re.compile(r"([^_]+)_([^_]+)_.+")


class MyDataset(RootedDataset):
    """Images such as `anna_happiness_1.png`: person, expression and anything; split at random by person.

    Source: your own images; cite here whoever made them.
    """

    name = "my-dataset"

    class Params(RootParameters):
        """The folder, how it is split, and what is done about images that can't be read."""

        root: str = Field("my_faces", description="the folder of the images, relative to the folder of the grid")

    params: Params

    def found(self, root: Path) -> Listing:
        """All images below `root`; raises DataError with those whose names are of another form."""
        items, strange = [], []
        for path in image_files(root):
            name, match = path.relative_to(root).as_posix(), _NAME.fullmatch(path.stem)
            if match and class_name(match[2]) in EXPRESSIONS:
                items.append(Item(name, path, class_name(match[2]), subject=match[1]))
            else:
                strange.append(name)
        refuse(str(root), strange, f"names such as anna_happiness_1.png, with one of {', '.join(EXPRESSIONS)}")
        return Listing.of(str(root), items)

    @classmethod
    def example(cls, folder: Path) -> dict[str, Any]:
        """Writes noise in place of faces into `folder`, for the checks; returns the parameters that read it."""
        rng = np.random.default_rng(0)
        for person in ("anna", "ben", "carla", "david", "eva", "felix", "greta", "hugo"):
            for expression in EXPRESSIONS:
                pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{person}_{expression}_1.png")
        return {"root": "."}
