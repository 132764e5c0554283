"""Rows of a dataset found by what a list calls them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

#: RAF-DB's images got this at the end of their name when they were aligned; its lists have them with and without.
_ALIGNED = "_aligned"
#: Other dots belong to the name, as in `KA.AN1.39.tiff`.
_ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp"})


class RowNames:
    """Finds rows by name: a relative path or identifier, else the name of the file without folder and ending."""

    def __init__(self, names: Sequence[str]) -> None:
        """Takes the `names` (N,) of all rows."""
        self._whole = _grouped(names)
        self._stems = _grouped(_stem(name) for name in names)

    def find(self, name: str) -> list[int]:
        """The rows that `name` may stand for: one where all is well."""
        return self._whole.get(name) or self._stems.get(_stem(name), [])


def _grouped(names: Iterable[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        rows[name].append(row)
    return dict(rows)


def _stem(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    stem = path.stem if path.suffix.lower() in _ENDINGS else path.name
    return stem.removesuffix(_ALIGNED)
