"""Wrong labels found out of sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from fer_audit.metrics.label_errors import (
    average_precision,
    average_precision_interval,
    out_of_sample,
    precision_at,
    suspicion,
)


def test_only_models_that_did_not_train_on_a_row_speak_about_it():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 6, 3)).astype(np.float32)
    keep = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1], [1, 1, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]], bool)
    found = out_of_sample(logits, keep)
    np.testing.assert_allclose(found[0], softmax(logits[[1, 3], 0].astype(float), axis=1).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    changed = np.where(keep[:, :, None], 100.0, logits).astype(np.float32)
    np.testing.assert_array_equal(out_of_sample(changed, keep), found)


def test_logits_of_any_size_stay_finite():
    logits = np.array([[[3e38, -3e38]], [[-3e38, 3e38]]], np.float32)
    np.testing.assert_allclose(out_of_sample(logits, np.array([[False], [False]])), [[0.5, 0.5]])


def test_suspicion_is_the_margin_of_the_likeliest_other_label():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(suspicion(probabilities, np.array([0, 2, 1])), [-0.5, 0.6, 1.0])


rankings = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-3, 3), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
    )
)


@given(rankings)
def test_average_precision_is_that_of_scikit_learn_with_ties_and_weights(ranking):
    scores, wrong, weights = (np.array(part) for part in ranking)
    if not (wrong & (weights > 0)).any():
        return
    ours = average_precision(scores.astype(float), wrong, weights[None].astype(float))[0]
    assert ours == pytest.approx(average_precision_score(wrong, scores, sample_weight=weights), abs=1e-12)


def test_a_resample_without_wrong_rows_has_no_average_precision():
    assert np.isnan(average_precision(np.arange(3.0), np.array([True, False, False]), np.array([[0.0, 1, 1]]))[0])


def test_the_interval_holds_the_value_and_the_truth():
    rng = np.random.default_rng(1)
    wrong = rng.random(600) < 0.2
    found = average_precision_interval(rng.normal(size=600) + 2 * wrong, wrong, np.arange(600) // 3)
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.2
    assert "subjects" in found.method
    none = average_precision_interval(rng.normal(size=5), np.zeros(5, bool), None)
    assert (none.value, none.note) == (None, "no label is known to be wrong")


def test_precision_at_k_never_parts_ties():
    scores, wrong = np.array([3.0, 2, 2, 2, 1]), np.array([True, True, False, False, True])
    assert (precision_at(scores, wrong, 1).value, precision_at(scores, wrong, 1).n) == (1.0, 1)
    assert (precision_at(scores, wrong, 2).value, precision_at(scores, wrong, 2).n) == (0.5, 4)
    assert precision_at(scores, wrong, 6).value is None
    assert precision_at(scores, wrong, 0).value is None
