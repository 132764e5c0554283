from __future__ import annotations

import numpy as np
import pytest

from fer_audit.attacks.grey_images import _areas, grey_features


@pytest.mark.parametrize(("pixels", "areas"), [(8, 4), (10, 4), (7, 3), (5, 5), (100, 16)])
def test_areas_share_the_pixels_out(pixels: int, areas: int) -> None:
    shares = _areas(pixels, areas)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares.sum(axis=0), areas / pixels)


def test_a_pixel_on_an_edge_is_parted() -> None:
    np.testing.assert_allclose(_areas(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])


def test_features_are_the_standardised_means_of_areas() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), np.uint8)
    means = images.reshape(300, 4, 2, 4, 2, 3).mean(axis=(2, 4)) @ [0.299, 0.587, 0.114]
    wanted = (means - means.mean(axis=0)) / means.std(axis=0)
    np.testing.assert_allclose(grey_features(images, 4), wanted.reshape(300, 16), atol=1e-9)


def test_small_or_constant_images_are_no_trouble() -> None:
    assert grey_features(np.zeros((3, 2, 2, 3), np.uint8), 16).tolist() == [[0.0] * 4] * 3
    assert grey_features(np.zeros((0, 8, 8, 3), np.uint8), 4).shape == (0, 16)
    assert not grey_features(np.full((3, 7, 7, 3), 77, np.uint8), 3).any()
