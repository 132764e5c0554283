import numpy as np

from fer_audit.explain.upsampling import upsampled


def test_twice_the_size_is_bilinear_between_pixel_centres():
    # Centres of the fine pixels lie a quarter of a coarse pixel beside those of the coarse ones.
    heat = upsampled(np.array([[[0, 4], [0, 4]]], np.float32), 4, 4)
    np.testing.assert_allclose(heat[0], np.tile([0, 0.25, 0.75, 1], (4, 1)))


def test_each_map_is_over_its_own_maximum_and_zero_stays_zero():
    maps = np.stack([np.full((3, 3), 5), np.zeros((3, 3)), np.eye(3) * 1e-30]).astype(np.float32)
    heat = upsampled(maps, 3, 3)
    np.testing.assert_array_equal(heat, [np.ones((3, 3)), np.zeros((3, 3)), np.eye(3)])
    assert heat.dtype == np.float32


def test_sides_are_not_mixed_up():
    assert upsampled(np.ones((2, 3, 5), np.float32), 6, 15).shape == (2, 6, 15)
    assert upsampled(np.ones((0, 3, 5), np.float32), 6, 15).shape == (0, 6, 15)
