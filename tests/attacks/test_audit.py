from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from fer_audit.attacks import MembershipAttack, Signals, audit, create
from fer_audit.attacks.attacked import counts_tell_membership, references_of
from fer_audit.attacks.audit import BOTH_ROLES
from fer_audit.attacks.membership_attack import Needs, TargetView
from fer_audit.errors import SignalsError
from fer_audit.metrics.membership import auc, best_threshold
from fer_audit.results import AttackResult

World = Callable[..., Signals]


class CountReferences(MembershipAttack):
    """Counts the references that trained on a row, as an attack would that uses nothing but the protocol."""

    name = "count-references"
    threat_model: ClassVar[str] = "none: it looks at no output"
    needs: ClassVar[Needs] = Needs(references=1)
    scores_rows_apart = True

    def infer(self, view: TargetView) -> Any:
        return -view.reference_keep.sum(axis=0).astype(np.float64)


class Infinite(MembershipAttack):
    """Has infinite scores only."""

    name = "infinite"
    threat_model: ClassVar[str] = "none"

    def infer(self, view: TargetView) -> Any:
        return np.where(view.labels == 0, np.inf, -np.inf)


def test_the_complement_and_copies_of_a_target_are_no_references() -> None:
    half = np.array([True, False, True, False])
    other = np.array([True, True, False, False])
    keep = np.array([half, ~half, other, ~other, half])
    assert references_of(keep, 0) == (2, 3)
    assert references_of(keep, 2) == (0, 1, 4)
    assert not counts_tell_membership(keep[:4], 0)


def test_without_the_complement_each_row_is_in_half_of_the_references(world: World) -> None:
    keep = world(models=8).keep
    for target in range(8):
        references = references_of(keep, target)
        assert set(keep[list(references)].sum(axis=0)) == {3}
        # With it, the count of references would be the answer.
        counts = np.delete(keep, target, axis=0).sum(axis=0)
        np.testing.assert_array_equal(counts == 3, keep[target])


def test_an_attack_on_the_protocol_finds_nothing_unless_halves_are_drawn_by_row(world: World) -> None:
    signals = world(models=4)
    (result,) = audit(signals, [CountReferences()], resamples=50)
    assert result.auc.value == 0.5
    assert result.confusion.tp == result.confusion.fp == 0
    # As in LiRA's released protocol: each row is in half of the models, yet no model has a complement.
    rng = np.random.default_rng(0)
    keep = np.argsort(rng.random((4, signals.rows)), axis=0) < 2
    (result,) = audit(Signals(signals.logits, keep, signals.labels), [CountReferences()], resamples=50)
    assert result.auc.value == 1.0
    assert any("complementary pairs" in note for note in result.notes)


def test_a_partner_among_the_references_biases_a_null_world(world: World) -> None:
    attack, fair, unfair = create("shadow-mia"), [], []
    for seed in range(12):
        signals = world(seed, models=6, rows=200)
        for target in range(0, 6, 2):
            members = signals.keep[target]
            for found, references in ((fair, references_of(signals.keep, target)), (unfair, None)):
                scores = attack.score(signals, target, references=references)
                found.append(auc(scores[members], scores[~members]))
    error = np.std(unfair) / np.sqrt(len(unfair))
    assert np.mean(unfair) < 0.5 - 3 * error
    assert abs(np.mean(fair) - 0.5) < 3 * np.std(fair) / np.sqrt(len(fair))


def test_nothing_is_found_where_nothing_leaks(world: World) -> None:
    attacks = [create("loss-threshold"), create("shadow-mia")]
    seeds = 40
    results = [audit(world(1000 + seed, models=4, rows=200), attacks, resamples=200) for seed in range(seeds)]
    for column in range(len(attacks)):
        one = [row[column] for row in results]
        assert np.mean([covers(result.auc, 0.5) for result in one]) >= 0.85
        assert np.mean([covers(target.auc, 0.5) for result in one for target in result.targets]) >= 0.89
        assert np.mean([covers(result.advantage, 0.0) for result in one]) >= 0.85
        advantages = [result.advantage.value for result in one]
        assert abs(np.mean(advantages)) < 3 * np.std(advantages) / np.sqrt(seeds)


