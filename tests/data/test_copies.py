import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_audit.data.copies import exact_groups, find_copies, linked, near_pairs
from fer_audit.data.images import read_images


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (40, 24, 24, 3), np.uint8)


def test_equal_pixels_are_exact_copies(noise):
    images = noise[[0, 1, 0, 2, 1, 0]]
    assert exact_groups(images).tolist() == [0, 1, 0, 3, 1, 0]
    assert find_copies(images).near.tolist() == [0, 1, 0, 3, 1, 0]


def test_one_grey_level_makes_a_near_copy(noise):
    other = noise.copy()
    other[:, 5, 5] ^= 1
    found = find_copies(np.concatenate([noise, other]))
    assert found.exact.tolist() == list(range(80))
    assert found.near.tolist() == [*range(40), *range(40)]


def test_blank_images_are_no_near_copies():
    blank = np.full((3, 24, 24, 3), [[[[10]]], [[[90]]], [[[200]]]], np.uint8)
    assert find_copies(blank).near.tolist() == [0, 1, 2]


def test_no_images_have_no_copies():
    assert len(find_copies(np.empty((0, 8, 8, 3), np.uint8)).near) == 0


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12))
def test_links_are_the_smallest_row_of_a_chain(count, pairs):
    pairs = np.array([pair for pair in pairs if max(pair) < count], np.int64).reshape(-1, 2)
    group = list(range(count))
    for _ in range(count):
        for one, other in pairs:
            group[one] = group[other] = min(group[one], group[other])
    assert linked(count, pairs).tolist() == group


def test_saved_again_photographs_are_near_copies_and_different_ones_are_not(real_faces, tmp_path):
    paths = sorted((real_faces / "images").iterdir())[:150]
    again = []
    for number, path in enumerate(paths[:50]):
        image = Image.open(path).convert("RGB")
        buffer = io.BytesIO()
        image.resize((80, 80)).save(buffer, "JPEG", quality=40)
        again.append(tmp_path / f"{number}.jpg")
        again[-1].write_bytes(buffer.getvalue())
    pairs = near_pairs(read_images([*paths, *again], 48).images)
    assert pairs.tolist() == [[row, 150 + row] for row in range(50)]
