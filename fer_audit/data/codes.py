"""Codes of labels: the explicit table of each dataset, and reading them strictly."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fer_audit.errors import DataError


def _table(*names: str, start: int = 0) -> Mapping[int, str]:
    return MappingProxyType(dict(enumerate(names, start)))


#: Label codes of RAF-DB, 1..7.
RAF_DB = _table("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral", start=1)
#: Label codes of FER2013's csv and of ExpW, 0..6.
FER_2013 = _table("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
#: Label codes of AffectNet, 0..7; 8 is none of them, 9 uncertain, 10 no face.
AFFECT_NET = _table("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
#: Label codes of CK+, 0..7.
CK_PLUS = _table("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
#: The tables of numbers by the name of the dataset that has them; lists for RAF-DB are also seen to count from 0.
NUMBERED: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "rafdb": RAF_DB,
        "rafdb-from-0": _table(*RAF_DB.values()),
        "fer2013": FER_2013,
        "expw": FER_2013,
        "affectnet": AFFECT_NET,
        "ckplus": CK_PLUS,
    }
)
#: Names of JAFFE's files.
JAFFE: Mapping[str, str] = MappingProxyType(
    {
        "AN": "anger",
        "DI": "disgust",
        "FE": "fear",
        "HA": "happiness",
        "NE": "neutral",
        "SA": "sadness",
        "SU": "surprise",
    }
)
#: Names of class folders of FER2013, SFEW and MMAFEDB, in lower case.
FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "angry": "anger",
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "happiness",
        "happiness": "happiness",
        "neutral": "neutral",
        "sad": "sadness",
        "sadness": "sadness",
        "surprise": "surprise",
    }
)


def code_of(text: str, table: Mapping[int, str], place: str) -> str:
    """The name of the class with the code `text` (a whole number, perhaps written `3.0`); raises DataError."""
    try:
        code = float(text)
    except ValueError:
        code = float("nan")
    if code not in table:
        known = ", ".join(f"{number} {name}" for number, name in table.items())
        raise DataError(f"{place}: expected a label code ({known}), received {text.strip()!r}")
    return table[int(code)]
