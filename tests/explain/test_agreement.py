import numpy as np

from fer_audit.explain.agreement import correlations, flip_agreement

RNG = np.random.default_rng(0)


def test_a_mirrored_map_agrees_wholly():
    maps = RNG.random((5, 6, 7), np.float32)
    np.testing.assert_allclose(flip_agreement(maps, maps[:, :, ::-1]), 1)
    np.testing.assert_allclose(flip_agreement(maps, 1 - maps[:, :, ::-1]), -1)
    assert (flip_agreement(maps, maps) < 0.9).all()


def test_correlations_are_pearsons():
    one, other = RNG.random((2, 4, 6, 7), np.float32)
    expected = [np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(one, other, strict=True)]
    np.testing.assert_allclose(correlations(one, other), expected, rtol=1e-6)
    np.testing.assert_allclose(correlations(3 * one + 1, other), expected, rtol=1e-4)


def test_a_constant_map_has_no_correlation():
    maps = RNG.random((3, 4, 4), np.float32)
    maps[0], maps[1] = 0, 0.1
    assert np.isnan(correlations(maps, RNG.random((3, 4, 4), np.float32))).tolist() == [True, True, False]
    assert np.isnan(correlations(RNG.random((3, 4, 4), np.float32), maps)).tolist() == [True, True, False]
