from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.attacks.label_attack import Corruption, LabelContext
from fer_audit.attacks.model_confusion import ModelConfusion, row_folds
from fer_audit.errors import PluginError

ROWS = 300
CLASSES = ("dark", "grey", "bright")
LABELS = np.random.default_rng(0).integers(0, 3, ROWS)
#: Brightness tells the classes, but not quite.
LEVELS = 60 + 60 * LABELS + np.random.default_rng(1).normal(0, 25, ROWS)
IMAGES = np.clip(LEVELS, 0, 255).astype(np.uint8)[:, None, None, None] + np.zeros((4, 4, 3), np.uint8)


def context(**changes: Any) -> LabelContext:
    return LabelContext(CLASSES, np.random.default_rng(2), **({"images": IMAGES} | changes))


def corrupted(**params: Any) -> Corruption:
    return ModelConfusion(**params)(LABELS, context())


def test_every_row_gets_the_weak_models_label() -> None:
    done = corrupted()
    predicted, _ = ModelConfusion().weak_labels(LABELS, context())
    np.testing.assert_array_equal(done.labels, predicted)
    assert 0.05 < done.rate < 0.4
    # Neighbours in brightness are confused, the darkest and the brightest are not.
    assert min(done.matrix[0, 1], done.matrix[1, 0], done.matrix[1, 2], done.matrix[2, 1]) > 0
    assert done.matrix[0, 2] == done.matrix[2, 0] == 0
    np.testing.assert_array_equal(done.labels, corrupted().labels)


def test_what_is_said_of_a_row_is_learnt_from_others() -> None:
    # Labels that have nothing to do with the images: a model that had seen a row could tell, this one can't.
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (200, 12, 12, 3), np.uint8), rng.integers(0, 2, 200)
    done = ModelConfusion(regularisation=1e-3)(labels, LabelContext(("a", "b"), rng, images=images))
    assert done.rate == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 200))


def test_a_rate_takes_the_surest_mistakes_first() -> None:
    predicted, confidence = ModelConfusion().weak_labels(LABELS, context())
    errors = predicted != LABELS
    done = corrupted(rate=0.05)
    assert done.corrupted.sum() == 15
    assert np.all(errors[done.corrupted])
    np.testing.assert_array_equal(done.labels[done.corrupted], predicted[done.corrupted])
    assert confidence[done.corrupted].min() >= confidence[errors & ~done.corrupted].max()
    more = corrupted(rate=0.08)
    assert not np.any(done.corrupted & ~more.corrupted)
    assert not done.remarks
    assert corrupted(rate=0).rate == 0


def test_a_rate_beyond_its_mistakes_is_told_or_refused() -> None:
    mistakes = int(corrupted().corrupted.sum())
    done = corrupted(rate=0.9)
    assert done.corrupted.sum() == mistakes
    assert done.remarks == (
        f"the weak model errs on {mistakes} rows, fewer than the 270 that rate 0.9 asks for, so those are all",
    )
    with pytest.raises(PluginError, match=f"errs on {mistakes} rows, fewer than the 270 .* lower the rate"):
        corrupted(rate=0.9, exact=True)
    assert corrupted(rate=mistakes / ROWS, exact=True).corrupted.sum() == mistakes


def test_people_are_labelled_by_models_that_have_not_seen_them() -> None:
    # Each person has a look and a label of their own: only who has seen a person can tell.
    rng = np.random.default_rng(0)
    looks, of_person = rng.integers(0, 256, (60, 12, 12, 3), np.uint8), rng.permutation(np.arange(60) % 2)
    people = np.repeat(np.arange(60), 5)
    where = context(images=looks[people])
    apart = ModelConfusion()(of_person[people], LabelContext(("a", "b"), where.rng, where.images, subjects=people))
    mixed = ModelConfusion()(of_person[people], LabelContext(("a", "b"), where.rng, where.images))
    assert mixed.rate == 0
    assert apart.rate == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 60))


@given(
    units=st.one_of(st.none(), st.lists(st.integers(0, 30), min_size=1, max_size=120)),
    folds=st.integers(2, 7),
    seed=st.integers(0, 99),
)
def test_folds_hold_units_together_and_are_nearly_equal(units: list[int] | None, folds: int, seed: int) -> None:
    given_ = None if units is None else np.array(units)
    count = 50 if units is None else len(units)
    found = row_folds(count, given_, folds, np.random.default_rng(seed))
    assert found.shape == (count,)
    assert np.all((found >= 0) & (found < folds))
    largest = 1 if given_ is None else int(np.bincount(given_).max())
    for fold in range(folds):
        assert abs(np.count_nonzero(found == fold) - count / folds) <= largest + 1
    if given_ is not None:
        assert all(len(set(found[given_ == unit].tolist())) == 1 for unit in set(units or ()))


def test_a_weak_model_needs_images_and_classes() -> None:
    with pytest.raises(PluginError, match="depends on the images"):
        ModelConfusion()(LABELS, context(images=None))
    with pytest.raises(PluginError, match="at least 2 classes outside of each fold"):
        ModelConfusion()(np.zeros(ROWS, np.int64), context())
    with pytest.raises(PluginError, match="at least 2 classes outside of each fold"):
        ModelConfusion()(LABELS, context(subjects=np.zeros(ROWS, np.int64)))
    with pytest.raises(PluginError, match="expected a rate where exact is set"):
        ModelConfusion(exact=True)
