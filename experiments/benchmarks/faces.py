"""The drawn faces that both sides of a comparison train on."""

from __future__ import annotations

from pathlib import Path

from settings import TEST_ROWS

from fer_audit.data.dataset import FaceData
from fer_audit.data.synthface import Synthface


def faces(rows: int, size: int) -> FaceData:
    """`rows` faces to train on, of `size` x `size` pixels; what the grid of `ours.engine` names."""
    return Synthface(rows=rows, test_rows=TEST_ROWS).load(size, Path())
