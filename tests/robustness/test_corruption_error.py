"""Corruption errors in closed form."""

import numpy as np
import pytest

from fer_audit.robustness.corruption_error import corruption_error


@pytest.fixture
def errors():
    """Whether two models err: K = 3 kinds, S = 5 severities, N = 200 rows."""
    rng = np.random.default_rng(0)
    return rng.random((3, 5, 200)) < 0.3, rng.random((3, 5, 200)) < 0.5


def test_a_model_is_exactly_as_good_as_itself(errors):
    kinds, mean = corruption_error(errors[0], errors[0], None, seed=0)
    assert [(found.value, found.low, found.high) for found in (*kinds, mean)] == [(1.0, 1.0, 1.0)] * 4


def test_ce_is_the_ratio_of_summed_error_rates_and_mce_their_mean(errors):
    wrong, baseline = errors
    kinds, mean = corruption_error(wrong, baseline, None, seed=0)
    expected = wrong.mean(axis=2).sum(axis=1) / baseline.mean(axis=2).sum(axis=1)
    np.testing.assert_allclose([found.value for found in kinds], expected, rtol=1e-12)
    assert mean.value == pytest.approx(expected.mean())
    for found in (*kinds, mean):
        assert found.low < found.value < found.high < 1
        assert (found.n, found.method) == (200, "bootstrap over rows, 1000 resamples, expanded percentiles")
    assert mean.high - mean.low < min(found.high - found.low for found in kinds)


def test_models_are_paired_so_that_hard_rows_cancel():
    hard = np.random.default_rng(1).random((1, 1, 300)) < 0.5
    better = hard & (np.arange(300) % 10 > 0)
    (paired,), _ = corruption_error(better, hard, None, seed=0)
    (apart,), _ = corruption_error(np.roll(better, 150, axis=2), hard, None, seed=0)
    assert paired.value == apart.value
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)


def test_rows_of_a_subject_are_resampled_together(errors):
    wrong, baseline = (np.repeat(flags[..., ::10], 10, axis=2) for flags in errors)
    _, rows = corruption_error(wrong, baseline, None, seed=0)
    _, people = corruption_error(wrong, baseline, np.repeat(np.arange(20), 10), seed=0)
    assert people.value == rows.value
    assert people.high - people.low > 2 * (rows.high - rows.low)
    assert "over subjects" in people.method


def test_a_baseline_without_errors_gives_no_value_and_says_so(errors):
    wrong, baseline = errors[0], errors[1].copy()
    baseline[1] = False
    kinds, mean = corruption_error(wrong, baseline, None, seed=0)
    assert (kinds[1].value, kinds[1].low, kinds[1].high) == (None, None, None)
    assert "makes no error" in kinds[1].note
    assert kinds[0].value is not None
    assert kinds[2].high is not None
    assert mean.value is None
    assert "in 1 of 3 kinds" in mean.note


def test_what_has_too_few_errors_or_subjects_has_no_interval(errors):
    wrong, baseline = errors[0][:1], np.zeros((1, 5, 200), bool)
    baseline[0, 0, :3] = True
    (kind,), mean = corruption_error(wrong, baseline, None, seed=0)
    assert kind.value == mean.value == wrong.sum() / 3
    assert (kind.low, kind.high) == (mean.low, mean.high) == (None, None)
    assert "too few errors" in kind.note
    (alone,), _ = corruption_error(wrong, wrong, np.zeros(200, int), seed=0)
    assert (alone.value, alone.low, alone.high) == (1.0, None, None)
