import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fer_audit.metrics.claims import check_claim

OURS = {"macs": 64_673_166, "flops": 129_346_332, "keras_flops": 134_655_852}
THEIRS = {"macs": 149_730_000, "flops": 299_460_000, "fvcore": 154_180_000}

COUNTS = st.dictionaries(
    st.sampled_from(["macs", "flops", "tf_profiler", "params"]), st.integers(1, 10**12), min_size=1
)


def names(pairs):
    return [(pair.ours, pair.theirs) for pair in pairs]


def test_the_published_claim_mixes_units():
    check = check_claim(12.66, 2, OURS, THEIRS)
    assert check.reproduced
    assert not check.honest
    assert names(check.reproducing) == [("keras_flops", "fvcore")]
    assert check.reproducing[0].reduction == pytest.approx(12.6632, abs=5e-5)
    assert {pair.ours: round(pair.reduction, 1) for pair in check.one_unit} == {"macs": 56.8, "flops": 56.8}


def test_an_honest_claim_is_reproduced_in_one_unit():
    check = check_claim(56.8, 1, OURS, THEIRS)
    assert check.honest
    assert names(check.reproducing) == [("flops", "flops"), ("macs", "macs")]


def test_like_units_come_first():
    # 1 - 5/10 either way; the mixed pair is listed after the like one.
    check = check_claim(50, 0, {"macs": 5, "flops": 10}, {"macs": 10, "flops": 20})
    assert names(check.reproducing) == [("flops", "flops"), ("macs", "macs")]
    check = check_claim(50, 0, {"a": 5, "macs": 5}, {"macs": 10})
    assert names(check.reproducing) == [("macs", "macs"), ("a", "macs")]


def test_a_claim_that_nothing_reproduces_has_its_nearest():
    check = check_claim(33.3, 1, OURS, THEIRS)
    assert not check.reproduced
    assert not check.honest
    # 1 - 134.66/149.73 = 10.1 %, 1 - 129.35/149.73 = 13.6 %, ..., 1 - 134.66/299.46 = 55.0 %
    assert names(check.nearest) == [("flops", "fvcore")]
    assert check.nearest[0].difference == pytest.approx(100 * (1 - 129_346_332 / 154_180_000) - 33.3)


def test_near_pairs_are_named_beside_those_that_reproduce():
    check = check_claim(12.66, 2, {"a": 87.34, "b": 88.0, "c": 90.0}, {"x": 100.0})
    assert names(check.reproducing) == [("a", "x")]
    assert names(check.nearest) == [("b", "x")]
    assert check.nearest[0].difference == pytest.approx(-0.66)


def test_digits_are_those_printed():
    ours, theirs = {"macs": 43.2}, {"macs": 100}
    assert check_claim(57, 0, ours, theirs).reproduced
    assert not check_claim(57.0, 1, ours, theirs).reproduced
    # Exactly half a digit may be printed either way.
    assert check_claim(12.5, 1, {"macs": 87.45}, theirs).reproduced
    assert check_claim(12.6, 1, {"macs": 87.45}, theirs).reproduced


def test_a_remark_does_not_change_the_unit():
    (pair,) = check_claim(10, 0, {"fvcore": 90}, {"fvcore (published)": 100}).reproducing
    assert pair.like_units
    assert not check_claim(10, 0, {"fvcore": 90}, {"fvcores": 100}).reproducing[0].like_units


def test_more_is_a_negative_saving():
    assert check_claim(-50, 0, {"macs": 15}, {"macs": 10}).honest


def test_counts_of_nothing_are_left_out():
    check = check_claim(50, 0, {"macs": 5}, {"macs": 0, "flops": 10})
    assert names(check.reproducing) == [("macs", "flops")]
    assert check.one_unit == ()
    for arguments in ((50, 0, {"macs": 5}, {"macs": 0}), (math.nan, 0, OURS, THEIRS), (50, -1, OURS, THEIRS)):
        with pytest.raises(ValueError, match="expected"):
            check_claim(*arguments)


@given(COUNTS, COUNTS, st.data(), st.integers(0, 4))
def test_a_planted_pair_is_found(ours, theirs, data, digits):
    unit, against = data.draw(st.sampled_from(sorted(ours))), data.draw(st.sampled_from(sorted(theirs)))
    planted = 100 * (1 - ours[unit] / theirs[against])
    assume(abs(planted) < 1e6)
    check = check_claim(round(planted, digits), digits, ours, theirs)
    assert (unit, against) in names(check.reproducing)
    assert check.honest or unit != against
    assert len(set(names(check.reproducing)) & set(names(check.nearest))) == 0


@given(COUNTS, COUNTS, st.floats(-100, 100), st.integers(0, 4))
def test_what_reproduces_does_and_what_does_not_is_further_off(ours, theirs, claimed, digits):
    check = check_claim(claimed, digits, ours, theirs)
    every = [100 * (1 - a / b) for a in ours.values() for b in theirs.values()]
    agreeing = [value for value in every if abs(value - claimed) <= 0.5 * 10**-digits + 1e-9]
    assert len(check.reproducing) == len(agreeing)
    if not check.reproduced:
        assert abs(check.nearest[0].difference) == min(abs(value - claimed) for value in every)
