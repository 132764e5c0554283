"""JAFFE: ten women, seven expressions, and labels in the names of the files."""

from __future__ import annotations

import re
from pathlib import Path

from fer_audit.data.class_folders import image_files
from fer_audit.data.codes import JAFFE
from fer_audit.data.images import refuse
from fer_audit.data.listed import RootedDataset
from fer_audit.data.listing import Item, Listing

_NAME = re.compile(r"([A-Z]{2})[.-]([A-Z]{2})\d+[.-]\d+$")


class Jaffe(RootedDataset):
    """JAFFE: 213 images of ten people, split at random by subject; `KA.AN1.39.tiff` is subject, expression, number.

    Source: Lyons, Akamatsu, Kamachi, Gyoba, "Coding Facial Expressions with Gabor Wavelets", FG 1998.
    """

    name = "jaffe"

    def found(self, root: Path) -> Listing:
        """All images below `root`."""
        paths = image_files(root)
        found = [_NAME.match(path.stem) for path in paths]
        strange = [
            path.relative_to(root).as_posix()
            for path, match in zip(paths, found, strict=True)
            if match is None or match[2] not in JAFFE
        ]
        refuse(str(root), strange, f"names such as KA.AN1.39.tiff, with an expression of {', '.join(JAFFE)}")
        items = [
            Item(path.relative_to(root).as_posix(), path, JAFFE[match[2]], subject=match[1])
            for path, match in zip(paths, found, strict=True)
            if match
        ]
        return Listing.of(str(root), items)
