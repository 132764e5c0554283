"""Every kind of corruption, from one table, on drawn faces."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_audit.augmentations.imgaug_import import imgaug_augmenters
from fer_audit.errors import FerAuditError
from fer_audit.registry import Registry
from fer_audit.robustness.corruptions import KINDS, SEVERITIES, corrupt

SIZES = (48, 96)
#: Kinds that treat pixels apart, or that are made of pixels, as noise and JPEG's blocks are.
BY_PIXEL = {"gaussian-noise", "shot-noise", "impulse-noise", "jpeg"}


@pytest.fixture(scope="module")
def faces():
    drawn = Registry.load().create("dataset", "synthface", {"rows": 24, "test_rows": 7, "noise": 0})
    return {size: np.asarray(drawn.load(size, Path()).pool.images) for size in SIZES}


def change(images, kind, severity):
    """Mean squared change."""
    return np.mean((corrupt(images, kind, severity, seed=0).astype(float) - images) ** 2)


def global_states():
    return str(sys.modules["imgaug"].random.get_global_rng().state), np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.parametrize("kind", KINDS)
class TestEvery:
    @pytest.mark.parametrize("size", SIZES)
    def test_changes_more_at_each_severity(self, kind, size, faces):
        changes = [change(faces[size], kind, severity) for severity in SEVERITIES]
        assert changes[0] > 0
        assert (np.diff(changes) > 0).all(), changes

    def test_is_the_same_for_its_arguments_whatever_ran_before(self, kind, faces):
        first = corrupt(faces[48], kind, 3, seed=5)
        for other in KINDS:
            corrupt(faces[48][:2], other, 2, seed=1)
        imgaug_augmenters()
        sys.modules["imgaug"].seed(99)
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        again = corrupt(faces[48], kind, 3, seed=5)
        cv2.setNumThreads(threads)
        np.testing.assert_array_equal(first, again)

    def test_leaves_global_generators_and_its_argument_alone(self, kind, faces):
        imgaug_augmenters()
        images, before = faces[48].copy(), global_states()
        images.flags.writeable = False
        changed = corrupt(images, kind, 4, seed=2)
        assert global_states() == before
        np.testing.assert_array_equal(images, faces[48])
        assert (changed.shape, changed.dtype) == (images.shape, np.uint8)

    def test_takes_one_image_no_image_and_images_that_are_not_square(self, kind, faces):
        for images in (faces[48][:1], faces[48][:0], faces[48][:3, :32]):
            assert corrupt(images, kind, 5, seed=0).shape == images.shape


@pytest.mark.parametrize("kind", sorted(set(KINDS) - BY_PIXEL))
def test_a_severity_is_alike_in_small_and_large_images(kind, faces):
    def halved(images):
        return images.reshape(len(images), 48, 2, 48, 2, 3).mean(axis=(2, 4))

    small = np.rint(halved(faces[96])).astype(np.uint8)
    for severity in SEVERITIES:
        expected = halved(corrupt(faces[96], kind, severity, seed=0))
        unlike = np.mean((corrupt(small, kind, severity, seed=0) - expected) ** 2)
        # Blocks of 2.4 pixels can't be drawn as such, and a blur of half a pixel is one of a few weights.
        assert unlike < 0.25 * np.mean((expected - small) ** 2), severity


@pytest.mark.parametrize("kind", ["gaussian-noise", "motion-blur", "snow", "rotation", "side-light", "shift", "fog"])
def test_random_kinds_differ_by_row_and_by_seed(kind, faces):
    images = np.repeat(faces[48][:1], 8, axis=0)
    changed = corrupt(images, kind, 4, seed=0)
    assert len(np.unique(changed.reshape(8, -1), axis=0)) > 1
    assert (changed != corrupt(images, kind, 4, seed=1)).any()


def test_shot_noise_has_the_mean_of_the_image_and_the_variance_of_counts():
    images = np.full((16, 32, 32, 3), 100, np.uint8)
    noisy = corrupt(images, "shot-noise", 2, seed=0).astype(float)
    assert noisy.mean() == pytest.approx(100, abs=0.5)
    # 50 photons make up white: counts of 50 * 100 / 255 on average, each worth 255 / 50 grey levels.
    assert noisy.var() == pytest.approx(100 * 255 / 50, rel=0.03)


def test_gaussian_and_impulse_noise_have_the_strength_of_their_level():
    images = np.full((16, 32, 32, 3), 128, np.uint8)
    assert corrupt(images, "gaussian-noise", 2, seed=0).std() == pytest.approx(0.08 * 255, rel=0.03)
    assert (corrupt(images, "impulse-noise", 3, seed=0) != 128).mean() == pytest.approx(0.09, rel=0.05)


def test_light_and_contrast_are_the_lines_that_they_claim_to_be():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    grey = images.astype(float)
    for kind, expected in {
        "contrast": 127 + 0.5 * (grey - 127),
        "brightness": np.clip(grey + 51, 0, 255),
        "darkness": 0.5 * grey,
    }.items():
        np.testing.assert_allclose(corrupt(images, kind, 2, seed=0), expected, atol=1)


def test_grey_ends_in_grey_and_leaves_grey_images_as_they_are(faces):
    grey = corrupt(faces[48], "grey", 5, seed=0)
    np.testing.assert_array_equal(grey.min(axis=3), grey.max(axis=3))
    np.testing.assert_allclose(corrupt(grey, "grey", 3, seed=0), grey, atol=1)


@pytest.mark.parametrize(("kind", "middle"), [("occluded-eyes", 0.42), ("occluded-mouth", 0.75)])
def test_an_occlusion_is_black_within_its_band_and_nothing_outside(kind, middle, faces):
    images = np.maximum(faces[96], 1)
    areas = []
    for severity in SEVERITIES:
        black = (corrupt(images, kind, severity, seed=0) == 0).all(axis=(0, 3))
        changed = (corrupt(images, kind, severity, seed=0) != images).any(axis=(0, 3))
        rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
        assert black[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert (rows.mean() + 0.5) / 96 == pytest.approx(middle, abs=0.01)
        assert (columns.mean() + 0.5) / 96 == pytest.approx(0.5, abs=0.01)
        assert changed.sum() <= (len(rows) + 2) * (len(columns) + 2)
        areas.append(black.sum())
    assert (np.diff(areas) > 0).all()


def test_pixelation_makes_blocks():
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    blocks = corrupt(images, "pixelation", 4, seed=0).reshape(2, 12, 4, 12, 4, 3)
    np.testing.assert_array_equal(blocks.min(axis=(2, 4)), blocks.max(axis=(2, 4)))
    np.testing.assert_allclose(blocks[:, :, 0, :, 0], images.reshape(2, 12, 4, 12, 4, 3).mean(axis=(2, 4)), atol=1)


def test_a_shift_is_a_shift_with_its_edges_drawn_out():
    images = np.random.default_rng(0).integers(0, 256, (8, 50, 50, 3), dtype=np.uint8)
    shifted = corrupt(images, "shift", 2, seed=0)
    for before, after in zip(images, shifted, strict=True):
        drawn_out = np.pad(before, ((4, 4), (4, 4), (0, 0)), mode="edge")
        corners = [drawn_out[top : top + 50, left : left + 50] for top in (0, 8) for left in (0, 8)]
        assert any((after == corner).all() for corner in corners)


@pytest.mark.parametrize(
    ("kind", "severity", "message"),
    [
        ("gausian-blur", 1, "did you mean 'gaussian-blur'"),
        ("jpeg", 0, "severity of 'jpeg' must be 1, 2, 3, 4 or 5, received 0"),
        ("jpeg", 6, "received 6"),
    ],
)
def test_what_does_not_exist_is_refused(kind, severity, message, faces):
    with pytest.raises(FerAuditError, match=message):
        corrupt(faces[48], kind, severity, seed=0)
