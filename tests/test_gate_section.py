"""The vocabulary of gates, and that gates change nothing but what is said of results."""

import math

import pytest

from fer_audit.gate_section import METRICS, check_certainty, check_limit, check_where, is_meant
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.section import MisplacedError
from fer_audit.store import Store

TINY = """
dataset: {name: synthface, params: {rows: 40, test_rows: 20}}
models: [ghostface]
attacks: {membership: [loss-threshold]}
training: {image_size: 16, epochs: 1}
privacy: {references: 4}
"""


@pytest.mark.parametrize("name", METRICS)
def test_a_limit_lies_where_the_metric_can_be(name):
    low, high = METRICS[name].low, METRICS[name].high
    for limit in (low, min(high, 1e12)):
        check_limit(name, limit)
    with pytest.raises(ValueError, match=f"a limit of {name} is .*Received"):
        check_limit(name, low - 0.01)
    if not math.isinf(high):
        with pytest.raises(ValueError, match=r"such as 0.6 for 60 %. Received: 60"):
            check_limit(name, 60)


def test_only_what_has_an_interval_or_is_exact_can_be_certain():
    refused = []
    for name in METRICS:
        try:
            check_certainty(name)
        except ValueError:
            refused.append(name)
    assert refused == ["epsilon_lower_bound", "canary_epsilon_lower_bound", "latency_p50_ms"]


def test_gates_change_no_training(tmp_path):
    store, plans = Store(tmp_path / "store"), []
    for number, gates in enumerate(["", "gates: [{metric: mia_auc, max: 0.6, certain: true}]\n"]):
        (tmp_path / f"{number}.yaml").write_text(TINY + gates)
        plans.append(make_plan(read_grid(tmp_path / f"{number}.yaml"), store))
    assert plans[0].trainings.keys() == plans[1].trainings.keys()
    assert plans[0].wanted() == plans[1].wanted()


def test_a_defence_may_be_named_without_its_parameters():
    known = {"defence": ["none", "dp-sgd(epsilon=8)"], "labels": ["symmetric(rate=0.3)"]}
    check_where({"defence": ["dp-sgd", "dp-sgd(epsilon=8)"]}, known)
    with pytest.raises(MisplacedError, match="no cell has labels 'symmetric'"):
        check_where({"labels": ["symmetric"]}, known)
    assert is_meant("defence", "dp-sgd(epsilon=8)", ["dp-sgd"])
    assert not is_meant("defence", "dp-sgd(epsilon=8)", ["dp-sgd(epsilon=3)", "none"])
