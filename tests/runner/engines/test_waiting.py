"""The books of what waits stay right, whatever is taken out and put back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.runner.engines.waiting import Waiting

STEPS = st.lists(st.tuples(st.sampled_from(["take", "again", "later", "elsewhere", "drop"]), st.sampled_from("ab")))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 50)), max_size=8), STEPS)
def test_work_is_that_of_what_waits(training, wanted, steps):
    trainings = [training(program, number, rows) for number, (program, rows) in enumerate(wanted)]
    keys = {name: training(name).spec.program.key for name in "ab"}
    waiting, held, elsewhere = Waiting(trainings, lambda one: float(one.rows)), [], []
    for step, name in steps:
        if step == "take" and keys[name] in waiting:
            first = waiting.first(keys[name])
            held.append(waiting.take(keys[name]))
            assert held[-1] is first
        elif step == "again" and held:
            waiting.again([held.pop()])
        elif step == "later" and held:
            elsewhere.append(held.pop())
            waiting.later(elsewhere[-1])
        elif step == "elsewhere":
            assert waiting.take_elsewhere() is (elsewhere[0] if elsewhere else None)
            held += elsewhere[:1]
            del elsewhere[:1]
        elif step == "drop":
            dropped = waiting.drop(keys[name])
            assert {one.spec.program.key for one in dropped} <= {keys[name]}
            held += dropped
            elsewhere = [one for one in elsewhere if one.spec.program.key != keys[name]]
    assert len(waiting) == len(trainings) - len(held)
    rest = [one for one in trainings if one not in held and one not in elsewhere]
    for key in keys.values():
        left = [one.rows for one in rest if one.spec.program.key == key]
        assert (key in waiting) == bool(left)
        if left:
            assert waiting.work(key) == pytest.approx(sum(left))
