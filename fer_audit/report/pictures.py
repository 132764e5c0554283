"""The pictures of the page, read from files beside the results and put into it as data URIs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from fer_audit.results import ImageSheet, Results

#: First bytes of the formats that may be shown; SVG is not among them, as it can hold scripts.
_FORMATS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


@dataclass(frozen=True)
class Picture:
    """A sheet with its pixels, or with what is wrong with its file."""

    sheet: ImageSheet
    source: str = ""  #: data URI
    problem: str = ""


def pictures(results: Results, folder: Path) -> list[Picture]:
    """The sheets of the results; none where real people would be shown without the grid's consent."""
    if not (results.dataset.drawn or results.include_images):
        return []
    return [picture_of(sheet, folder) for sheet in results.sheets]


def picture_of(sheet: ImageSheet, folder: Path) -> Picture:
    """The sheet with the pixels of its file in `folder`."""
    path = (folder / sheet.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        return Picture(sheet, problem=f"{sheet.file} is not in the folder of the results")
    try:
        content = path.read_bytes()
    except OSError as error:
        return Picture(sheet, problem=f"{sheet.file} can't be read: {error.strerror}")
    kind = next((kind for start, kind in _FORMATS if content.startswith(start)), None)
    if kind is None:
        return Picture(sheet, problem=f"{sheet.file} is neither PNG nor JPEG")
    return Picture(sheet, source=f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}")
