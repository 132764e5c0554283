"""Estimates that are taken back once, when something is measured."""

from fer_audit.runner.engines.events import Finished
from fer_audit.runner.engines.pace import Pace
from fer_audit.runner.rates import Rates
from fer_audit.time_left import Rate


def test_the_first_measurement_settles_a_program(store, training):
    pace, one = Pace(Rates(store)), training("a", rows=300)
    guess = Rate.guess(one.spec.program)
    assert pace.seconds(one) == 600 / guess.images_per_second + guess.overhead_seconds
    assert pace.learn(Finished(one, 0, {"start": 4.0, "steps": 6.0}))
    assert pace.seconds(one) == 6.0
    assert pace.start_seconds(one.spec.program) == 4.0
    assert not pace.learn(Finished(one, 0, {"steps": 60.0}))
    assert pace.seconds(one) == 6.0
    assert not pace.learn(Finished(training("b"), 0, {}))  # found done: nothing was measured


def test_what_earlier_runs_measured_is_settled(store, training):
    rates, one = Rates(store), training("a", rows=300)
    with rates.kept():
        rates.learn(Finished(one, 0, {"steps": 6.0}))
    pace = Pace(Rates(store))
    assert pace.seconds(one) == 6.0
    assert not pace.learn(Finished(one, 0, {"steps": 60.0}))
