"""Rates of processes that work at the same time, summed over the time in which all of them do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def summed_rate(ends: Sequence[Sequence[float]], items: int) -> float:
    """Items/s of all processes; `ends` are, for each, the moments at which another `items` were done.

    The first moment of each only starts its clock. Raises RuntimeError where they did not overlap.
    """
    begin, end = max(moments[0] for moments in ends), min(moments[-1] for moments in ends)
    if end <= begin:
        raise RuntimeError("the processes did not work at the same time; ask for more epochs or passes")
    return sum(items * _done(moments, begin, end) for moments in ends) / (end - begin)


def _done(moments: Sequence[float], begin: float, end: float) -> float:
    """Units of work between `begin` and `end`, parts of them included."""
    return sum(
        max(0.0, min(last, end) - max(first, begin)) / (last - first) for first, last in itertools.pairwise(moments)
    )
