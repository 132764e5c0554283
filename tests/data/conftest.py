import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_image():
    """Writes a small image of one colour, chosen by `value`, and returns its path."""

    def write(path, value=100, size=(8, 8), mode="RGB", **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((size[1], size[0], 3), value, np.uint8)
        Image.fromarray(pixels).convert(mode).save(path, **options)
        return path

    return write


@pytest.fixture
def write_face():
    """Writes a small image of noise, no two alike, and returns its path."""
    rng = np.random.default_rng(0)

    def write(path, size=(12, 12), mode="RGB"):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    return write


@pytest.fixture
def real_faces():
    """The folder of real photographs; the test is skipped where it is absent."""
    data = Path(os.environ.get("FER_AUDIT_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    folder = data / "faces_in_the_wild"
    if not folder.is_dir():
        pytest.skip(f"no real faces at {folder}; set FER_AUDIT_TEST_DATA")
    return folder
