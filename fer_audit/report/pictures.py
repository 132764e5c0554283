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


def shown(results: Results) -> bool:
    """Whether pictures may be shown: of drawn faces always, of real people with the grid's consent alone."""
    return results.dataset.drawn or results.include_images


def pictures(results: Results, folder: Path) -> list[Picture]:
    """The sheets of the results, as far as they may be shown."""
    return [picture_of(sheet, folder) for sheet in results.sheets] if shown(results) else []


def picture_of(sheet: ImageSheet, folder: Path) -> Picture:
    """The sheet with the pixels of its file in `folder`."""
    source, problem = pixels(sheet.file, folder)
    return Picture(sheet, source, problem)


def pixels(file: str, folder: Path) -> tuple[str, str]:
    """The data URI of a file in `folder`, or else what is wrong with it."""
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        return "", f"{file} is not in the folder of the results"
    try:
        content = path.read_bytes()
    except OSError as error:
        return "", f"{file} can't be read: {error.strerror}"
    kind = next((kind for start, kind in _FORMATS if content.startswith(start)), None)
    if kind is None:
        return "", f"{file} is neither PNG nor JPEG"
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}", ""
