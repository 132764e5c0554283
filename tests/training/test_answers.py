"""What a trained network answers."""

import numpy as np
import pytest
from scipy.special import log_softmax

from fer_audit.training.answers import DivergedError, cross_entropy, finite_logits


def test_cross_entropy_is_the_negative_log_probability():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 5), scale=4).astype(np.float32), rng.integers(0, 5, 20)
    expected = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(20), labels]
    np.testing.assert_allclose(cross_entropy(logits, labels), expected, rtol=1e-12)


def test_cross_entropy_of_huge_logits_is_finite():
    logits = np.array([[3e4, -3e4], [0, 0]], np.float32)
    np.testing.assert_allclose(cross_entropy(logits, np.array([1, 0])), [6e4, np.log(2)])


def test_answers_that_are_not_finite_are_refused():
    class Broken:
        def logits(self, images):
            return np.full((len(images), 2), np.nan, np.float32)

    with pytest.raises(DivergedError, match="not finite; lower learning_rate"):
        finite_logits(Broken(), np.zeros((1, 2, 2, 3), np.uint8))
