"""CK+48: the last three frames of each sequence of CK+, cut to faces of 48 px."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from fer_audit.data.class_folders import classed_images, named_folders
from fer_audit.data.images import refuse
from fer_audit.data.listed import RootedDataset
from fer_audit.data.listing import Listing

_SUBJECT = re.compile(r"S\d+")
_CLASSES = {
    "anger": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sadness": "sadness",
    "surprise": "surprise",
}


class CkPlus48(RootedDataset):
    """CK+48: 981 frames of 118 people in class folders, without neutral faces; split at random by subject.

    The three frames of a sequence are near copies of each other, so that a split by image would test on what was
    trained on.

    Source: Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPR workshops 2010; cut by others.
    """

    name = "ckplus48"

    def found(self, root: Path) -> Listing:
        """All frames, with the subject that their names tell."""
        listing = Listing.of(str(root), classed_images(root, root, "", named_folders(root, _CLASSES)))
        found = [_SUBJECT.search(Path(name).name) for name in listing.names]
        unnamed = [name for name, match in zip(listing.names, found, strict=True) if match is None]
        refuse(str(root), unnamed, "names that hold the subject, such as S010_004_00000017.png")
        return replace(listing, subjects=tuple(match[0] for match in found if match))
