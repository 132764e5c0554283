"""What became of corrupted rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fer_audit.metrics.memorisation import fates, memorisation

labels = arrays(np.int64, 30, elements=st.integers(0, 3))


@given(labels, labels, labels)
@settings(deadline=None)
def test_every_corrupted_row_has_exactly_one_fate(predicted, given_, true):
    found = fates(predicted, given_, true)
    corrupted = given_ != true
    counts = found.memorised.astype(int) + found.recovered + found.neither
    np.testing.assert_array_equal(counts, corrupted)
    np.testing.assert_array_equal(found.clean, ~corrupted & (predicted == true))


def test_shares_by_hand_and_by_epoch():
    true = np.zeros(10, np.int64)
    given_ = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    last = np.array([1, 0, 0, 2, 0, 0, 0, 0, 0, 1])
    first = np.zeros(10, np.int16)
    found = memorisation(last, np.stack([first, last.astype(np.int16)], axis=1), given_, true, None)
    assert found.corrupted_rows == 4
    assert (found.memorised.value, found.recovered.value, found.neither.value) == (0.25, 0.5, 0.25)
    assert found.clean_accuracy.value == 5 / 6
    assert [epoch.recovered for epoch in found.epochs] == [1.0, 0.5]
    assert found.epochs[1].memorised == 0.25
    assert found.memorised.n == 4


def test_what_was_not_followed_has_no_epochs():
    true = np.arange(6) % 3
    assert memorisation(true, np.empty((6, 0), np.int16), (true + 1) % 3, true, None).epochs == []
