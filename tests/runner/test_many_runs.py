"""What the attacks on halves prove together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from fer_audit.attacks import audit, create
from fer_audit.attacks.privacy_loss import replaced_bound
from fer_audit.data.splits import membership_matrix
from fer_audit.metrics.intervals import clopper_pearson
from fer_audit.results import AttackResult, Confusion, EpsilonBound, GroupGuarantee, Guarantee, PluginRecord
from fer_audit.runner.many_runs import many_run_audit
from fer_audit.testing import toy_signals


def guarantee(epsilon: float = 1.0, group: GroupGuarantee | None = None, delta: float = 1e-5) -> Guarantee:
    return Guarantee.model_construct(epsilon=epsilon, delta=delta, group=group)


def attack(name: str, *rules: tuple[int, int], rows: int = 100, unit: str = "row") -> AttackResult:
    """An attack whose rules flag (tp, fp) of `rows` members and as many others."""
    counts = [Confusion(tp=tp, fp=fp, fn=rows - tp, tn=rows - fp) for tp, fp in rules]
    bound = EpsilonBound(
        lower_bound=0.0,
        cap=0.0,
        delta=1e-5,
        confidence=0.95,
        unit=unit,
        members=rows,
        nonmembers=rows,
        method="",
        rules=counts,
    )
    return AttackResult.model_construct(attack=PluginRecord(name=name), epsilon=bound)


def test_the_bound_of_one_change_solves_the_inequality_of_two() -> None:
    for tp, fp, delta in ((90, 3, 0.0), (90, 3, 1e-3), (60, 20, 1e-2), (100, 0, 1e-5)):
        u = math.exp(replaced_bound([Confusion(tp=tp, fp=fp, fn=100 - tp, tn=100 - fp)], delta, 0.95))
        tpr, fpr = clopper_pearson(tp, 100).low, clopper_pearson(fp, 100).high
        assert u > 1
        assert u * (u * fpr + delta) + delta == pytest.approx(tpr)
    assert replaced_bound([Confusion(tp=50, fp=50, fn=50, tn=50)], 0.0, 0.95) == 0.0
    assert replaced_bound([Confusion(tp=0, fp=0, fn=0, tn=0)], 0.0, 0.95) == 0.0


def test_without_delta_it_is_half_of_what_two_changes_prove() -> None:
    signals = toy_signals(0, rows=800, models=4, leak=6.0)
    found = audit(signals, [create("loss-threshold")], delta=0.0, resamples=2)[0].epsilon
    assert found.lower_bound > 0.5
    assert replaced_bound(found.rules, 0.0, 0.95) == pytest.approx(found.lower_bound / 2)
    assert [rule.tp + rule.fn for rule in found.rules] == [found.members] * len(found.rules)
    assert [rule.fp + rule.tn for rule in found.rules] == [found.nonmembers] * len(found.rules)


def test_the_strongest_attack_is_taken_and_all_are_paid_for() -> None:
    weak, strong = attack("weak", (60, 40)), attack("strong", (50, 50), (95, 2))
    found = many_run_audit([weak, strong], guarantee(), 0.95)
    assert found.attack.name == "strong"
    assert found.decisions == 200
    each = 1 - 0.05 / 4
    tpr, fpr = clopper_pearson(95, 100, each).low, clopper_pearson(2, 100, each).high
    assert found.lower_bound == pytest.approx(math.log(tpr / fpr) / 2, abs=1e-4)
    assert found.confidence == 0.95
    alone = many_run_audit([strong], guarantee(), 0.95)
    assert found.lower_bound < alone.lower_bound < alone.cap
    assert many_run_audit([attack("perfect", (100, 0))], guarantee(), 0.95).lower_bound == pytest.approx(
        many_run_audit([attack("other", (50, 50))], guarantee(), 0.95).cap
    )


def test_no_attack_proves_nothing() -> None:
    found = many_run_audit([], guarantee(), 0.95)
    assert (found.attack, found.lower_bound, found.cap, found.decisions, found.broken) == (None, 0.0, 0.0, 0, False)


@pytest.mark.parametrize(
    ("unit", "group", "promised", "broken"),
    [
        ("row", None, 0.5, True),
        ("row", GroupGuarantee(images=4, epsilon=9.0), 0.5, True),
        ("subject", GroupGuarantee(images=4, epsilon=9.0), 9.0, False),
        ("subject", GroupGuarantee(images=4, epsilon=None), None, False),
        ("subject", None, None, False),
    ],
)
def test_a_bound_is_held_against_the_promise_for_its_unit(
    unit: str, group: GroupGuarantee | None, promised: float | None, broken: bool
) -> None:
    found = many_run_audit([attack("strong", (98, 1), unit=unit)], guarantee(0.5, group), 0.95)
    assert found.lower_bound > 0.5
    assert (found.unit, found.promised, found.broken) == (unit, promised, broken)


def test_delta_is_that_of_the_guarantee() -> None:
    strong = attack("strong", (95, 2))
    found = [many_run_audit([strong], guarantee(delta=delta), 0.95) for delta in (1e-6, 1e-1)]
    assert [one.delta for one in found] == [1e-6, 1e-1]
    assert found[0].lower_bound > found[1].lower_bound


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_a_bound_stays_below_a_known_epsilon(epsilon: float) -> None:
    """Each model tells of each person, by randomised response, whether it saw the alike one or this one.

    That response changes by a factor of exp(2 epsilon) where two people change places, and so is epsilon-private for
    one change; people of one model share a shift that no membership explains, as scores of one model do.
    """
    seeds, people, models, alarms = 300, 60, 4, 0
    truth = 1 / (1 + math.exp(-2 * epsilon))
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 2])
        keep = membership_matrix(models, np.arange(people) % 3, None, seed)
        told = np.where(rng.random(keep.shape) < truth, keep, ~keep)
        flagged = told if epsilon else np.broadcast_to(rng.random((models, 1)) < 0.5, keep.shape)
        target = rng.integers(models, size=people), np.arange(people)
        tp, fp = (np.count_nonzero(flagged[target] & side[target]) for side in (keep, ~keep))
        members = np.count_nonzero(keep[target])
        rule = Confusion(tp=tp, fp=fp, fn=members - tp, tn=people - members - fp)
        alarms += replaced_bound([rule], 0.0, 0.95) > epsilon
    assert alarms <= binom.ppf(0.999, seeds, 0.05)
