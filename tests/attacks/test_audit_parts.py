"""What an audit says beside the AUC: slices, rows, epsilon, and thresholds that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from fer_audit.attacks import Signals, audit, create
from fer_audit.attacks.attacked import Attacked
from fer_audit.attacks.audit import FPRS, audited
from fer_audit.attacks.frame import make_frame
from fer_audit.errors import SignalsError
from fer_audit.metrics.membership import auc, best_threshold
from fer_audit.results import AttackResult

World = Callable[..., Signals]


def only(signals: Signals, name: str = "loss-threshold", **options: object) -> AttackResult:
    return audit(signals, [create(name)], resamples=50, **options)[0]


def with_leak(signals: Signals, rows: np.ndarray, leak: float) -> Signals:
    """Members among `rows` gain `leak` logits."""
    logits = signals.logits.copy()
    index = np.flatnonzero(rows)
    logits[:, index, :, signals.labels[index]] += leak * signals.keep[:, index].T[:, :, None]
    return replace(signals, logits=logits)


def test_a_group_that_leaks_more_is_found(world: World) -> None:
    signals = world(1, models=6, rows=600)
    young = np.arange(600) % 2 == 0
    found = only(with_leak(signals, young, 2.0), slices={"age": np.where(young, "young", "old").tolist()})
    slices = {(one.family, one.group): one for one in found.slices}
    one, other = slices["age", "young"], slices["age", "old"]
    assert one.rows == other.rows == 300
    assert one.auc.low > 0.5
    assert one.p_adjusted < 0.001
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.p_value == other.p_value
    assert {family for family, _ in slices} == {"class", "age"}  # subjects all have five rows


def test_a_slice_is_what_its_rows_alone_would_show(world: World) -> None:
    signals = world(2, models=4, rows=400, leak=1.0)
    found, scores = only(signals), create("loss-threshold")
    inside = signals.labels == 1
    alone = []
    for target in range(4):
        keep, mine = signals.keep[target][inside], scores.score(signals, target)[inside]
        alone.append(auc(mine[keep], mine[~keep]))
    one = next(one for one in found.slices if (one.family, one.group) == ("class", "1"))
    assert one.auc.value == pytest.approx(np.mean(alone))
    assert one.auc.low < one.auc.value < one.auc.high


def test_small_groups_are_not_resolvable_and_no_tests(world: World) -> None:
    signals = world(3, models=4, rows=200)
    few = np.where(np.arange(200) < 10, "few", np.where(np.arange(200) < 105, "one", "two")).tolist()
    found = {one.group: one for one in only(signals, slices={"group": few}).slices if one.family == "group"}
    assert found["few"].auc.value is None
    assert "needs at least 20 members" in found["few"].auc.note
    assert found["few"].p_adjusted is found["few"].p_value is None
    assert found["one"].p_adjusted >= found["one"].p_value


@pytest.mark.parametrize("correction", ["holm", "benjamini-hochberg"])
def test_no_group_differs_where_none_does(world: World, correction: str) -> None:
    alarms, seeds = 0, 60
    for seed in range(seeds):
        groups = np.random.default_rng(seed).integers(0, 4, 300).astype(str).tolist()
        found = only(world(seed, leak=1.0), slices={"group": groups}, correction=correction, targets=[0, 1, 2])
        alarms += min(one.p_adjusted for one in found.slices if one.p_adjusted is not None) < 0.05
    assert alarms <= binom.ppf(0.999, seeds, 0.05)


def test_slices_need_a_value_for_each_row(world: World) -> None:
    with pytest.raises(SignalsError, match="'age' must have one value for each of the 300 rows, received 3"):
        only(world(0), slices={"age": ["a", "b", "c"]})


def test_the_size_of_a_subject_is_a_family(world: World) -> None:
    signals = world(0, models=4, rows=300)
    subjects = np.repeat(np.arange(195), [1] * 180 + [8] * 15)
    frame = make_frame(replace(signals, subjects=subjects), "row", {})
    assert set(frame.families["subject size"]) == {"1", "8+"}
    assert np.count_nonzero(frame.families["subject size"] == "8+") == 120


def test_rows_are_exposed_by_how_many_non_members_they_beat(world: World) -> None:
    signals = world(4, models=4, rows=100, leak=1.0)
    found = audited(signals, [create("loss-threshold")], resamples=50)[0].records
    scores = np.array([create("loss-threshold").score(signals, target) for target in range(4)])
    for row in range(0, 100, 9):
        beaten = [
            np.mean(np.sign(scores[t, row] - scores[t][~signals.keep[t]]) + 1) / 2
            for t in range(4)
            if signals.keep[t, row]
        ]
        assert found.member_targets[row] == len(beaten) == 2
        assert found.exposure[row] == pytest.approx(np.mean(beaten))
        assert found.exposure_sd[row] == pytest.approx(np.std(beaten, ddof=1))
    assert np.all(found.true_positives <= found.member_targets)
    assert np.all(found.false_positives <= found.nonmember_targets)


def test_rows_can_be_written_with_what_is_not_known_left_out(world: World) -> None:
    signals = world(4, models=4, rows=100)
    found = audited(signals, [create("loss-threshold")], targets=[0], resamples=50)[0].records
    rows = list(found.csv_rows({"label": signals.labels.tolist()}))
    assert [row["row"] for row in rows] == list(range(100))
    assert [row["label"] for row in rows] == signals.labels.tolist()
    outside = next(row for row in rows if not signals.keep[0, row["row"]])
    assert outside["exposure"] == outside["exposure_sd"] == ""
    assert isinstance(outside["nonmember_exposure"], float)


def test_exposure_is_stable_where_the_same_rows_are_always_exposed(world: World) -> None:
    signals = world(5, models=12, rows=300)
    planted = with_leak(signals, np.arange(300) < 100, 8.0)
    assert only(planted, "calibration").record_stability > 0.5
    assert abs(only(signals, "calibration").record_stability) < 0.4
    assert only(signals, targets=[0]).record_stability is None


def test_nothing_is_proved_where_nothing_leaks(world: World) -> None:
    seeds = 80
    alarms = sum(only(world(seed), seed=seed).epsilon.lower_bound > 0 for seed in range(seeds))
    assert alarms <= binom.ppf(0.999, seeds, 0.05)


def test_a_leak_proves_an_epsilon_below_its_cap(world: World) -> None:
    proofs = [only(world(6, rows=1500, leak=leak)).epsilon for leak in (3.0, 9.0)]
    assert 0 <= proofs[0].lower_bound < proofs[1].lower_bound < proofs[1].cap
    assert proofs[1].lower_bound > 0.5
    assert proofs[1].unit == "subject"
    assert proofs[1].members + proofs[1].nonmembers == 300  # one decision for each person
    alone = only(replace(world(6, rows=1500, leak=9.0), subjects=None)).epsilon
    assert (alone.unit, alone.members + alone.nonmembers) == ("row", 1500)


def test_thresholds_for_an_fpr_come_from_other_models(world: World) -> None:
    signals = world(7, models=8, rows=1000, leak=2.0)
    found = only(signals).transferred["0.01"]
    assert found.confusion.fp / (found.confusion.fp + found.confusion.tn) == pytest.approx(found.fpr.value)
    assert 0.001 < found.fpr.value < 0.03
    assert found.tpr.value > found.fpr.value
    small = only(world(7, models=4, rows=40)).transferred["0.001"]
    assert small.confusion is small.fpr.value is small.tpr.value is None
    assert "not resolvable (needs at least 1,000" in small.fpr.note


def test_each_class_can_have_its_own_threshold(world: World) -> None:
    signals, attack = world(8, models=4, rows=600, leak=2.0), create("modified-entropy")
    outcome = Attacked(signals, attack, make_frame(signals, "row", {}), FPRS).outcome(0)
    pseudo = [model for model in range(4) if model not in (0, 1)]
    scores = {model: attack.score(signals, model) for model in pseudo}
    for label, threshold in enumerate(outcome.thresholds.by_class):
        rows = signals.labels == label
        inside = np.concatenate([scores[model][rows & signals.keep[model]] for model in pseudo])
        outside = np.concatenate([scores[model][rows & ~signals.keep[model]] for model in pseudo])
        assert threshold == best_threshold(inside, outside)
        np.testing.assert_array_equal(outcome.flagged[rows], outcome.scores[rows] >= threshold)
    assert only(signals, "modified-entropy").targets[0].class_thresholds == outcome.thresholds.by_class
    assert only(signals).targets[0].class_thresholds is None


def test_people_are_one_unit_each(world: World) -> None:
    signals = world(9, models=6, rows=600, leak=2.0)
    found = only(signals, "subject")
    assert found.unit == "subject"
    assert found.confusion.tp + found.confusion.fn == 6 * 60
    assert found.auc.value > only(signals, "lira-online").auc.value
    assert len(audited(signals, [create("subject")], resamples=50)[0].records.first) == 120


def test_people_who_are_all_in_training_can_not_be_told_apart(world: World) -> None:
    signals = world(9, models=4, rows=100)
    spread = replace(signals, subjects=np.arange(100) % 3)
    with pytest.raises(SignalsError, match="need people without any photograph in the training data"):
        only(spread, "subject")


def test_results_do_not_depend_on_the_order_of_rows(world: World) -> None:
    signals = world(10, models=4, rows=200, leak=1.0, population=0)
    signals = replace(signals, loss_trace=None)
    order = np.random.default_rng(0).permutation(200)
    moved = Signals(signals.logits[:, order], signals.keep[:, order], signals.labels[order], signals.subjects[order])
    one, other = only(signals, "lira-online"), only(moved, "lira-online")
    assert one.auc.value == pytest.approx(other.auc.value, abs=1e-12)
    assert one.confusion == other.confusion
    assert [s.auc.value for s in one.slices] == pytest.approx([s.auc.value for s in other.slices])
    assert AttackResult.model_validate_json(one.model_dump_json()) == one == only(signals, "lira-online")
