"""Whether outputs stand for the classes that they are said to stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.metrics.class_order import order_of, order_warnings, scaling_hint

CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")


def answered(rng, rows, accuracy):
    """Labels of seven classes, and predictions that are right with that probability and else by chance."""
    labels = rng.integers(0, 7, rows)
    return labels, np.where(rng.random(rows) < accuracy, labels, rng.integers(0, 7, rows))


@settings(deadline=None)  # the first call imports SciPy
@given(st.permutations(range(7)), st.integers(0, 1000))
def test_any_other_order_is_found_and_its_names_mend_it(permutation, seed):
    labels, right = answered(np.random.default_rng(seed), 600, 0.7)
    outputs = np.argsort(permutation)  # output p says class permutation[p]
    order = order_of(labels, outputs[right], CLASSES)
    if list(permutation) == list(range(7)):
        assert not order.permuted
        assert order_warnings(order) == []
    else:
        assert order.best == tuple(permutation)
        (said,) = order_warnings(order)
        assert ",".join(CLASSES[place] for place in permutation) in said
        assert "labels look permuted: your class" in said


def test_two_classes_that_are_swapped_are_found():
    labels, right = answered(np.random.default_rng(0), 1400, 0.6)
    swapped = np.array([0, 1, 2, 4, 3, 5, 6])[right]
    assert order_of(labels, swapped, CLASSES).best == (0, 1, 2, 4, 3, 5, 6)


def test_guesses_are_near_chance_and_seldom_called_permuted():
    found = [order_of(*answered(np.random.default_rng(seed), 700, 0.0), CLASSES) for seed in range(400)]
    assert sum(order.permuted for order in found) == 0
    assert np.mean([order.near_chance for order in found]) > 0.9
    assert "near chance" in order_warnings(found[0])[0]


@pytest.mark.parametrize("accuracy", [0.2, 0.4, 0.8])
def test_a_model_that_has_learnt_something_in_our_order_is_left_alone(accuracy):
    for seed in range(50):
        order = order_of(*answered(np.random.default_rng(seed), 1400, accuracy), CLASSES)
        assert order_warnings(order) == []


def test_one_answer_for_all_is_near_chance_and_no_order():
    labels = np.random.default_rng(1).integers(0, 7, 700)
    order = order_of(labels, np.full(700, 3), CLASSES)
    assert not order.permuted
    assert order.near_chance
    assert order.balanced == pytest.approx(1 / 7)


def test_few_rows_say_nothing():
    labels = np.arange(28) % 7
    order = order_of(labels, (labels + 1) % 7, CLASSES)
    assert not order.permuted


def test_classes_without_rows_do_not_count_against_a_model():
    labels = np.arange(300) % 3
    order = order_of(labels, labels, CLASSES)
    assert (order.balanced, order.chance, order.near_chance) == (1.0, pytest.approx(1 / 3), False)


def test_no_rows_at_all():
    nothing = np.empty(0, np.int64)
    assert order_warnings(order_of(nothing, nothing, CLASSES)) == []


def test_another_preprocessing_is_named_only_where_it_is_much_better():
    tried = {"scaling 0..255, colour rgb": 0.15, "scaling -1..1, colour rgb": 0.87, "scaling 0..1, colour rgb": 0.4}
    hint = scaling_hint(tried, 500)
    assert hint.startswith("with scaling -1..1, colour rgb accuracy would be 87% on 500 of the rows")
    assert scaling_hint({"a": 0.5, "b": 0.65}, 500) is None
