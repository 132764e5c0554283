import dataclasses
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from fer_audit.canary_section import Canaries, CanaryKind
from fer_audit.data.cached import keep_cached, open_cached
from fer_audit.data.canaries import plant
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.errors import DataError
from fer_audit.store import Store

KINDS = get_args(CanaryKind)
FROM_POOL = ("mislabelled", "duplicates")
POOL, COUNT = 60, 20


def rows(count, first, seed, known=True):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    return Rows(
        images=rng.integers(0, 256, (count, 6, 6, 3), np.uint8),
        labels=labels,
        names=tuple(f"{seed}-{row}" for row in range(count)),
        subjects=first + np.arange(count) // 3 if known else None,
        attributes={"age": tuple("young" if row % 2 else "old" for row in range(count))},
        masks=rng.random((count, 6, 6)) < 0.5 if known else None,
        votes=np.eye(4)[labels] if known else None,
        copies=first + np.arange(count) if known else None,
        traits=rng.random((count, 5)) if known else None,
    )


def data(known=True):
    splits = {"pool": rows(POOL, 0, 1, known), "test": rows(12, 100, 2, known), "population": rows(0, 200, 3, known)}
    return FaceData(classes=("a", "b", "c", "d"), drawn=True, **splits)


def planted(kind, seed=0, count=COUNT, copies=None, faces=None, labels=None):
    faces = faces or data()
    labels = np.asarray(faces.pool.labels) if labels is None else labels
    return plant(faces, labels, Canaries(kind=kind, count=count, copies=copies), seed)


