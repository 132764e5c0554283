"""Scores against those of independent implementations, on the frozen world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.metrics.membership import best_threshold, confusion, two_u

Call = tuple[str, dict[str, Any]]
FIRST = {"queries": [0]}
T1 = (1, (0, *range(2, 17)))  # target and references
R4 = (0, (1, 2, 3, 4))


def calls() -> Iterator[tuple[str, Call, tuple[int, tuple[int, ...] | None]]]:
    """Golden array, the call that meets it, and on which target and references."""
    default = (0, None)
    for name, array in (
        ("loss-threshold", "loss_logsumexp"),
        ("loss-threshold", "tfp_loss"),
        ("confidence", "sm_confidence"),
        ("entropy", "sm_entropy"),
        ("entropy", "tfp_entropy"),
        ("modified-entropy", "sm_modified_entropy"),
        ("modified-entropy", "tfp_modified_entropy"),
        ("gap", "sm_correctness"),
        ("attack-p", "attack_p"),
        ("base", "base_online"),
    ):
        yield array, (name, FIRST), default
    yield "base_offline", ("base", {"mode": "offline", **FIRST}), default
    yield "attack_r", ("attack-r", {"interpolate": False, **FIRST}), default
    yield "attack_r_interpolated", ("attack-r", FIRST), default
    for suffix, queries in (("q0", FIRST), ("qsum", {})):
        for variance in ("per-example", "pooled", "pooled-unbiased"):
            word = variance.replace("per-example", "perexample").replace("-", "_")
            for side in ("online", "offline"):
                call = (f"lira-{side}", {"variance": variance, **queries})
                yield f"lira_{side}_{word}_{suffix}", call, default
                if suffix == "qsum" and (side, variance) != ("offline", "per-example"):
                    yield f"t1_lira_{side}_{word}_qsum", call, T1
                    yield f"r4_lira_{side}_{word}_qsum", call, R4
    for suffix, queries in (("q0", FIRST), ("qmean", {})):
        for word, variance in (("", "per-example"), ("fixvar_", "pooled")):
            for side in ("online", "offline"):
                params = {"variant": "released-script", "variance": variance, **queries}
                yield f"plot_{side}_{word}{suffix}", (f"lira-{side}", params), default
            for centre in ("mean", "median"):
                shared = {"variance": variance, "centre": centre, **queries}
                both, out = {"variant": "packaged", **shared}, {"variant": "two-sided", **shared}
                yield f"tfp_lira_both_{word}{centre}_{suffix}", ("lira-online", both), default
                yield f"tfp_lira_out_{word}{centre}_{suffix}", ("lira-offline", out), default
        for centre in ("mean", "median"):
            for sides in ("both", "out"):
                params = {"centre": centre, "sides": sides, **queries}
                yield f"tfp_offset_{sides}_{centre}_{suffix}", ("calibration", params), default
    for prefix, where in (("t1", T1), ("r4", R4)):
        yield f"{prefix}_tfp_offset_both_mean_qmean", ("calibration", {}), where
        for word, variance in (("", "per-example"), ("fixvar_", "pooled")):
            both, out = {"variant": "packaged", "variance": variance}, {"variant": "two-sided", "variance": variance}
            yield f"{prefix}_tfp_lira_both_{word}mean_qmean", ("lira-online", both), where
            if (prefix, word) != ("r4", ""):
                yield f"{prefix}_tfp_lira_out_{word}mean_qmean", ("lira-offline", out), where
    yield "t1_plot_online_qmean", ("lira-online", {"variant": "released-script", "variance": "per-example"}), T1
    counted = {"tie_break": False, **FIRST}
    for gamma in (1, 2):
        yield f"rmia_online_gamma{gamma}", ("rmia", {"gamma": gamma, **counted}), default
        offline = {"mode": "offline", "a": 0.3, "gamma": gamma, **counted}
        yield f"rmia_offline_a0.3_gamma{gamma}", ("rmia", offline), default
    taylor = {"mode": "offline", "a": 0.3, "signal": "taylor", "temperature": 2, **counted}
    yield "rmia_offline_smtaylor4_a0.3_gamma2", ("rmia", taylor), default
    released = {"mode": "offline", "gamma": 1, "variant": "released", **counted}
    for a in (0.0, 0.3, 1.0):
        yield f"pm_rmia_offline_a{a}_8refs", ("rmia", {"a": a, **released}), default
    yield "pm_rmia_offline_a0.3_1ref", ("rmia", {"a": 0.3, **released}), (0, (1, 2))
    yield "pm_rmia_native_target_ref1_a0.3_7refs", ("rmia", {"a": 0.3, **released}), (1, tuple(range(3, 17)))


CALLS = list(calls())
#: Met elsewhere: the best possible scores, and a risk that needs the target's own membership.
OTHER = {"bayes_q0", "bayes_qsum", "tfp_membership_probability"}


@pytest.fixture(scope="session")
def scores(golden: Path) -> dict[str, np.ndarray]:
    with np.load(golden / "scores.npz") as file:
        return dict(file)


def test_every_golden_score_is_met_by_a_call(expected: dict[str, Any]) -> None:
    assert {array for array, _, _ in CALLS} | OTHER == {row["score"] for row in expected["attacks"]}


@pytest.mark.parametrize(("array", "call", "where"), CALLS, ids=[array for array, _, _ in CALLS])
def test_scores_are_those_of_the_oracle(
    array: str, call: Call, where: Any, golden_signals: Signals, scores: dict[str, np.ndarray], expected: dict[str, Any]
) -> None:
    (name, params), (target, references) = call, where
    found = create(name, **params).score(golden_signals, target, references=references)
    np.testing.assert_allclose(found, scores[array], rtol=1e-9, atol=1e-9)
    summary = next(row["summary"] for row in expected["attacks"] if row["score"] == array)
    keep, fixed = golden_signals.keep[target], summary["fixed_threshold"]
    assert two_u(found[keep], found[~keep]) == summary["auc_two_u"]
    counts = confusion(found[keep], found[~keep], fixed["threshold"])
    assert counts.model_dump() == {name: fixed[name] for name in ("tp", "fp", "fn", "tn")}


@pytest.mark.parametrize(
    ("score", "attack"),
    [("confidence", "confidence"), ("entropy", "entropy"), ("modified_entropy", "modified-entropy")],
)
def test_class_thresholds_are_carried_over_from_a_shadow_model(
    score: str, attack: str, golden_signals: Signals, expected: dict[str, Any]
) -> None:
    made = create(attack, queries=[0])
    shadow, target = made.score(golden_signals, 1), made.score(golden_signals, 0)
    for row in expected["song_mittal_thresholds"]["scores"][score]["per_class"]:
        rows = golden_signals.labels == row["cls"]
        inside, member = golden_signals.keep[1] & rows, golden_signals.keep[0] & rows
        threshold = best_threshold(shadow[inside], shadow[~inside & rows])
        if row["n_maximisers"] == 1:
            assert threshold == pytest.approx(row["threshold"], rel=1e-9, abs=1e-12)
            found = confusion(target[member], target[~member & rows], threshold)
            assert found.model_dump() == {name: row[name] for name in ("tp", "fp", "fn", "tn")}


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
@pytest.mark.parametrize(
    ("score", "params"),
    [
        ("tfp_loss", {"base": "loss-threshold", "queries": [0]}),
        ("lira_online_pooled_qsum", {"base": "lira-online", "base_params": {"variance": "pooled"}}),
    ],
)
def test_people_are_scored_as_their_rows_are(
    score: str, params: dict[str, Any], aggregate: str, golden_signals: Signals, expected: dict[str, Any]
) -> None:
    found = create("subject", aggregate=aggregate, **params).score(golden_signals)
    first = np.unique(golden_signals.subjects, return_index=True)[1]
    keep, wanted = golden_signals.keep[0][first], expected["subject_level"][score][f"{aggregate}_score"]
    assert two_u(found[first][keep], found[first][~keep]) == wanted["auc_two_u"]


def test_outputs_beyond_rounding_are_exact(golden: Path) -> None:
    with np.load(golden / "extreme.npz") as file:
        extreme = dict(file)
    keep = np.arange(48) % 2 == 0
    signals = Signals(extreme["logits"][None, :, None], keep[None], extreme["labels"])
    for name, sign, array in (
        ("loss-threshold", -1, "loss"),
        ("confidence", 1, "p_true"),
        ("entropy", -1, "entropy"),
        ("modified-entropy", -1, "modified_entropy"),
    ):
        found = sign * create(name).score(signals)
        np.testing.assert_allclose(found, extreme[array], rtol=1e-12, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(signals.answers.phi[0, :, 0], extreme["phi"], rtol=1e-12, atol=1e-12)


def test_the_shrunken_centres_beat_rmia_and_base_with_four_references(golden_signals: Signals) -> None:
    def area(name: str, **params: Any) -> float:
        found, keep = create(name, **params).score(golden_signals, references=(1, 2, 3, 4)), golden_signals.keep[0]
        return two_u(found[keep], found[~keep]) / 2 / keep.sum() / (~keep).sum()

    rivals = [area(name, mode=mode) for name in ("rmia", "base") for mode in ("online", "offline")]
    # Noise in this world is spread over all classes, which suits the centred logit.
    assert area("empirical-bayes", statistic="centred-logit") >= max(rivals)
