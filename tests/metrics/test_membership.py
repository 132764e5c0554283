from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import SignalsError
from fer_audit.metrics import membership
from fer_audit.results import Confusion

#: Few different values, so that ties are common, and both infinities.
values = st.one_of(st.integers(-4, 4).map(float), st.sampled_from([np.inf, -np.inf, -0.0]))
samples = st.lists(values, min_size=1, max_size=30).map(np.array)


def test_ties_are_counted_as_in_the_golden_fractions(golden: Path, expected: dict[str, Any]) -> None:
    with np.load(golden / "ties.npz") as file:
        pairs = {name: (file[f"{name}_members"], file[f"{name}_nonmembers"]) for name in expected["ties"]}
    assert len(pairs) == 10
    for name, (members, nonmembers) in pairs.items():
        entry = expected["ties"][name]
        assert membership.two_u(members, nonmembers) == entry["two_u"]
        assert membership.auc(members, nonmembers) == entry["auc"]
        for fpr, point in entry["tpr_at_fpr"].items():
            assert membership.tpr_at_fpr(members, nonmembers, float(fpr)) == point["tpr"], (name, fpr)
            threshold = membership.threshold_at_fpr(members, nonmembers, float(fpr))
            counts = membership.confusion(members, nonmembers, threshold)
            assert (counts.tp, counts.fp) == (point["tp"], point["fp"])


def test_every_golden_score_has_its_golden_summary(golden: Path, expected: dict[str, Any]) -> None:
    with np.load(golden / "world.npz") as world:
        keep = world["keep"]
    with np.load(golden / "scores.npz") as scores:
        for row in expected["attacks"]:
            members = keep[int(row.get("member_set", "keep[0]")[5:-1])]
            pair = scores[row["score"]][members], scores[row["score"]][~members]
            summary, fixed = row["summary"], row["summary"]["fixed_threshold"]
            assert membership.two_u(*pair) == summary["auc_two_u"]
            for fpr, point in summary["tpr_at_fpr"].items():
                assert membership.tpr_at_fpr(*pair, float(fpr)) == point["tpr"]
                # The golden threshold is the lowest that reaches this TPR; ours, the highest, has no more false alarms.
                counts = membership.confusion(*pair, membership.threshold_at_fpr(*pair, float(fpr)))
                assert counts.tp == point["tp"]
                assert counts.fp <= point["fp"]
            counts = membership.confusion(*pair, fixed["threshold"])
            assert counts == Confusion(**{name: fixed[name] for name in ("tp", "fp", "fn", "tn")})


def test_score_sets_have_their_golden_auc_and_tpr(golden: Path, expected: dict[str, Any]) -> None:
    with np.load(golden / "dp_scores.npz") as file:
        for name, entry in expected["dp_statistics"]["score_sets"].items():
            pair = file[f"{name}_in"], file[f"{name}_out"]
            assert membership.two_u(*pair) == entry["auc_two_u"]
            for fpr, point in entry["tpr_conservative"].items():
                assert membership.tpr_at_fpr(*pair, float(fpr)) == point["tpr"]


@given(samples, samples)
def test_auc_is_the_definition(members: np.ndarray, nonmembers: np.ndarray) -> None:
    wins = sum(2 * int(x > y) + int(x == y) for x in members for y in nonmembers)
    assert membership.two_u(members, nonmembers) == wins
    assert membership.two_u(nonmembers, members) == 2 * len(members) * len(nonmembers) - wins
    assert membership.auc(-members, -nonmembers) == pytest.approx(1 - membership.auc(members, nonmembers))


@given(samples, samples, st.randoms(use_true_random=False))
def test_order_and_monotone_transforms_do_not_matter(members: np.ndarray, nonmembers: np.ndarray, random: Any) -> None:
    before, after = membership.roc(members, nonmembers), membership.roc(np.arctan(members), np.arctan(nonmembers))
    shuffled = membership.roc(np.array(random.sample(list(members), len(members))), nonmembers)
    for curve in (after, shuffled):
        np.testing.assert_array_equal(before.tp, curve.tp)
        np.testing.assert_array_equal(before.fp, curve.fp)


@given(samples, samples, st.floats(0, 1))
def test_tpr_at_fpr_is_the_best_of_all_thresholds(members: np.ndarray, nonmembers: np.ndarray, fpr: float) -> None:
    thresholds = {*members, *nonmembers}
    rates = [(0.0, 0.0), *(((nonmembers >= t).mean(), (members >= t).mean()) for t in thresholds)]
    best = max(tpr for false, tpr in rates if false <= fpr)
    assert membership.tpr_at_fpr(members, nonmembers, fpr) == best
    threshold = membership.threshold_at_fpr(members, nonmembers, fpr)
    counts = membership.confusion(members, nonmembers, threshold)
    assert counts.tp == round(best * len(members))
    assert counts.fp <= fpr * len(nonmembers) + 1e-9


@given(samples, samples)
def test_the_best_threshold_is_the_highest_of_the_best(members: np.ndarray, nonmembers: np.ndarray) -> None:
    chosen = membership.best_threshold(members, nonmembers)

    def gain(threshold: float | None) -> int:
        counts = membership.confusion(members, nonmembers, threshold)
        return counts.tp * len(nonmembers) - counts.fp * len(members)

    candidates = {*members, *nonmembers}
    assert gain(chosen) == max(0, *map(gain, candidates))
    assert all(gain(other) < gain(chosen) for other in candidates if chosen is not None and other > chosen)


@given(st.integers(0, 10**6))
def test_weights_of_one_give_the_plain_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, keep = rng.integers(0, 6, 20).astype(float), np.arange(20) % 3 > 0
    weights = np.stack([np.ones(20), rng.integers(0, 4, 20)])
    repeated = np.repeat(np.arange(20), weights[1].astype(int))
    fprs = (0.0, 0.2, 0.29, *np.linspace(0.3, 1, 8))
    aucs, tprs = (
        membership.weighted_auc(scores, keep, weights),
        membership.weighted_tpr_at_fpr(scores, keep, weights, fprs),
    )
    for row, index in enumerate((np.arange(20), repeated)):
        pair = scores[index][keep[index]], scores[index][~keep[index]]
        if min(map(len, pair)) == 0:
            assert np.isnan(aucs[row])
            assert np.isnan(tprs[row]).all()
            continue
        assert aucs[row] == pytest.approx(membership.auc(*pair))
        for column, fpr in enumerate(fprs):
            assert tprs[row, column] == pytest.approx(membership.tpr_at_fpr(*pair, fpr))


def test_no_scores_or_nan_are_refused() -> None:
    for members in (np.array([]), np.array([np.nan]), np.zeros((2, 2))):
        with pytest.raises(SignalsError, match="one or more numbers"):
            membership.auc(members, np.array([1.0]))


def test_advantage_and_ppv() -> None:
    assert membership.advantage(0.7, 0.2) == pytest.approx(0.5)
    assert membership.ppv(0.1, 0.001, 0.5) == pytest.approx(0.1 / 0.101)
    assert membership.ppv(0.1, 0.001, 0.01) == pytest.approx(0.001 / (0.001 + 0.00099))
    assert membership.ppv(0.0, 0.0, 0.5) is None
