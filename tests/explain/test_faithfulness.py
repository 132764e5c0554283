"""Deletion and insertion against their closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.explain.faithfulness import blurred, deletion_insertion, mean_colours

SIDE, REGION = 10, (slice(1, 5), slice(2, 7))  # 20 of 100 pixels
SHARE = 0.2


def white_region(count=3):
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    images[:, *REGION] = 255
    return images


def share_left(images, classes):
    """The share of the region's pixels that are still white."""
    assert images.dtype == np.uint8
    assert len(images) == len(classes)
    return (images[:, *REGION] == 255).all(axis=-1).mean(axis=(1, 2))


def hot_region(count=3):
    maps = np.zeros((count, SIDE, SIDE), np.float32)
    maps[:, *REGION] = np.random.default_rng(0).uniform(0.5, 1, (count, 4, 5))
    return maps


def areas(maps, steps=10, ties=None, images=None, probability=share_left):
    images = white_region(len(maps)) if images is None else images
    return deletion_insertion(probability, images, maps, np.zeros(len(maps), np.int64), steps, ties)


def test_a_map_of_all_evidence_has_the_least_and_the_largest_area():
    # The probability falls in a straight line to 0 at the region's share, and rises in one to 1.
    deletion, insertion = areas(hot_region())
    np.testing.assert_allclose(deletion, SHARE / 2)
    np.testing.assert_allclose(insertion, 1 - SHARE / 2)


def test_a_map_of_everything_else_has_the_opposite():
    deletion, insertion = areas(1 - (hot_region() > 0).astype(np.float32))
    np.testing.assert_allclose(deletion, 1 - SHARE / 2)
    np.testing.assert_allclose(insertion, SHARE / 2)


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_a_probability_that_never_changes_is_its_own_area(steps):
    for area in areas(hot_region(), steps, probability=lambda images, _: np.full(len(images), 0.3)):
        np.testing.assert_allclose(area, 0.3)


def test_one_step_sees_the_whole_image_and_the_background_only():
    seen = []

    def record(images, _):
        seen.append(images)
        return np.zeros(len(images))

    images = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    areas(hot_region(1), 1, images=images, probability=record)
    np.testing.assert_array_equal(seen[0][0], images[0])
    np.testing.assert_array_equal(seen[0][1], np.broadcast_to(mean_colours(images)[0], images[0].shape))
    np.testing.assert_array_equal(seen[1], [blurred(images)[0], images[0]])


def test_each_row_keeps_its_class_in_blocks_of_any_size(monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
    maps, classes = rng.random((5, SIDE, SIDE), np.float32), np.arange(5)

    def probability(changed, of):
        return changed.mean(axis=(1, 2, 3)) / 255 / (1 + of)

    whole = deletion_insertion(probability, images, maps, classes, 4)
    monkeypatch.setattr("fer_audit.explain.faithfulness._BLOCK", 2 * 5 * SIDE**2)
    np.testing.assert_array_equal(deletion_insertion(probability, images, maps, classes, 4), whole)
    alone = deletion_insertion(probability, images[3:4], maps[3:4], classes[3:4], 4)
    np.testing.assert_array_equal(np.ravel(alone), [whole[0][3], whole[1][3]])


def test_pixels_of_equal_heat_come_in_a_shuffled_order():
    # In raster order the region, in the upper half, would be gone early.
    deletion, insertion = areas(np.zeros((1, SIDE, SIDE), np.float32), steps=50)
    assert abs(deletion[0] - 0.5) < 0.15
    np.testing.assert_allclose(insertion, 1 - deletion)
    np.testing.assert_array_equal(areas(np.zeros((1, SIDE, SIDE), np.float32), steps=50)[0], deletion)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_ties_are_broken_by_the_second_map(seed, levels):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, levels, (2, SIDE, SIDE)).astype(np.float32)
    ties = rng.permutation(SIDE**2).reshape(1, SIDE, SIDE).repeat(2, axis=0).astype(np.float32)
    together = areas(maps * SIDE**2 + ties)  # the lexicographic order as one number
    np.testing.assert_array_equal(areas(maps, ties=ties), together)


def test_the_blur_keeps_no_detail_and_no_image_at_the_border():
    images = np.zeros((1, 16, 16, 3), np.uint8)
    images[0, ::2] = 255
    middle = blurred(images)[0, 6:10].astype(int)
    assert np.abs(middle - 127).max() < 5
    even = np.full((1, 8, 8, 3), 77, np.uint8)
    np.testing.assert_array_equal(blurred(even), even)
    np.testing.assert_array_equal(mean_colours(even)[0, 0, 0], 77)
