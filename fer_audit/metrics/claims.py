"""Checks a published saving ("12.66 % fewer operations than ...") against the units in which it could be counted.

Two networks are only compared in one unit. A count of multiply-accumulates against one of float operations, which are
twice as many, is the commonest way for a saving to go wrong, and shows here as a pair of unlike units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

#: Percentage points within which a pair is named although it does not reproduce the claim.
NEAR = 1.0


@dataclass(frozen=True)
class Pair:
    """One way to count the saving: a unit for each network.

    A count's name is its unit, perhaps with a remark behind a space: `fvcore (published)` is like `fvcore`.
    """

    ours: str
    theirs: str
    numerator: float
    denominator: float
    claimed: float

    @property
    def reduction(self) -> float:
        """The saving in percent, 100 (1 - numerator / denominator); negative where ours costs more."""
        return 100 * (1 - self.numerator / self.denominator)

    @property
    def difference(self) -> float:
        """Percentage points that the saving lies above the claimed one."""
        return self.reduction - self.claimed

    @property
    def near(self) -> bool:
        """Whether the saving lies within `NEAR` points of the claimed one."""
        return abs(self.difference) <= NEAR

    @property
    def like_units(self) -> bool:
        """Whether both counts are in one unit, so that the saving means something."""
        return self.ours.partition(" ")[0] == self.theirs.partition(" ")[0]


@dataclass(frozen=True)
class ClaimCheck:
    """What a claimed saving was found to be."""

    claimed: float  #: percent
    digits: int  #: printed behind the point
    reproducing: tuple[Pair, ...]  #: pairs that give the claimed digits, like units first
    nearest: tuple[Pair, ...]  #: other pairs within `NEAR` points, nearest first; the nearest one in any case
    one_unit: tuple[Pair, ...]  #: the saving in each count that both networks have

    @property
    def reproduced(self) -> bool:
        """Whether some pair gives the claimed digits."""
        return bool(self.reproducing)

    @property
    def honest(self) -> bool:
        """Whether a pair of like units gives the claimed digits."""
        return any(pair.like_units for pair in self.reproducing)


def check_claim(claimed: float, digits: int, ours: Mapping[str, float], theirs: Mapping[str, float]) -> ClaimCheck:
    """Which pairs of counts make a saving of `claimed` percent, and what it is in one unit.

    `ours` and `theirs` are counts by their names (see `Pair`); counts of theirs that are not positive are left out. A
    pair reproduces the claim if its saving, rounded to `digits` behind the point, is the claimed one. Raises ValueError
    where there is nothing to compare.
    """
    if not isfinite(claimed) or digits < 0:
        raise ValueError(f"expected a finite percentage and digits >= 0, got {claimed} and {digits}")
    pairs = [
        Pair(unit, against, numerator, denominator, claimed)
        for unit, numerator in ours.items()
        for against, denominator in theirs.items()
        if denominator > 0
    ]
    if not pairs:
        raise ValueError("expected at least one count of each network")
    # Half a digit, and what floats lose on the way there.
    reproducing = {pair for pair in pairs if abs(pair.difference) <= 0.5 * 10.0**-digits + 1e-9}
    others = sorted((pair for pair in pairs if pair not in reproducing), key=_distance)
    return ClaimCheck(
        claimed=claimed,
        digits=digits,
        reproducing=tuple(sorted(reproducing, key=lambda pair: (not pair.like_units, *_distance(pair)))),
        nearest=tuple(pair for place, pair in enumerate(others) if place == 0 or pair.near),
        one_unit=tuple(pair for pair in pairs if pair.ours == pair.theirs),
    )


def _distance(pair: Pair) -> tuple[float, str, str]:
    return abs(pair.difference), pair.ours, pair.theirs