def covers(estimate: Any, value: float) -> bool:
    return bool(estimate.low <= value <= estimate.high)


@pytest.mark.parametrize("name", ["loss-threshold", "shadow-mia"])
def test_a_leak_is_found_at_the_thresholds_of_the_references(name: str, world: World) -> None:
    (result,) = audit(world(5, leak=3.0), [create(name)], resamples=200)
    assert result.auc.low is not None
    assert result.auc.low > 0.6
    assert result.advantage.low is not None
    assert result.advantage.low > 0.15


def test_counts_rates_and_targets_agree(world: World) -> None:
    signals = world(5, leak=1.0, models=4)
    (result,) = audit(signals, [create("loss-threshold")], resamples=100)
    assert [target.target for target in result.targets] == [0, 1, 2, 3]
    for name in ("tp", "fp", "fn", "tn"):
        total = sum(getattr(target.confusion, name) for target in result.targets)
        assert getattr(result.confusion, name) == total
    counts = result.confusion
    assert counts.tp + counts.fn == signals.keep.sum()
    assert result.tpr.value == pytest.approx(counts.tp / (counts.tp + counts.fn))
    assert result.fnr.value == pytest.approx(1 - result.tpr.value)
    assert result.fpr.value == pytest.approx(counts.fp / (counts.fp + counts.tn))
    assert result.advantage.value == pytest.approx(result.tpr.value - result.fpr.value)
    values = [target.auc.value for target in result.targets]
    assert result.auc.value == pytest.approx(np.mean(values))
    assert result.auc_spread == pytest.approx(np.std(values, ddof=1))
    for estimate in (result.auc, result.tpr, result.fpr, result.fnr, result.advantage):
        assert estimate.low < estimate.value < estimate.high
        assert estimate.method


def test_a_threshold_is_the_best_one_of_the_other_pairs(world: World) -> None:
    signals, attack = world(5, leak=1.0, models=6), create("loss-threshold")
    (result,) = audit(signals, [attack], resamples=20)
    scores = np.stack([attack.score(signals, model) for model in range(6)])
    others = [0, 1, 4, 5]
    pooled, members = scores[others].ravel(), signals.keep[others].ravel()
    for target in (2, 3):
        assert result.targets[target].threshold == best_threshold(pooled[members], pooled[~members])


@pytest.mark.parametrize("name", ["loss-threshold", "shadow-mia"])
def test_a_targets_own_membership_moves_neither_scores_nor_threshold(name: str, world: World) -> None:
    signals = world(5, leak=1.0, models=6)
    keep = signals.keep.copy()
    keep[:2] = np.random.default_rng(0).permutation(signals.rows) % 2 == np.array([[0], [1]])
    changed = Signals(signals.logits, keep, signals.labels, signals.subjects)
    for target in (0, 1):
        (one,), (other,) = (
            audit(given, [create(name)], targets=[target], resamples=20) for given in (signals, changed)
        )
        assert one.targets[0].threshold == other.targets[0].threshold
        assert one.confusion.tp + one.confusion.fp == other.confusion.tp + other.confusion.fp


def test_what_the_data_cannot_resolve_is_not_given(world: World) -> None:
    signals = world(0, models=4, rows=300)
    (result,) = audit(signals, [create("loss-threshold")], resamples=50)
    assert result.tpr_at_fpr["0.01"].value is not None
    assert result.tpr_at_fpr["0.001"].value is None
    assert result.tpr_at_fpr["0.001"].note == "not resolvable (needs at least 1,000 non-members a target, has 150)"


