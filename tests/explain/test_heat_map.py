import numpy as np

from fer_audit.explain.heat_map import overlay

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def luminance(picture):
    return picture.astype(np.float64) @ [0.299, 0.587, 0.114]


def test_without_heat_the_image_is_grey():
    shown = overlay(IMAGE, np.zeros((6, 8), np.float32))
    assert shown.dtype == np.uint8
    assert (shown == shown[..., :1]).all()
    np.testing.assert_allclose(shown[..., 0], luminance(IMAGE), atol=1)


def test_more_heat_is_lighter_and_redder_than_blue():
    heat = np.linspace(0, 1, 8, dtype=np.float32)[None]
    shown = overlay(np.zeros((1, 8, 3), np.uint8), heat)[0].astype(int)
    assert (np.diff(luminance(shown)) > 0).all()
    assert (shown[4:, 0] > shown[4:, 2]).all()


def test_the_hottest_pixel_still_shows_the_image():
    hot = np.ones((1, 2), np.float32)
    image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    shown = overlay(image, hot)[0].astype(int)
    np.testing.assert_allclose(shown[1] - shown[0], 64, atol=1)
