import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.data.splits import SplitParameters, membership_matrix, split_by_subject
from fer_audit.errors import DataError


@st.composite
def rows(draw):
    """Labels and subjects (or None) of up to 60 rows, at least two subjects."""
    count = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(0, draw(st.integers(1, 7)), count)
    if draw(st.booleans()):
        return labels, None
    subjects = rng.integers(0, draw(st.integers(2, 30)), count) * 7 - 3
    subjects[:2] = [-3, 4]
    return labels, subjects


def whole(subjects, assignment):
    return all(len(set(assignment[subjects == subject].tolist())) == 1 for subject in np.unique(subjects))


@settings(max_examples=80, deadline=None)
@given(rows(), st.integers(0, 2**32), st.integers(1, 4))
def test_membership_is_halved_by_subject(data, seed, pairs):
    labels, subjects = data
    keep = membership_matrix(2 * pairs, labels, subjects, seed)
    assert keep.shape == (2 * pairs, len(labels))
    assert keep.dtype == np.bool_
    for models in range(2, 2 * pairs + 1, 2):
        assert (keep[:models].sum(axis=0) == models // 2).all()
    assert np.array_equal(keep[0::2], ~keep[1::2])
    if subjects is not None:
        assert all(whole(subjects, row) for row in keep)


@settings(max_examples=40, deadline=None)
@given(rows(), st.integers(0, 2**32))
def test_more_models_leave_the_earlier_ones_alone(data, seed):
    few, many = (membership_matrix(models, *data, seed) for models in (4, 10))
    assert np.array_equal(few, many[:4])


@settings(max_examples=40, deadline=None)
@given(rows(), st.integers(0, 2**32))
def test_halves_are_balanced_in_every_class(data, seed):
    labels, _ = data
    for member in membership_matrix(2, labels, None, seed):
        assert abs(2 * member.sum() - len(labels)) <= 1
        for label in np.unique(labels):
            # Pairs that straddle two classes may tip each of them by one at either end.
            assert abs(2 * member[labels == label].sum() - (labels == label).sum()) <= 2


@settings(max_examples=40, deadline=None)
@given(rows(), st.integers(0, 2**32))
def test_renaming_subjects_in_order_changes_nothing(data, seed):
    labels, subjects = data
    if subjects is not None:
        renamed = np.unique(subjects, return_inverse=True)[1]
        assert np.array_equal(membership_matrix(4, labels, subjects, seed), membership_matrix(4, labels, renamed, seed))


def test_each_subject_is_a_member_half_of_the_time_whatever_its_label():
    labels = np.repeat([0, 0, 0, 1, 2], [5, 1, 2, 3, 1])
    subjects = np.repeat(np.arange(5), [5, 1, 2, 3, 1])
    share = membership_matrix(8000, labels, subjects, 3)[0::2].mean(axis=0)
    assert np.abs(share - 0.5).max() < 4 * 0.5 / np.sqrt(4000)


def test_pairs_are_drawn_anew_and_follow_the_seed():
    labels = np.arange(40) % 7
    keep = membership_matrix(8, labels, None, 0)
    assert len({row.tobytes() for row in keep}) == 8
    assert not np.array_equal(keep, membership_matrix(8, labels, None, 1))


@pytest.mark.parametrize("models", [0, 1, 3, -2])
def test_models_come_in_pairs(models):
    with pytest.raises(DataError, match=f"even number of at least 2, received {models}"):
        membership_matrix(models, np.zeros(4, np.int64), None, 0)


def test_one_subject_cannot_be_halved():
    with pytest.raises(DataError, match="at least 2 subjects, received 1"):
        membership_matrix(2, np.zeros(4, np.int64), np.zeros(4, np.int64), 0)


def test_subjects_must_be_as_many_as_rows():
    with pytest.raises(DataError, match="3 subjects of 4 rows"):
        membership_matrix(2, np.zeros(4, np.int64), np.zeros(3, np.int64), 0)


FRACTIONS = st.sampled_from([(0.75, 0.25), (0.5, 0.3, 0.2), (0.8, 0.2, 0.0), (1.0,)])


@settings(max_examples=80, deadline=None)
@given(rows(), FRACTIONS, st.integers(0, 2**32))
def test_split_keeps_subjects_whole_and_shares_alike(data, fractions, seed):
    labels, subjects = data
    part = split_by_subject(labels, subjects, fractions, np.random.default_rng(seed))
    assert part.shape == labels.shape
    assert set(part.tolist()) <= {index for index, fraction in enumerate(fractions) if fraction}
    if subjects is not None:
        assert whole(subjects, part)
        return
    for label in np.unique(labels):
        counts = np.bincount(part[labels == label], minlength=len(fractions))
        assert (np.abs(counts - np.array(fractions) * counts.sum()) < 1).all()


@settings(max_examples=40, deadline=None)
@given(rows(), FRACTIONS, st.integers(0, 2**32))
def test_a_split_is_a_function_of_its_seed(data, fractions, seed):
    first, second = (split_by_subject(*data, fractions, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.2, -0.2)])
def test_fractions_sum_to_one(fractions):
    with pytest.raises(DataError, match="sum to 1, received"):
        split_by_subject(np.zeros(4, np.int64), None, fractions, np.random.default_rng(0))


def test_something_must_be_left_to_train_on():
    with pytest.raises(DataError, match=r"below 1, received 0\.5 \+ 0\.5"):
        SplitParameters(test_fraction=0.5, population_fraction=0.5).fractions()


def test_people_with_many_rows_are_shared_out_like_those_with_few():
    """Twenty people have forty rows each, four hundred have one: both kinds are in the test split by its share."""
    subjects = np.concatenate([np.repeat(np.arange(20), 40), 100 + np.arange(400)])
    labels = np.zeros(len(subjects), np.int64)
    part = split_by_subject(labels, subjects, [0.75, 0.25], np.random.default_rng(0))
    of_person = {subject: part[subjects == subject][0] for subject in np.unique(subjects)}
    assert sum(of_person[person] for person in range(20)) == 5
    assert sum(of_person[100 + person] for person in range(400)) == 100
