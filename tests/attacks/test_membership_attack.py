from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from fer_audit.attacks import MembershipAttack, Signals, create
from fer_audit.attacks.membership_attack import Needs
from fer_audit.attacks.target_view import TargetView
from fer_audit.errors import PluginError, SignalsError

#: Attacks on outputs, which a constant added to all logits of an image leaves as they are.
ATTACKS: list[tuple[str, dict[str, Any]]] = [
    ("gap", {}),
    ("loss-threshold", {}),
    ("loss-threshold", {"per_class": True}),
    ("confidence", {}),
    ("entropy", {}),
    ("modified-entropy", {}),
    ("ml-leaks", {}),
    ("ml-leaks", {"adversary": 3}),
    ("label-only", {}),
    ("label-only", {"classifier": "count"}),
    ("loss-trace", {}),
    ("quantile", {}),
    ("quantile", {"features": "label"}),
    ("subject", {}),
    ("subject", {"base": "loss-threshold", "aggregate": "mean"}),
    ("subject", {"aggregate": "max"}),
    ("calibration", {}),
    ("calibration", {"sides": "out", "centre": "median"}),
    ("attack-p", {}),
    ("attack-r", {}),
    ("attack-r", {"interpolate": False}),
    ("lira-online", {}),
    ("lira-online", {"variance": "per-example"}),
    ("lira-online", {"variant": "packaged", "variance": "pooled", "centre": "median"}),
    ("lira-offline", {}),
    ("lira-offline", {"variance": "pooled"}),
    ("rmia", {}),
    ("rmia", {"mode": "offline"}),
    ("rmia", {"tie_break": False, "gamma": 1.0}),
    ("rmia", {"temperature": 2.0}),
    ("base", {}),
    ("base", {"mode": "offline"}),
    ("empirical-bayes", {}),
    ("empirical-bayes", {"statistic": "centred-logit"}),
    ("shadow-mia", {}),
    ("shadow-mia", {"features": "sorted-log-probabilities"}),
    ("shadow-mia", {"features": "probabilities"}),
    ("shadow-mia", {"classifier": "random-forest"}),
]


@pytest.fixture(scope="module", params=ATTACKS, ids=str)
def attack(request: pytest.FixtureRequest) -> MembershipAttack:
    name, params = request.param
    return create(name, **params)


@pytest.fixture(scope="module")
def leaky(world: Callable[..., Signals]) -> Signals:
    return world(3, models=4, rows=200, leak=1.0, queries=2)


def transformed(signals: Signals, change: Callable[[Any], Any]) -> Signals:
    """The same `change` of the logits, as float64, of the rows and of the population."""
    wide = [logits.astype(np.float64) for logits in (signals.logits, signals.population_logits)]
    return replace(signals, logits=change(wide[0]), population_logits=change(wide[1]))


