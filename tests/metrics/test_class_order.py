"""Whether outputs stand for the classes that they are said to stand for."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.metrics.class_order import better_names, order_of, order_warnings, scaling_hint

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


#: Shares of the classes in the test splits of RAF-DB and FER2013 (private), where happiness has 39 % and 24 %.
SHARES = {
    "even": np.full(7, 1 / 7),
    "rafdb": np.array([680, 1185, 478, 329, 74, 160, 162]) / 3068,
    "fer2013": np.array([626, 879, 594, 416, 528, 55, 491]) / 3589,
}


@pytest.mark.parametrize("rows", [70, 300, 2000])
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
def test_answers_that_know_nothing_are_not_called_permuted(rows, shares):
    called = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = rng.choice(7, rows, p=shares)
        even, skewed = rng.integers(0, 7, rows), rng.choice(7, rows, p=rng.dirichlet(np.full(7, 0.3)))
        called += sum(order_of(labels, predicted, CLASSES).permuted for predicted in (even, skewed))
    assert called <= 2  # of 200


def test_guesses_are_near_chance():
    found = [order_of(*answered(np.random.default_rng(seed), 700, 0.0), CLASSES) for seed in range(200)]
    assert np.mean([order.near_chance for order in found]) > 0.9
    assert "near chance" in order_warnings(found[0])[0]


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
def test_a_class_that_is_always_mistaken_for_another_is_no_order(shares):
    for seed, (mistaken, for_what) in enumerate(itertools.permutations(range(7), 2)):
        rng = np.random.default_rng(seed)
        labels = rng.choice(7, 2000, p=shares)
        predicted = np.where(rng.random(2000) < 0.85, labels, rng.integers(0, 7, 2000))
        predicted[(labels == mistaken) & (rng.random(2000) < 0.95)] = for_what
        assert not order_of(labels, predicted, CLASSES).permuted


def rows_of(*groups):
    """Labels and predictions of groups (label, prediction, rows), shuffled."""
    pairs = np.concatenate([np.tile([label, predicted], (rows, 1)) for label, predicted, rows in groups])
    return np.random.default_rng(0).permutation(pairs).T


#: All other classes as they are.
RIGHT = [(label, label, 200) for label in (0, 1, 2)]


def test_two_classes_that_are_mistaken_for_two_rarer_ones_are_no_order():
    # Both swaps would make 600 more rows right, and both rarer classes wrong.
    mistaken = [(3, 4, 400), (4, 4, 100), (5, 6, 400), (6, 6, 100)]
    assert not order_of(*rows_of(*RIGHT, *mistaken), CLASSES).permuted


def test_one_class_that_asks_for_an_output_is_no_order():
    # Surprise is answered with fear, and fear with neutral: nothing asks for the output of surprise.
    assert not order_of(*rows_of(*RIGHT, (3, 4, 400), (4, 0, 100), (5, 5, 200), (6, 6, 200)), CLASSES).permuted


@pytest.mark.parametrize(("more", "permuted"), [(1200, False), (3000, True)])
def test_an_order_that_fits_hardly_better_than_guesses_is_not_named(more, permuted):
    # Of each class 7,000 rows are answered evenly, `more` with the next output: .27 or .40 fit. Twice chance is .29.
    even = [(label, answer, 1000) for label in range(7) for answer in range(7)]
    order = order_of(*rows_of(*even, *((label, (label + 1) % 7, more) for label in range(7))), CLASSES)
    assert order.permuted == permuted
    assert order.best_accuracy == pytest.approx((1000 + more) / (7000 + more), abs=0.01)


@pytest.mark.parametrize("accuracy", [0.2, 0.4, 0.8])
def test_a_model_that_has_learnt_something_in_our_order_is_left_alone(accuracy):
    for seed in range(50):
        order = order_of(*answered(np.random.default_rng(seed), 1400, accuracy), CLASSES)
        assert order_warnings(order) == []


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("answer", range(7))
def test_one_answer_for_all_is_near_chance_and_no_order(answer, shares):
    labels = np.random.default_rng(answer).choice(7, 2000, p=shares)
    order = order_of(labels, np.full(2000, answer), CLASSES)
    assert not order.permuted
    assert order.near_chance
    assert order.balanced == pytest.approx(1 / 7)


@pytest.mark.parametrize("order", [(1, 0, 3, 2), (2, 3, 0, 1), (1, 2, 3, 0), (3, 2, 1, 0)])
@pytest.mark.parametrize("sort", [False, True], ids=["in turn", "one class after the other"])
def test_how_the_rows_are_sorted_hides_no_order(order, sort):
    labels = np.arange(400) % 4
    labels = np.sort(labels) if sort else labels
    assert order_of(labels, np.argsort(order)[labels], CLASSES[:4]).best == order


def test_two_classes_can_be_swapped_too_and_are_near_chance_later():
    labels = np.arange(400) % 2
    assert order_of(labels, 1 - labels, CLASSES[:2]).best == (1, 0)
    wrong = np.arange(4000) % 10 < 3
    labels = np.arange(4000) // 10 % 2
    seven_of_ten = order_of(labels, labels ^ wrong, CLASSES[:2])
    assert (seven_of_ten.accuracy, seven_of_ten.near_chance, seven_of_ten.permuted) == (0.7, False, False)


def test_the_limit_of_balanced_accuracy_by_hand():
    # 2 classes, each 50 of 100 right: Wilson's limit at 99 %, and the mean of two is uncertain by 1 / sqrt(2) of one.
    z = 2.5758293
    above = z / (1 + z**2 / 100) * (0.25 / 100 + z**2 / (4 * 100**2)) ** 0.5
    labels = np.repeat([0, 1], 100)
    order = order_of(labels, np.arange(200) % 2, CLASSES[:2])
    assert order.highest == pytest.approx(0.5 + above / 2**0.5, abs=1e-6)
    assert order.near_chance == (order.highest < 0.625)


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
    assert scaling_hint({"a": 0.5, "b": 0.58}, 500) is None


def test_few_rows_name_no_preprocessing():
    tried = {"a": 0.2, "b": 0.45}
    assert scaling_hint(tried, 30) is None
    assert scaling_hint(tried, 300) is not None


@given(st.permutations(range(7)), st.permutations(range(7)), st.integers(0, 1000))
def test_what_outputs_were_said_to_stand_for_is_mended_whatever_was_said(said, truth, seed):
    """The names that are told are those of the outputs in the model's order, not in the dataset's."""
    declared, true = (tuple(CLASSES[place] for place in order) for order in (said, truth))
    labels, right = answered(np.random.default_rng(seed), 1400, 0.8)
    output = np.array([true.index(name) for name in CLASSES])[right]  # what the model answers
    predicted = np.array([CLASSES.index(name) for name in declared])[output]  # as it is understood
    order = order_of(labels, predicted, CLASSES)
    if order.permuted:
        assert better_names(order, declared) == true
        (warning,) = order_warnings(order, declared)
        assert f"--classes {','.join(true)}" in warning
    elif sum(one != other for one, other in zip(declared, true, strict=True)) > 2:
        pytest.fail("a permutation of more than two classes was missed")


def test_outputs_of_other_classes_keep_their_names():
    labels, right = answered(np.random.default_rng(0), 1400, 0.8)
    order = order_of(labels, np.array([1, 0, 2, 3, 4, 5, 6])[right], CLASSES)
    declared = ("contempt", *CLASSES)
    assert better_names(order, declared) == ("contempt", "happiness", "neutral", *CLASSES[2:])
