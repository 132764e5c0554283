import numpy as np
import pytest

from fer_audit.data import hygiene
from fer_audit.data.copies import find_copies
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.hygiene import check_hygiene, invalid_reason


def rows(images, subjects=None, labels=None, copies=None):
    count = len(images)
    labels = np.arange(count) % 2 if labels is None else np.array(labels)
    return Rows(images, labels.astype(np.int64), tuple(map(str, range(count))), subjects, copies=copies)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (400, 16, 16, 3), np.uint8)


def data(pool, test, population=None):
    empty = rows(np.empty((0, 16, 16, 3), np.uint8))
    return FaceData(("fear", "anger"), pool, test, population or empty, drawn=False, remarks=("2 rows left out",))


def test_copies_are_counted_within_and_across_splits(images):
    pool = images[[0, 1, 2, 0, 3]]
    test = images[[4, 0, 1, 5]].copy()
    test[2, 0, 0, 0] ^= 1  # a near copy
    labels = [0, 0, 1, 0, 1], [0, 1, 0, 1]
    found = check_hygiene(data(rows(pool, labels=labels[0]), rows(test, labels=labels[1])), {})
    assert (found.exact.groups, found.exact.rows, found.exact.conflicting_groups) == (1, 3, 1)
    assert found.exact.across == {"test rows with a copy in train": 1}
    assert (found.near.groups, found.near.rows) == (2, 5)
    assert found.near.across == {"test rows with a copy in train": 2}
    assert found.remarks == ["2 rows left out"]


def test_groups_that_are_known_are_not_sought_again(images):
    both = np.concatenate([images[:6], images[:3]])
    near = find_copies(both).near
    found = check_hygiene(data(rows(both[:6], copies=near[:6]), rows(both[6:], copies=near[6:])), {})
    assert found.near.across == {"test rows with a copy in train": 3}


def test_people_on_both_sides_are_counted_where_they_are_known(images):
    people = np.array([1, 1, 2, 3]), np.array([3, 4, 1])
    found = check_hygiene(data(rows(images[:4], people[0]), rows(images[4:7], people[1])), {})
    assert found.shared_subjects == {"train and test": 2}
    assert check_hygiene(data(rows(images[:4]), rows(images[4:7])), {}).shared_subjects == {}


def test_a_half_that_can_be_told_without_a_model_makes_its_seed_invalid(images):
    bright = images.copy()
    keep = np.random.default_rng(1).random((2, 2, 300)) < 0.5
    keep[:, 1] = ~keep[:, 0]
    bright[:300][keep[1, 0]] //= 2
    found = check_hygiene(data(rows(bright[:300]), rows(bright[300:])), {0: keep[0], 5: keep[1]})
    assert [check.seed for check in found.blind] == [None, 0, 5]
    assert invalid_reason(found, 0) == ""
    reason = invalid_reason(found, 5)
    assert "members of models 0 and 1, seed 5 can be told from non-members" in reason
    # Three checks share the risk.
    assert found.blind[0].auc.confidence == pytest.approx(1 - 0.05 / 3)


def test_small_datasets_are_not_judged(images):
    keep = np.array([[True, False] * 5, [False, True] * 5])
    found = check_hygiene(data(rows(images[:10]), rows(images[10:16])), {0: keep})
    assert [check.auc.value for check in found.blind] == [None, None]
    assert invalid_reason(found, 0) == ""


def test_of_a_large_split_a_part_is_looked_at(images, monkeypatch):
    monkeypatch.setattr(hygiene, "_EXAMINED", 150)
    keep = np.array([np.arange(300) % 2 == 0, np.arange(300) % 2 == 1])
    found = check_hygiene(data(rows(images[:300]), rows(images[300:])), {0: keep})
    assert [check.auc.n for check in found.blind] == [250, 150]