def test_a_constant_added_to_logits_does_not_matter(attack: MembershipAttack, leaky: Signals) -> None:
    if getattr(attack.params, "classifier", "") == "random-forest":
        pytest.skip("rounding of the features can move a split of a tree")
    shifted = transformed(leaky, lambda logits: logits + 8.0)
    np.testing.assert_allclose(attack.score(leaky), attack.score(shifted), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("queries", [[], [-1], [0, 0], "some"])
def test_queries_are_checked(queries: Any) -> None:
    with pytest.raises(PluginError, match="queries"):
        create("loss-threshold", queries=queries)


def test_unknown_names_and_parameters_are_explained() -> None:
    with pytest.raises(PluginError, match="did you mean 'loss-threshold'"):
        create("loss-treshold")
    with pytest.raises(PluginError, match="did you mean 'queries'"):
        create("loss-threshold", querys=[0])


class Probe(MembershipAttack):
    """Returns what it is told to."""

    name = "probe"
    threat_model: ClassVar[str] = "none"
    needs: ClassVar[Needs] = Needs(references=2)
    answer: Any = None

    def infer(self, view: TargetView) -> Any:
        self.view = view
        view.note("once")
        view.note("once")
        return self.answer if self.answer is not None else np.zeros(len(view.labels))


class TraceProbe(Probe):
    """Needs losses along the way."""

    name = "trace-probe"
    needs: ClassVar[Needs] = Needs(references=2, loss_trace=True)


def test_losses_along_the_way_are_shown_to_who_needs_them(world: Callable[..., Signals]) -> None:
    without = replace(world(0, models=4, rows=20), loss_trace=None)
    trace = np.random.default_rng(0).random((4, 20, 3)).astype(np.float32)
    signals = replace(without, loss_trace=trace)
    needing, other = TraceProbe(), Probe()
    with pytest.raises(SignalsError, match=r"needs loss_trace, .*; the signals have none"):
        needing.score(without)
    needing.score(signals, target=1, references=[2, 3])
    np.testing.assert_array_equal(needing.view.loss_trace, trace[1])
    np.testing.assert_array_equal(needing.view.reference_loss_trace, trace[2:])
    other.score(signals)
    assert other.view.loss_trace is None
    assert other.view.reference_loss_trace is None
    np.testing.assert_array_equal(signals.take([3, 1]).loss_trace, trace[[3, 1]])


class PopulationProbe(Probe):
    """Needs a population."""

    name = "population-probe"
    needs: ClassVar[Needs] = Needs(population=True, queries=2)


def test_an_attack_sees_float64_of_the_chosen_queries_and_may_not_write(leaky: Signals) -> None:
    probe = Probe(queries=[1])
    assert probe.scored(leaky, 1, references=[2, 3]).notes == ("once",)
    view = probe.view
    assert view.logits.shape == (200, 1, 3)
    assert view.references.shape == (2, 200, 1, 3)
    assert view.references.dtype == np.float64
    np.testing.assert_array_equal(view.reference_keep, leaky.keep[2:])
    for array in (view.logits, view.references, view.reference_keep, view.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros(3), r"shape \(200,\), received float64 \(3,\)"),
        (np.zeros(200, np.float32), "received float32"),
        ([0.0] * 200, "received list"),
        (np.full(200, np.nan), "must not return NaN, received 200"),
    ],
)
def test_what_an_attack_returns_is_checked(leaky: Signals, answer: Any, message: str) -> None:
    probe = Probe()
    probe.answer = answer
    with pytest.raises(PluginError, match=message):
        probe.score(leaky)


def test_infinite_scores_are_allowed(leaky: Signals) -> None:
    probe = Probe()
    probe.answer = np.full(200, -np.inf)
    assert np.isneginf(probe.score(leaky)).all()


def test_unmet_needs_are_named(leaky: Signals) -> None:
    with pytest.raises(SignalsError, match=r"'probe' needs at least 2 reference models .* has 1"):
        Probe().score(leaky, references=[1])
    with pytest.raises(SignalsError, match=r"needs a population: .* and at least 2 queries, has 1"):
        PopulationProbe(queries=[0]).score(replace(leaky, population_logits=None, population_labels=None))
    with pytest.raises(SignalsError, match=r"queries must lie within 0\.\.1, received \[2\]"):
        Probe(queries=[2]).score(leaky)
    with pytest.raises(SignalsError, match=r"target within 0\.\.3, received 4"):
        Probe().score(leaky, 4)
    with pytest.raises(SignalsError, match=r"references within 0\.\.3, received \[9\]"):
        Probe().score(leaky, references=[9])


def test_a_population_serves_the_queries_that_it_has(golden_signals: Signals) -> None:
    probe = Probe(queries=[0])
    probe.score(golden_signals)
    assert probe.view.population is not None
    assert probe.view.population.shape == (1000, 1, 7)
    assert probe.view.reference_population.shape == (16, 1000, 1, 7)
    assert probe.view.population_queries == [0]
    probe = Probe()
    probe.score(golden_signals)
    assert probe.view.logits.shape == (3000, 2, 7)
    assert probe.view.population_phi.shape == (1000, 1)
    assert probe.view.population_queries == [0]
    probe = Probe(queries=[1])
    probe.score(golden_signals)
    assert probe.view.population is probe.view.reference_population_phi is None


def test_a_threat_model_must_be_declared() -> None:
    with pytest.raises(PluginError, match="must declare its threat_model"):
        type("Silent", (MembershipAttack,), {"name": "silent"})
