"""ExpW: photographs with the boxes of the faces in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from fer_audit.data.class_folders import file_named
from fer_audit.data.codes import FER_2013, code_of
from fer_audit.data.images import Box
from fer_audit.data.listed import RootedDataset, RootParameters
from fer_audit.data.listing import Item, Listing
from fer_audit.data.text_tables import spaced_lines
from fer_audit.errors import DataError

_VALUES = 8


class ExpW(RootedDataset):
    """ExpW: 91,793 faces, cut out of their photographs by the boxes of `label/label.lst`; split at random.

    Faces of one photograph stay on one side of the split, as if they were one subject; who they are isn't known.

    Source: Zhang, Luo, Loy, Tang, "From Facial Expression Recognition to Interpersonal Relation Prediction", 2018.
    """

    name = "expw"

    class Params(RootParameters):
        """Parameters of ExpW."""

        least_confidence: float = Field(0.0, ge=0, le=100, description="of a face's box, 0..100; others are left out")
        margin: float = Field(0.0, ge=0, le=1, description="of the photograph around a box, as a share of its side")

    params: Params

    def found(self, root: Path) -> Listing:
        """All faces whose box is certain enough."""
        path = file_named(root, "label/label.lst", "label.lst")
        if path is None:
            raise DataError(f"{root} is no ExpW: expected label/label.lst and image/origin/*.jpg")
        images = next((root / name for name in ("image/origin", "origin", "image") if (root / name).is_dir()), root)
        items: list[Item] = []
        boxes: list[Box] = []
        unsure = 0
        for place, (file, face, top, left, right, bottom, confidence, code) in spaced_lines(path, values=_VALUES):
            try:
                box, sure = (int(left), int(top), int(right), int(bottom)), float(confidence)
            except ValueError:
                raise DataError(
                    f"{place}: expected name, face, top, left, right, bottom, confidence and expression as numbers"
                ) from None
            label = code_of(code, FER_2013, place)
            if sure < self.params.least_confidence:
                unsure += 1
                continue
            items.append(Item(f"{file}#{face}", images / file, label, subject=file, place=place))
            boxes.append(self._with_margin(box))
        remarks = [f"{unsure} faces below least_confidence; left out"] if unsure else []
        return replace(Listing.of(str(path), items, documents=[path], remarks=remarks), boxes=tuple(boxes))

    def _with_margin(self, box: Box) -> Box:
        left, top, right, bottom = box
        across, down = round(self.params.margin * (right - left)), round(self.params.margin * (bottom - top))
        return left - across, top - down, right + across, bottom + down
