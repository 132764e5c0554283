"""Measured rates: only what was trained teaches them."""

import importlib.util
import sys
from pathlib import Path

import pytest

from fer_audit.runner.engines.events import Finished
from fer_audit.runner.rates import Rates
from fer_audit.store import Store
from fer_audit.time_left import Rate, seconds_left


def example(**changes):
    path = Path(__file__).with_name("example_training.py")
    spec = importlib.util.spec_from_file_location("example_training", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.training("a", 0, **changes)


def test_a_training_teaches_and_what_was_found_or_asked_does_not(tmp_path):
    rates, training = Rates(Store(tmp_path)), example(rows=300)
    program = training.spec.program.key
    rates.learn(Finished(training, 0, {"start": 4.0, "steps": 5.0, "answers": 1.0}))
    assert rates.known[program] == Rate(600 / 6.0, 4.0, overhead_seconds=0.0)
    rates.learn(Finished(training, 0, {}))
    rates.learn(Finished(training, 0, {"answers": 0.1}))
    assert rates.known[program] == Rate(100.0, 4.0, overhead_seconds=0.0)
    with rates.kept():
        pass
    assert Rates(Store(tmp_path)).known == rates.known


def test_asking_costs_less_than_training_and_more_than_nothing():
    from dataclasses import replace

    training = replace(example(rows=300), asked=600)
    rates = {training.spec.program.key: Rate(100.0, start_seconds=2.0, overhead_seconds=0.0)}
    assert seconds_left([training], rates, workers=1) == pytest.approx(6 + 2)
    assert seconds_left([replace(training, fitted=True)], rates, workers=1) == pytest.approx(2 + 2)
