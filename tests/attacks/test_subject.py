from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.errors import PluginError, SignalsError

World = Callable[..., Signals]


@pytest.mark.parametrize(("aggregate", "of"), [("sum", np.sum), ("mean", np.mean), ("max", np.max)])
def test_a_person_gets_what_the_rows_get_together(world: World, aggregate: str, of: Any) -> None:
    signals = world(0, models=4, rows=100, queries=2)
    rows = create("calibration", sides="out", queries=[1]).score(signals, 2)
    attack = create("subject", base="calibration", base_params={"sides": "out"}, aggregate=aggregate, queries=[1])
    found = attack.score(signals, 2)
    for person in np.unique(signals.subjects):
        mine = signals.subjects == person
        np.testing.assert_allclose(found[mine], of(rows[mine]))


def test_names_of_people_may_be_texts(world: World) -> None:
    signals = world(0, models=4, rows=100)
    named = replace(signals, subjects=np.array([f"person {subject}" for subject in signals.subjects]))
    np.testing.assert_array_equal(create("subject").score(named), create("subject").score(signals))


def test_its_needs_are_those_of_the_attack_on_rows() -> None:
    assert create("subject", base="rmia").needed().population
    assert create("subject", base="label-only").needed().queries == 2
    assert create("subject", base="gap").needed().references == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"base": "subject"}, "base must be a built-in attack on rows"),
        ({"base": "package/attack"}, "base must be a built-in attack on rows"),
        ({"base_params": {"queries": [0]}}, "queries are a parameter of 'subject' itself"),
        ({"base": "lira-onlin"}, "did you mean 'lira-online'"),
        ({"base": "rmia", "base_params": {"gamma": -1}}, "gamma"),
    ],
)
def test_what_can_not_be_put_together_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        create("subject", **params)


def test_people_must_be_known(world: World) -> None:
    with pytest.raises(SignalsError, match="needs subjects"):
        create("subject").score(replace(world(0, models=4, rows=50), subjects=None))
