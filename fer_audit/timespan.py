"""How long something will take, or may take, in words."""

from __future__ import annotations

import math
import re

#: Seconds of each unit, the longest first.
_UNITS = {"h": 3600, "min": 60, "s": 1}
_NAMES = {
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "min": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
}
_UNIT_OF = {name: unit for unit, names in _NAMES.items() for name in names}
_PART = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]+)")


def duration(seconds: float) -> str:
    """Seconds in words short enough for a line: `8 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def seconds_of(text: str) -> float:
    """The seconds that `2h`, `90m`, `1h30m`, `45 min` or `3600s` mean; raises ValueError in one sentence."""
    wrong = ValueError(f"expected a time such as 2h, 90m, 1h30m, '45 min' or 3600s, received {text!r}")
    rest, total, last = text.strip().lower(), 0.0, 0
    if not rest:
        raise wrong
    while rest:
        part = _PART.match(rest)
        unit = _UNIT_OF.get(part[2]) if part else None
        # Each unit once, the longest first: 30m1h is more likely a slip than a wish.
        if part is None or unit is None or (last and _UNITS[unit] >= last):
            raise wrong
        total, last, rest = total + float(part[1]) * _UNITS[unit], _UNITS[unit], rest[part.end() :].strip()
    if total <= 0:
        raise ValueError(f"expected a time above 0, such as 2h or 45m, received {text!r}")
    return total
