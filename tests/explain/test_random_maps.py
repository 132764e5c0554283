import numpy as np

from fer_audit.explain.random_maps import random_maps
from fer_audit.explain.upsampling import upsampled


def test_noise_is_uniform_at_the_resolution_of_the_map():
    heat = random_maps(2000, (4, 4), (4, 4), seed=1)
    np.testing.assert_array_equal(heat.max(axis=(1, 2)), 1)
    # The mean of n uniform values over their maximum: (n - 1) / n * 1 / 2 + 1 / n.
    assert abs(heat.mean() - (15 / 16 / 2 + 1 / 16)) < 0.005
    assert np.abs(heat.mean(axis=0) - heat.mean()).max() < 0.03


def test_a_larger_map_is_the_coarse_noise_upsampled():
    coarse, fine = random_maps(3, (5, 6), (5, 6), seed=2), random_maps(3, (5, 6), (10, 24), seed=2)
    np.testing.assert_allclose(fine, upsampled(coarse, 10, 24), rtol=1e-6)


def test_maps_follow_their_seed():
    one, again, other = (random_maps(2, (3, 3), (6, 6), seed) for seed in ((0, 1), (0, 1), (0, 2)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (one[0] != one[1]).any()
