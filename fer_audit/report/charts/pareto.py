"""The cells that no other beats in both accuracy and leakage."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the points (leakage, accuracy) that no other dominates, from the least leakage on.

    A point dominates another if it leaks no more, is no less accurate, and is better in one of the two; so equal points
    are all on the front. One sweep over the sorted points: Kung, Luccio and Preparata, "On Finding the Maxima of a Set
    of Vectors" (1975), section 2.
    """
    front: list[int] = []
    best = -math.inf
    for place in sorted(range(len(points)), key=lambda one: (points[one][0], -points[one][1])):
        accuracy = points[place][1]
        if accuracy > best or (front and points[front[-1]] == points[place]):
            front.append(place)
            best = accuracy
    return front
