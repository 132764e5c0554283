"""How long something will take, in words."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """Seconds in words short enough for a line: `8 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
