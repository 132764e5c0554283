"""All built-in models pass the kit that authors are given; a file of their own, as they take as long as all others."""

from __future__ import annotations

import pytest

from fer_audit.registry import Registry
from fer_audit.testing import Subject, run_checks

REGISTRY = Registry.load()

#: These show all that takes long, of a network of each size.
WHOLE = ("mini-xception", "ghostface", "resnet-18")

#: To trace a step of a large network, and to build it twice more, takes a third of a minute each.
LONG = ("a_training_step_is_taken", "same_seed_same_result")


#: Large networks, of whose kinds smaller ones stand for them day by day.
LARGE = ("efficientface", "efficientnet-b0", "ghostface-origin", "resnet-18")

NAMES = [pytest.param(name, marks=[pytest.mark.release] * (name in LARGE)) for name in REGISTRY.names("model")]


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_model_conforms(name: str) -> None:
    # A process imports TensorFlow each time; that of one network shows that registry and worker agree on all of them.
    skip = (*(() if name in WHOLE else LONG), *(() if name == "mini-xception" else ("rebuilt_in_a_fresh_process",)))
    checks = run_checks(Subject(REGISTRY.get("model", name), {}), skip)
    assert {each.check.name: each.said for each in checks if each.status == "failed"} == {}
