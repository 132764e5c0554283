"""Colours, symbols and dashes: distinct without colour vision, and legible on a light and on a dark page."""

from __future__ import annotations

import html
from collections.abc import Sequence

#: After Okabe and Ito (2008), with the light ones darkened to a contrast of at least 3 on white and on near black.
COLOURS = ("#2a78c2", "#d55e00", "#00946b", "#b5589a", "#a87900", "#6f7f92", "#1c8fae", "#c2453d")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px 2px 1px 2px", "2px 4px")

#: After the last of `SYMBOLS`: each unlike the one of its colour, and with an open and a dotted form as those have.
MORE_SYMBOLS = (
    *("x", "star-diamond", "triangle-left", "pentagon"),
    *("diamond-tall", "triangle-right", "star-square", "hexagram"),
)

GREY = "#7d8794"  #: of chance lines


def colour(names: Sequence[str], name: str) -> str:
    """The colour of `name` among `names`."""
    return COLOURS[names.index(name) % len(COLOURS)]


def symbol(names: Sequence[str], name: str) -> str:
    """The marker of `name` among `names`; after the last they shift, so that no pair with a colour comes back soon."""
    place, every = names.index(name), SYMBOLS + MORE_SYMBOLS
    return every[(place + place // len(every)) % len(every)]


def dash(names: Sequence[str], name: str) -> str:
    """The dash of `name` among `names`; after the last colour the dashes shift, so that no pair comes back soon."""
    place = names.index(name)
    return DASHES[(place + place // len(COLOURS)) % len(DASHES)]


def plain(text: str) -> str:
    """Text as plotly must be given it, so that nothing in it is read as markup."""
    return html.escape(text, quote=False)


def faded(colour: str, opacity: float) -> str:
    """A hex colour with an opacity."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
