"""A bar for what takes long while data are read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def tracked(items: Iterable[Item], total: int, title: str, worth: int = 2) -> Iterator[Item]:
    """`items` as they are; a bar on the terminal, to standard error, tells how many of `total` are done.

    Fewer items than `worth` are done before a reader has found the bar.
    """
    if total < worth or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, total=total, description=title, console=Console(stderr=True), transient=True)
