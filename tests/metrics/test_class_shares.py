"""Whether members and non-members are of the same classes."""

import numpy as np

from fer_audit.metrics.class_shares import shares_differ

CLASSES = ("neutral", "happiness", "sadness")


def drawn(rng, shares, rows):
    return rng.choice(3, rows, p=shares)


def test_one_draw_is_seldom_called_two():
    found = 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        labels = drawn(rng, (0.6, 0.3, 0.1), 200)
        found += bool(shares_differ(labels, rng.random(200) < 0.5, CLASSES))
    assert found <= 3


def test_members_of_one_class_are_told():
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.ones(200, np.int64), drawn(rng, (1 / 3, 1 / 3, 1 / 3), 300)])
    said = shares_differ(labels, np.arange(500) < 200, CLASSES)
    assert said.startswith("members and non-members are of other classes, such as happiness with 100% and ")


def test_a_small_difference_of_many_rows_is_left_alone():
    rng = np.random.default_rng(1)
    labels = np.concatenate([drawn(rng, (0.40, 0.35, 0.25), 50_000), drawn(rng, (0.37, 0.36, 0.27), 50_000)])
    assert shares_differ(labels, np.arange(100_000) < 50_000, CLASSES) == ""


def test_one_class_or_one_side_says_nothing():
    nothing = np.zeros(10, np.int64)
    assert shares_differ(nothing, np.arange(10) < 5, CLASSES) == ""
    assert shares_differ(np.arange(9) % 3, np.ones(9, np.bool_), CLASSES) == ""