def content(rows):
    return [getattr(rows, each.name) for each in dataclasses.fields(rows)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", [True, False])
def test_canaries_stand_behind_a_pool_that_stays_as_it_was(kind, known, tmp_path):
    faces = data(known)
    found = planted(kind, faces=faces)
    np.testing.assert_equal(content(found.data.pool.take(np.arange(POOL))), content(faces.pool))
    np.testing.assert_equal(content(found.data.test), content(faces.test))
    assert found.data.pool.names[POOL:] == tuple(f"canary-{number}" for number in range(COUNT))
    assert found.data.pool.images.shape == (POOL + COUNT, 6, 6, 3)
    assert found.data.pool.images.dtype == np.uint8
    for column in content(found.data.pool):
        values = list(column.values()) if isinstance(column, dict) else [column]
        assert {len(value) for value in values if value is not None} <= {POOL + COUNT}
    np.testing.assert_equal(found.labels[:POOL], faces.pool.labels)
    assert len(found.labels) == POOL + COUNT
    store = Store(tmp_path)
    address = keep_cached(store, found.data)
    np.testing.assert_equal(content(open_cached(store, address).pool), content(found.data.pool))
    assert keep_cached(store, found.data) == address


def test_a_kept_dataset_has_another_address_where_anything_differs(tmp_path):
    store, faces = Store(tmp_path), data()
    moved = dataclasses.replace(faces.pool, masks=~faces.pool.masks)
    named = dataclasses.replace(faces.pool, names=faces.pool.names[::-1])
    pools = [faces.pool, moved, named, dataclasses.replace(faces.pool, copies=None)]
    assert len({keep_cached(store, dataclasses.replace(faces, pool=pool)) for pool in pools}) == len(pools)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("copies", [None, 1, 3])
def test_a_training_has_the_other_rows_and_the_canaries_whose_coin_says_so(kind, copies):
    found = planted(kind, copies=copies)
    repeats = copies or (2 if kind == "duplicates" else 1)
    always = [row for row in range(POOL) if row not in found.source]
    expected = [POOL + number for number in np.flatnonzero(found.included) for _ in range(repeats)]
    assert found.rows.tolist() == always + expected
    assert found.most_rows == len(always) + COUNT * repeats
    assert len(always) == (POOL - COUNT if kind in FROM_POOL else POOL)


def test_what_is_public_of_a_training_does_not_depend_on_the_coins():
    found = [planted("duplicates", seed) for seed in range(20)]
    assert len({one.most_rows for one in found}) == 1
    assert len({len(one.rows) for one in found}) > 1


@given(st.integers(0, 10_000), st.booleans())
def test_a_mislabelled_canary_is_a_row_with_a_label_that_nobody_gave_it(seed, corrupted):
    faces = data()
    true = np.asarray(faces.pool.labels)
    labels = (true + np.arange(POOL) % 3) % 4 if corrupted else true
    found = planted("mislabelled", seed, labels=labels)
    assert len(set(found.source.tolist())) == COUNT
    np.testing.assert_equal(found.data.pool.images[POOL:], faces.pool.images[found.source])
    np.testing.assert_equal(found.data.pool.subjects[POOL:], faces.pool.subjects[found.source])
    canaries = found.labels[POOL:]
    assert not np.any(canaries == true[found.source])
    assert not np.any(canaries == labels[found.source])
    assert set(canaries.tolist()) <= set(range(4))


def test_wrong_labels_are_uniform_over_the_others():
    faces = data()
    seeds = 200
    steps = np.concatenate(
        [
            (found.labels[POOL:] - np.asarray(faces.pool.labels)[found.source]) % 4
            for found in (planted("mislabelled", seed) for seed in range(seeds))
        ]
    )
    low, high = binom.ppf([0.0005, 0.9995], COUNT * seeds, 1 / 3)
    assert all(low <= np.count_nonzero(steps == step) <= high for step in (1, 2, 3))  # false alarm: 0.3 %


def test_duplicates_keep_the_given_label():
    labels = np.random.default_rng(0).integers(0, 4, POOL)
    found = planted("duplicates", labels=labels)
    np.testing.assert_equal(found.labels[POOL:], labels[found.source])
    np.testing.assert_equal(found.data.pool.images[POOL:], data().pool.images[found.source])


def test_rows_with_a_copy_in_the_pool_are_no_sources():
    faces = data()
    copies = np.where(np.arange(POOL) < 40, np.arange(POOL) // 2, np.arange(POOL))
    faces = dataclasses.replace(faces, pool=dataclasses.replace(faces.pool, copies=copies))
    assert set(planted("mislabelled", faces=faces).source.tolist()) == set(range(40, 60))
    with pytest.raises(DataError, match="60 rows, 20 of them without a copy"):
        planted("duplicates", count=21, faces=faces)


def test_blank_canaries_have_one_colour_each_and_no_two_the_same():
    images = planted("blank", count=500).data.pool.images[POOL:]
    assert np.all(images == images[:, :1, :1])
    assert len(np.unique(images[:, 0, 0], axis=0)) == 500


def test_noise_and_labels_are_uniform():
    found = planted("out-of-distribution", count=1000)
    pixels, labels = found.data.pool.images[POOL:], found.labels[POOL:]
    # Standard errors: 73.9 / sqrt(108,000) = 0.22 grey levels of the mean, and as much for halves of the pixels.
    assert abs(pixels.mean() - 127.5) < 1.1
    assert (pixels.min(), pixels.max()) == (0, 255)
    low, high = binom.ppf([0.0005, 0.9995], 1000, 1 / 4)
    assert all(low <= np.count_nonzero(labels == label) <= high for label in range(4))  # false alarm: 0.4 %


@pytest.mark.parametrize("kind", ["blank", "out-of-distribution"])
def test_what_is_drawn_is_nobody_and_a_copy_of_nothing(kind):
    found = planted(kind)
    pool, others = found.data.pool, (found.data.test, found.data.population)
    for column in ("subjects", "copies"):
        new = getattr(pool, column)[POOL:]
        known = np.concatenate([getattr(pool, column)[:POOL], *(getattr(rows, column) for rows in others)])
        assert len(set(new.tolist())) == COUNT
        assert not set(new.tolist()) & set(known.tolist())
    assert len(np.unique(pool.units[POOL:])) == COUNT
    assert not pool.masks[POOL:].any()
    assert set(pool.attributes["age"][POOL:]) == {"canary"}
    assert np.all(found.source == -1)


def test_coins_are_fair_independent_and_those_of_the_seed():
    seeds = 400
    coins = np.array([planted("blank", seed).included for seed in range(seeds)])
    np.testing.assert_equal(coins[7], planted("blank", 7).included)
    assert len(np.unique(coins, axis=0)) == seeds
    # False alarm: 0.1 % of all coins together, and 0.1 % of neighbours that agree.
    low, high = binom.ppf([0.0005, 0.9995], coins.size, 0.5)
    assert low <= coins.sum() <= high
    agree = coins[:, 1:] == coins[:, :-1]
    low, high = binom.ppf([0.0005, 0.9995], agree.size, 0.5)
    assert low <= agree.sum() <= high


def test_coins_have_a_stream_of_their_own():
    kinds = [planted(kind, 3) for kind in KINDS]
    for found in kinds:
        np.testing.assert_equal(found.included, kinds[0].included)
    np.testing.assert_equal(planted("blank", 3, count=40).included[:COUNT], kinds[0].included)
    streams = [np.random.default_rng(3), *(np.random.default_rng([3, pair]) for pair in range(8))]
    assert all(np.any((rng.random(COUNT) < 0.5) != kinds[0].included) for rng in streams)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_and_labels_are_those_of_the_seed(kind):
    one, same, other = (planted(kind, seed) for seed in (5, 5, 6))
    np.testing.assert_equal(content(one.data.pool), content(same.data.pool))
    np.testing.assert_equal(one.labels, same.labels)
    assert not np.array_equal(one.data.pool.images, other.data.pool.images)


@pytest.mark.parametrize("kind", FROM_POOL)
def test_more_canaries_than_rows_are_refused(kind):
    assert len(planted(kind, count=POOL - 1).rows) >= 1
    with pytest.raises(DataError, match=r"can't make 60 .* of a pool with 60 rows.*set a lower canaries.count"):
        planted(kind, count=POOL)


def test_two_classes_leave_no_wrong_label_where_labels_are_corrupted():
    faces = data()
    true = np.asarray(faces.pool.labels) % 2
    faces = dataclasses.replace(faces, classes=("a", "b"), pool=dataclasses.replace(faces.pool, labels=true))
    found = planted("mislabelled", faces=faces)
    np.testing.assert_equal(found.labels[POOL:], 1 - true[found.source])
    with pytest.raises(DataError, match="three or more classes where labels are corrupted, received 2"):
        planted("mislabelled", faces=faces, labels=1 - true)


def test_labels_of_another_pool_are_refused():
    with pytest.raises(DataError, match=r"one given label a row of the pool, 60, received an array of shape \(3,\)"):
        planted("blank", labels=np.zeros(3, np.int64))
