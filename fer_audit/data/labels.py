"""Names of classes: one spelling for each expression, and one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fer_audit.data.dataset import EXPRESSIONS

_ORDER = (*EXPRESSIONS, "contempt")

#: Spellings that datasets use, and the name that the expression has here.
SYNONYMS: Mapping[str, str] = {
    "angry": "anger",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}


def class_name(given: str) -> str:
    """`given` without spaces around it; a known expression in any case or spelling gets its one name."""
    name = given.strip()
    lower = name.lower()
    return SYNONYMS.get(lower, lower if lower in _ORDER else name)


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct `names`: expressions in canonical order, then contempt, then all others by the alphabet."""
    present = set(names)
    return (*(name for name in _ORDER if name in present), *sorted(present - set(_ORDER)))
