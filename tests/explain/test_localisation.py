import numpy as np

from fer_audit.explain.localisation import heat_inside


def test_the_share_is_that_of_the_heat():
    maps = np.array([[[1, 2], [3, 4]], [[1, 0], [0, 0]], [[0, 0], [0, 0]]], np.float32)
    masks = np.array([[[False, True], [False, True]], [[False, True], [True, True]], [[True, True], [True, True]]])
    np.testing.assert_array_equal(heat_inside(maps, masks), [0.6, 0, np.nan])


def test_even_heat_has_the_share_of_the_mask():
    masks = np.random.default_rng(0).random((20, 9, 11)) < 0.3
    np.testing.assert_allclose(heat_inside(np.ones((20, 9, 11), np.float32), masks), masks.mean(axis=(1, 2)))
