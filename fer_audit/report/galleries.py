"""The galleries of the page: rows of small pictures with a line of text each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fer_audit.report.pictures import pixels, shown
from fer_audit.results import Gallery, GalleryRow, Results, Tile

Kind = Literal["heat-maps", "corrupted-rows"]

HEAVIEST = 350_000  #: characters of the pictures of one kind


@dataclass(frozen=True)
class Shown:
    """A tile with its pixels, or with what is wrong with its file."""

    text: str
    alternative: str  #: for those who don't see it
    source: str = ""  #: data URI; empty where there is no picture
    problem: str = ""


@dataclass(frozen=True)
class Shelf:
    """A gallery with the pixels of its tiles."""

    gallery: Gallery
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]


def galleries(results: Results, folder: Path, kind: Kind) -> list[Shelf]:
    """The galleries of a kind, as far as they may be shown and the page stays light enough to open; one in any case."""
    if not shown(results):
        return []
    found: list[Shelf] = []
    for gallery in (one for one in results.galleries if one.kind == kind):
        shelf = _shelf(gallery, folder)
        if found and sum(map(_weight, [*found, shelf])) > HEAVIEST:
            break
        found.append(shelf)
    return found


def _weight(shelf: Shelf) -> int:
    return sum(len(tile.source) for _, tiles in shelf.rows for tile in tiles)


def _shelf(gallery: Gallery, folder: Path) -> Shelf:
    return Shelf(gallery, tuple((row.label, _tiles(gallery, row, folder)) for row in gallery.rows))


def _tiles(gallery: Gallery, row: GalleryRow, folder: Path) -> tuple[Shown, ...]:
    heads = [*gallery.columns, *[""] * (len(row.tiles) - len(gallery.columns))]
    return tuple(
        _tile(tile, ", ".join(part for part in (row.label, head, tile.text) if part), folder)
        for tile, head in zip(row.tiles, heads, strict=False)
    )


def _tile(tile: Tile, alternative: str, folder: Path) -> Shown:
    source, problem = pixels(tile.file, folder) if tile.file else ("", "")
    return Shown(tile.text, alternative, source, problem)
