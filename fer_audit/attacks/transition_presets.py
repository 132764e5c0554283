"""Published transitions between the seven expressions: P(given | true), by the names of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Preset = Literal["human-ferplus", "resup-us"]
Rows = Mapping[str, Mapping[str, float]]

_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")

#: Share of the votes of FERPlus for each expression, by the label of the majority. Rows fall short of 1 by rounding and
#: by the votes for contempt and unknown. What happiness loses goes to these alone; of surprise no row is published.
_FERPLUS_VOTES: Mapping[str, tuple[float, ...]] = {
    "neutral": (0.70, 0.03, 0.02, 0.11, 0.03, 0.01, 0.01),
    "happiness": (0.0, 0.90, 0.0, 0.0, 0.0, 0.0, 0.0),
    "surprise": (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    "sadness": (0.16, 0.01, 0.01, 0.67, 0.03, 0.02, 0.02),
    "anger": (0.08, 0.03, 0.06, 0.04, 0.65, 0.04, 0.03),
    "disgust": (0.10, 0.02, 0.03, 0.10, 0.12, 0.49, 0.02),
    "fear": (0.05, 0.02, 0.16, 0.08, 0.04, 0.02, 0.58),
}

#: Share of each expression's labels that is flipped to one of the six others, all equally likely.
_RESUP_RATES: Mapping[str, float] = {
    "neutral": 0.0,
    "happiness": 0.0,
    "surprise": 0.10,
    "sadness": 0.40,
    "anger": 0.20,
    "disgust": 0.30,
    "fear": 0.50,
}


def preset_rows(preset: Preset) -> Rows:
    """The seven rows of `preset`, each of which sums to 1."""
    return _human_ferplus() if preset == "human-ferplus" else _resup_us()


def _human_ferplus() -> Rows:
    return {
        true: {given: vote / sum(votes) for given, vote in zip(_COLUMNS, votes, strict=True)}
        for true, votes in _FERPLUS_VOTES.items()
    }


def _resup_us() -> Rows:
    others = len(_RESUP_RATES) - 1
    return {
        true: {given: 1 - rate if given == true else rate / others for given in _RESUP_RATES}
        for true, rate in _RESUP_RATES.items()
    }
