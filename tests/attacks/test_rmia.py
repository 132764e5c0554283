from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import rankdata

from fer_audit.attacks import Signals, create

World = Callable[..., Signals]


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("params", [{"mode": "online"}, {"mode": "offline", "a": 0.4}])
def test_every_pair_is_counted(world: World, gamma: float, params: dict[str, Any]) -> None:
    signals = world(0, models=4, rows=60, leak=1.0)
    found = create("rmia", gamma=gamma, tie_break=False, **params).score(signals)
    p, z = expit(signals.answers.phi[:, :, 0]), expit(signals.population.phi[:, :, 0])
    for row in range(60):
        keep = signals.keep[1:, row]
        inside, outside = p[1:, row][keep].mean(), p[1:, row][~keep].mean()
        a = params.get("a", 0)
        model = (inside + outside) / 2 if params["mode"] == "online" else ((1 + a) * outside + 1 - a) / 2
        mean = z[1:].mean(axis=0)
        other = z[0] / (mean if params["mode"] == "online" else ((1 + a) * mean + 1 - a) / 2)
        assert found[row] == np.mean(p[0, row] / model / other >= gamma)


@pytest.mark.parametrize("mode", [{"mode": "online"}, {"mode": "offline"}])
def test_ties_are_broken_by_the_ratio(world: World, mode: dict[str, str]) -> None:
    signals = world(1, models=6, rows=300, leak=1.0, population=10)
    a = {"a": 1.0} if mode["mode"] == "offline" else {}
    order = rankdata(create("base", **mode).score(signals))
    for gamma in (0.5, 2.0):
        found = create("rmia", gamma=gamma, **mode, **a).score(signals)
        np.testing.assert_array_equal(rankdata(found), order)
        tied = create("rmia", gamma=gamma, tie_break=False, **mode, **a).score(signals)
        assert len(np.unique(tied)) <= 11
        assert np.all(np.diff(tied[np.argsort(found)]) >= 0)
        assert np.all((found >= 0) & (found <= 1))


def test_the_slope_is_tuned_on_references_alone(world: World) -> None:
    signals = world(2, models=6, rows=300, leak=2.0)
    tuned = create("rmia", mode="offline").scored(signals)
    assert not tuned.notes
    grid = [create("rmia", mode="offline", a=a).score(signals) for a in np.linspace(0, 1, 11)]
    assert any(np.array_equal(tuned.scores, one) for one in grid)
    alone = create("rmia", mode="offline").scored(signals, references=[1])
    assert "no reference can tune RMIA's a, so it is 0.3" in alone.notes


def test_a_population_with_fewer_queries_is_noted(golden_signals: Signals) -> None:
    assert any("fewer queries" in note for note in create("rmia").scored(golden_signals).notes)
    assert not create("rmia", queries=[0]).scored(golden_signals).notes


def test_the_released_taylor_order_is_documented_as_it_is(expected: dict[str, Any], golden_signals: Signals) -> None:
    from fer_audit.attacks.probabilities import taylor_log_probability

    logits = golden_signals.logits[:, :, 0].astype(np.float64) / 2
    with np.errstate(invalid="ignore"):
        for order in (3, 4):
            wanted = expected["sm_taylor"][str(order)]
            found = np.exp([taylor_log_probability(model, golden_signals.labels, order) for model in logits])
            if order == 4:
                assert found.min() == pytest.approx(wanted["min"])
                assert found.max() == pytest.approx(wanted["max"])
            else:
                assert np.isnan(found).any()  # a negative share has no logarithm
