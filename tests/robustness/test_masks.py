"""Masks and kernels, in closed form."""

from types import SimpleNamespace

import numpy as np
import pytest

from fer_audit.robustness.kernels import disc_kernel, line_kernel
from fer_audit.robustness.masks import Band, Ramp, Snow

BATCH = SimpleNamespace(images=np.zeros((4, 40, 60, 3), np.uint8))


@pytest.mark.parametrize("band", [Band(0.5, 0.5, 0.5, 0.25), Band(0.31, 0.47, 0.333, 0.111)])
def test_a_band_covers_its_share_of_the_image_whatever_the_pixels(band):
    masks = band.draw_masks(BATCH)
    assert len(masks) == 4
    for mask in masks:
        assert mask.shape == (40, 60)
        assert mask.mean() == pytest.approx(band.width * band.height, rel=1e-5)
    y, x = np.mgrid[:40, :60]
    assert (masks[0] * (x + 0.5)).sum() / masks[0].sum() == pytest.approx(60 * band.x, abs=0.2)
    assert (masks[0] * (y + 0.5)).sum() / masks[0].sum() == pytest.approx(40 * band.y, abs=0.2)


def test_a_ramp_reaches_from_none_to_all_along_a_line():
    masks = Ramp().draw_masks(BATCH, np.random.default_rng(0))
    for mask in masks:
        assert (mask.min(), mask.max()) == (0, 1)
        for axis in (0, 1):
            np.testing.assert_allclose(np.diff(mask, n=2, axis=axis), 0, atol=1e-6)
    assert (masks[0] != masks[1]).any()


def test_denser_snow_keeps_the_flakes_of_thinner_snow():
    thin, dense = (Snow(share, 28, 0.06).draw_masks(BATCH, np.random.default_rng(3))[0] for share in (0.05, 0.2))
    assert 0 < thin.mean() < dense.mean() < 1
    assert (dense >= thin - 1e-6).all()
    assert (thin.min(), dense.max()) == (0, 1)


@pytest.mark.parametrize("length", [0.5, 3.0, 7.4, 20.0])
@pytest.mark.parametrize("angle", [0, 37, 90])
def test_a_line_has_the_variance_of_its_length_along_its_angle(length, angle):
    kernel = line_kernel(length, angle).astype(float)
    assert kernel.sum() == pytest.approx(1)
    reach = len(kernel) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    turned = np.deg2rad(angle)
    along = x * np.cos(turned) + y * np.sin(turned)
    assert (kernel * along).sum() == pytest.approx(0, abs=1e-6)
    # Sharing points out to whole pixels adds at most 1/4 a pixel squared in each axis.
    assert length**2 / 12 - 0.01 <= (kernel * along**2).sum() <= (length + 0.3) ** 2 / 12 + 0.5


@pytest.mark.parametrize("radius", [0.4, 1.0, 3.3, 8.0])
def test_a_disc_is_as_large_as_its_radius(radius):
    kernel = disc_kernel(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(kernel, kernel.T)
    np.testing.assert_array_equal(kernel, kernel[::-1])
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.15, abs=0.6)
