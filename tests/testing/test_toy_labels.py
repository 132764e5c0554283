from __future__ import annotations

import numpy as np

from fer_audit.attacks.model_confusion import ModelConfusion
from fer_audit.testing.toy_labels import ROWS, toy_labels


def test_a_weak_model_errs_on_more_than_half_and_learns_something() -> None:
    toy = toy_labels()
    assert 0.55 < ModelConfusion()(toy.labels, toy.context(0)).rate < 0.75


def test_rows_keep_what_belongs_to_them() -> None:
    toy = toy_labels()
    rows = np.array([7, 3, 1999])
    few = toy.take(rows)
    assert few.names == tuple(toy.names[row] for row in rows)
    np.testing.assert_array_equal(few.labels, toy.labels[rows])
    np.testing.assert_array_equal(few.images, toy.images[rows])
    np.testing.assert_array_equal(few.subjects, toy.subjects[rows])


def test_fewer_classes_have_no_test_rows_of_others() -> None:
    toy = toy_labels()
    few = toy.take(np.flatnonzero(toy.labels < 2), toy.classes[:2])
    assert set(few.test_labels.tolist()) == {0, 1}
    assert len(few.test_names) == len(few.test_labels) == (toy.test_labels < 2).sum()


def test_rounding_up_and_down_both_show() -> None:
    assert round(0.2 * ROWS) == np.floor(0.2 * ROWS) < np.ceil(0.2 * ROWS)
    assert round(0.3 * ROWS) == np.ceil(0.3 * ROWS) > np.floor(0.3 * ROWS)
