"""Lower bounds on epsilon."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from fer_audit.errors import SignalsError
from fer_audit.metrics import epsilon

SETS = ("none", "moderate", "strong", "moderate_ties")


@pytest.fixture(scope="module")
def dp_scores(golden: Path) -> dict[str, np.ndarray]:
    with np.load(golden / "dp_scores.npz") as file:
        return dict(file)


def options(strategy: str, name: str, entry: dict[str, Any], scores: dict[str, np.ndarray]) -> dict[str, Any]:
    if strategy == "bonferroni":
        return {"candidates": "hull"}
    if strategy.startswith("split"):
        halves = tuple(scores[f"{name}_split_seed3_perm_{side}"] for side in ("in", "out"))
        return {"threshold": "split", "split": halves}
    return {"threshold": entry["explicit_thresholds"][strategy]}


@pytest.mark.parametrize("name", SETS)
def test_bounds_are_those_of_the_oracle(name: str, dp_scores: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    entry = expected["dp_statistics"]["score_sets"][name]
    members, nonmembers = dp_scores[f"{name}_in"], dp_scores[f"{name}_out"]
    rows = [row for row in entry["epsilon_clopper_pearson"] if not row["strategy"].startswith("multisplit")]
    assert len(rows) > 10
    for row in rows:
        chosen = options(row["strategy"], name, entry, dp_scores)
        found = epsilon.lower_bound(members, nonmembers, row["delta"], one_sided=row["one_sided"], **chosen)
        assert found == pytest.approx(row["epsilon"], abs=1e-9), row
    for row in entry["epsilon_one_run"]:
        if not row["strategy"].startswith("multisplit"):
            chosen = options(row["strategy"], name, entry, dp_scores)
            found = epsilon.one_run_lower_bound(members, nonmembers, row["delta"], **chosen)
            assert found == pytest.approx(row["epsilon"], abs=2e-6), row


def test_one_run_is_that_of_the_oracles(expected: dict[str, Any]) -> None:
    for row in expected["dp_statistics"]["one_run_table"]:
        counts = {"guesses": row["r"], "correct": row["v"], "canaries": row["m"], "delta": row["delta"]}
        if row["eps_jax_privacy"] is not None:
            assert epsilon.one_run(**counts) == pytest.approx(row["eps_jax_privacy"], abs=2e-6)
        assert epsilon.one_run(**counts) == pytest.approx(row["eps_audit_p05"], abs=1.2e-5)
        for at, p in row["p_value_at_eps"].items():
            assert epsilon.one_run_p_value(float(at), **counts) == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_ratio_bounds_are_those_of_the_oracle(expected: dict[str, Any]) -> None:
    for row in expected["dp_statistics"]["ratio_bound_table"]:
        members = np.arange(row["pos"]) < row["tp"]
        nonmembers = np.arange(row["neg"]) < row["fp"]
        found = epsilon.lower_bound(members * 1.0, nonmembers * 1.0, 0.0, 1 - row["alpha"], threshold=0.5)
        assert found == pytest.approx(max(0.0, row["epsilon_clopper_pearson"] or 0.0), abs=1e-9)


def test_one_run_without_delta_inverts_the_binomial() -> None:
    found = epsilon.one_run(100, 80, 200)
    assert binom.sf(79, 100, 1 / (1 + math.exp(-found))) == pytest.approx(0.05)


def test_the_cap_is_what_perfect_scores_reach() -> None:
    members, nonmembers = np.ones(200), np.zeros(300)
    for delta in (0.0, 1e-3):
        perfect = epsilon.lower_bound(members, nonmembers, delta, threshold=0.5)
        assert epsilon.cap(200, 300, delta) == perfect
    assert epsilon.one_run_cap(100, 100, 1e-5) == epsilon.one_run(100, 100, 100, 1e-5)
    assert epsilon.cap(200, 300) < epsilon.cap(2000, 3000)


scores = st.lists(st.integers(-5, 5), min_size=2, max_size=30).map(lambda values: np.array(values, np.float64))
thresholds = st.sampled_from(["bonferroni", "multisplit", 0.5])


@given(scores, scores, thresholds, st.booleans())
def test_a_bound_lies_between_zero_and_the_cap(x: np.ndarray, y: np.ndarray, threshold: Any, one_sided: bool) -> None:
    found = epsilon.lower_bound(x, y, threshold=threshold, one_sided=one_sided)
    assert 0 <= found <= max(epsilon.cap(len(x), len(y)), epsilon.cap(len(y), len(x)))


@given(scores, scores)
def test_only_the_order_of_scores_counts(x: np.ndarray, y: np.ndarray) -> None:
    for threshold in ("bonferroni", "split"):
        found = epsilon.lower_bound(x, y, threshold=threshold)
        assert found == epsilon.lower_bound(np.exp(x), np.exp(y), threshold=threshold)


@given(scores, scores)
def test_more_confidence_proves_less(x: np.ndarray, y: np.ndarray) -> None:
    assert epsilon.lower_bound(x, y, confidence=0.99) <= epsilon.lower_bound(x, y, confidence=0.9)


@pytest.mark.parametrize("threshold", ["bonferroni", "split", "multisplit", 0.5])
@pytest.mark.parametrize("rounded", [False, True])
def test_nothing_is_proved_where_nothing_leaks(threshold: Any, rounded: bool) -> None:
    seeds, alarms = (100 if threshold == "multisplit" else 400), 0
    for seed in range(seeds):
        x, y = np.random.default_rng(seed).normal(0, 1, (2, 120))
        if rounded:
            x, y = np.round(2 * x), np.round(2 * y)
        alarms += epsilon.lower_bound(x, y, threshold=threshold, seed=seed) > 0
    assert alarms <= binom.ppf(0.999, seeds, 0.05)


@pytest.mark.parametrize("threshold", ["bonferroni", "split", 0.5])
def test_a_bound_stays_below_a_known_epsilon(threshold: Any) -> None:
    # Randomised response: a bit is told truly with probability e / (1 + e), so epsilon is 1.
    truth, alarms, seeds = 1.0, 0, 300
    share = math.exp(truth) / (1 + math.exp(truth))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, y = (rng.random(400) < share) * 1.0, (rng.random(400) < 1 - share) * 1.0
        alarms += epsilon.lower_bound(x, y, threshold=threshold, seed=seed) > truth
    assert alarms <= binom.ppf(0.999, seeds, 0.05)


def test_infinite_scores_are_scores() -> None:
    x, y = np.array([np.inf] * 50), np.array([-np.inf] * 50)
    assert epsilon.lower_bound(x, y) > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: epsilon.lower_bound(np.ones(2), np.ones(0)), "one or more numbers"),
        (lambda: epsilon.lower_bound(np.ones(1), np.ones(2), threshold="split"), "two or more members"),
        (lambda: epsilon.lower_bound(np.ones(2), np.ones(2), -0.1), "delta within"),
        (lambda: epsilon.lower_bound(np.ones(2), np.ones(2), 0.0, 1.0), "confidence within"),
        (lambda: epsilon.one_run(10, 11, 20), "correct <= guesses"),
        (lambda: epsilon.one_run(30, 11, 20), "guesses <= canaries"),
    ],
)
def test_what_can_not_be_is_refused(call: Any, message: str) -> None:
    with pytest.raises(SignalsError, match=message):
        call()
