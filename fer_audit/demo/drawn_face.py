"""A drawn face of somebody who never lived, for those who have no picture at hand."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fer_audit.data.synthface import Synthface
from fer_audit.demo.looked_at import Pixels

_SEEDS = 2**31


def face_drawer(params: Mapping[str, Any], size: int) -> Callable[[], Pixels]:
    """Draws a face (size, size, 3) at each call, of a new person, as Synthface with these parameters draws them."""

    def draw() -> Pixels:
        # The first seven rows show each expression once.
        few = {"rows": 7, "test_rows": 7, "population_rows": 0, "identities": None, "seed": secrets.randbelow(_SEEDS)}
        images = Synthface(**{**params, **few}).read(size, Path()).pool.images
        face: Pixels = images[secrets.randbelow(len(images))]
        return face

    return draw