def test_few_models_take_declared_fallbacks(world: World) -> None:
    attacks = [create("loss-threshold"), create("shadow-mia")]
    loss, shadow = audit(world(models=4), attacks, resamples=20)
    assert loss.notes == []
    assert len(shadow.notes) == 1
    assert "attacked with their complements" in shadow.notes[0]

    class NeedsTwo(CountReferences):
        """Needs as many references as there are."""

        name = "needs-two"
        needs: ClassVar[Needs] = Needs(references=2)

    (result,) = audit(world(models=4), [NeedsTwo()], resamples=20)
    assert "among their own references" in result.notes[0]
    with pytest.raises(SignalsError, match=r"needs at least one reference model .* received 2 models"):
        audit(world(models=2), [create("loss-threshold")])
    with pytest.raises(SignalsError, match="'shadow-mia' needs at least 1 reference"):
        audit(world(models=2), [create("shadow-mia")])


def test_notes_name_their_targets(world: World) -> None:
    (result,) = audit(world(models=6), [create("shadow-mia", min_rows=10**6)], resamples=20)
    assert sorted(note.split(":")[0] for note in result.notes) == [
        *("class 0", "class 1", "class 2"),
        *["thresholds"] * 3,
    ]
    (result,) = audit(world(models=4).take(models=[0, 1, 2]), [create("shadow-mia")], resamples=20)
    assert [note.rpartition(" (")[2] for note in result.notes] == ["targets 0, 1)", "targets 2)"]


def test_only_pooled_results_of_what_was_learned_are_stretched(world: World) -> None:
    signals, shadow = world(models=6), create("shadow-mia")
    loss_result, shadow_result = audit(signals, [create("loss-threshold"), shadow], resamples=50)
    assert "sqrt(2)" not in loss_result.auc.method
    assert "sqrt(2)" in loss_result.advantage.method
    assert "sqrt(2)" in shadow_result.auc.method
    assert "sqrt(2)" not in shadow_result.targets[0].auc.method
    (single,) = audit(signals, [shadow], targets=[0], resamples=50)
    assert "sqrt(2)" not in single.auc.method
    assert single.auc_spread is None
    assert pytest.approx(np.sqrt(2)) == BOTH_ROLES


def test_the_same_again_in_any_order(world: World) -> None:
    signals = world(2, leak=1.0, models=4)
    attacks = [create("loss-threshold"), create("shadow-mia")]
    forth, back = audit(signals, attacks, resamples=50), audit(signals, attacks[::-1], resamples=50)
    assert forth == back[::-1]
    assert forth != audit(signals, attacks, resamples=50, seed=1)


def test_results_are_json_even_with_infinite_scores(world: World) -> None:
    (result,) = audit(world(models=4), [Infinite()], resamples=20)
    assert AttackResult.model_validate_json(result.model_dump_json()) == result


def test_without_subjects_rows_are_independent(world: World) -> None:
    signals = world(1, models=4)
    rows = Signals(signals.logits, signals.keep, signals.labels)
    (result,) = audit(rows, [create("loss-threshold")], resamples=50)
    assert result.targets[0].auc.method == "DeLong"
    assert "rows" in result.auc.method


@pytest.mark.parametrize("targets", [[], [6], [-1]])
def test_targets_are_checked(targets: list[int], world: World) -> None:
    with pytest.raises(SignalsError, match=r"targets within 0\.\.5"):
        audit(world(), [create("loss-threshold")], targets=targets)


def test_a_single_target_has_the_golden_auc(expected: dict[str, Any], golden_signals: Signals) -> None:
    summary = next(row["summary"] for row in expected["attacks"] if row["score"] == "loss_logsumexp")
    attack = create("loss-threshold", queries=[0])
    (result,) = audit(golden_signals, [attack], targets=[0], resamples=50)
    assert result.auc.value == summary["auc"]
    for fpr in ("0.01", "0.001"):
        assert result.tpr_at_fpr[fpr].value == summary["tpr_at_fpr"][fpr]["tpr"]
    assert references_of(golden_signals.keep, 0) == tuple(range(1, 17))
    assert references_of(golden_signals.keep, 1) == (0, *range(3, 17))
