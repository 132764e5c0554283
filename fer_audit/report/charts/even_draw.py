"""Some of many, evenly and always the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def even_draw(ordered: Sequence[T], count: int) -> list[T]:
    """`count` of them at equal distances, or all where there are fewer."""
    if count >= len(ordered):
        return list(ordered)
    return [ordered[(2 * place + 1) * len(ordered) // (2 * count)] for place in range(count)]
