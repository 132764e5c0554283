"""How far a run is, for the page that is watched while it lasts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Live:
    """What a page says of a run that goes on, and how often it reloads itself to say more."""

    done: int  #: cells that are done
    total: int  #: cells in all
    trained: int  #: trainings that are done, or have failed
    trainings: int  #: in all
    left: float | None  #: s to the end, estimated; None where nothing is known of it
    every: int  #: s between reloads
