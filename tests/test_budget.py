"""What fits into a time is what plans of that size take."""

import math
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.budget import (
    Clock,
    Ladder,
    cells_ladder,
    fewest_references,
    guessed_programs,
    references_ladder,
    seeds_ladder,
)
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.store import Store
from fer_audit.time_left import Rate, seconds_left

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 40, "identities": 40, "test_rows": 20}},
    "models": ["ghostface", "mini-xception"],
    "augmentations": ["none", "mixup"],
    "attacks": {"labels": ["none", {"name": "symmetric", "params": {"rate": 0}}], "membership": ["lira-online"]},
    "seeds": [3, 5],
    "training": {"image_size": 16, "epochs": 3, "batch_size": 8},
    "privacy": {"references": 6},
    "canaries": {"kind": "mislabelled", "count": 10},
}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("budget")
    store = Store(folder / "store")

    def plan(cells=(), **changes):
        (folder / "grid.yaml").write_text(yaml.safe_dump({**GRID, **changes}))
        return make_plan(read_grid(folder / "grid.yaml"), store, cells)

    return plan


@pytest.fixture(scope="module")
def plan(planned):
    return planned()


@pytest.fixture
def clock(plan):
    """One program is timed, the other is not."""
    key = next(key for key, program in plan.programs.items() if program.model.name == "ghostface")
    return Clock({key: Rate(50.0, 7.0, 0.25)}, 3)


def seconds(plan, clock):
    return seconds_left(plan.missing, clock.rates, clock.workers)


def test_references_cost_what_a_plan_with_so_many_takes(planned, plan, clock):
    ladder = references_ladder(plan, clock)
    assert ladder.numbers == (4, 6)
    assert ladder.grid == 6
    for number in (4, 6, 12):
        assert ladder.at(number) == pytest.approx(seconds(planned(privacy={"references": number}), clock))


def test_seeds_cost_what_a_plan_with_so_many_takes(planned, plan, clock):
    ladder = seeds_ladder(plan, clock)
    for number, seeds in ((1, [3]), (2, [3, 5])):
        assert ladder.at(number) == pytest.approx(seconds(planned(seeds=seeds), clock))
    # Coins decide how many canaries another seed trains on.
    assert ladder.at(4) == pytest.approx(seconds(planned(seeds=[3, 5, 6, 7]), clock), rel=0.01)


def test_cells_cost_what_a_plan_of_the_first_takes(planned, plan, clock):
    ladder = cells_ladder(plan, clock)
    assert ladder.numbers == tuple(range(1, 17))
    # The second label attack corrupts nothing, so that its cells are trained already.
    assert ladder.at(8) == ladder.at(4) > ladder.at(3)
    for number in (3, 9):
        ids = [cell.id for cell in plan.cells[:number]]
        assert ladder.at(number) == pytest.approx(seconds(planned(ids), clock))
    assert ladder.at(17) == math.inf


def done(plan, wanted):
    return replace(plan, done={key for key, training in plan.trainings.items() if wanted(training)})


def test_what_is_done_costs_nothing_and_what_is_added_costs_all(plan, clock):
    finished = done(plan, lambda training: True)
    fresh, ladder = references_ladder(plan, clock), references_ladder(finished, clock)
    assert ladder.seconds == (0, 0)
    assert ladder.each == pytest.approx(fresh.each)
    assert ladder.each > 0
    # Programs that nothing else would start have to be started.
    assert (fresh.first, ladder.first) == (0, 7 + Rate.guess(guessed_programs(plan, clock)[0]).start_seconds)


def test_what_only_has_to_be_asked_is_trained_anew_in_what_is_added(plan, clock):
    fitted = replace(plan, trainings={key: replace(one, fitted=True) for key, one in plan.trainings.items()})
    assert seeds_ladder(fitted, clock).at(2) == pytest.approx(seconds(fitted, clock))
    assert seeds_ladder(fitted, clock).each == pytest.approx(seeds_ladder(plan, clock).each)


def test_half_of_it_done_is_half_of_it_left(plan, clock):
    finished = done(plan, lambda training: "reference" in training.title and "seed 3" in training.title)
    assert seeds_ladder(finished, clock).at(2) == pytest.approx(seconds(finished, clock))
    assert seeds_ladder(finished, clock).at(1) < seeds_ladder(plan, clock).at(1)


def test_without_membership_attacks_there_are_no_references(planned, clock):
    assert references_ladder(planned(attacks={}), clock) is None


def test_no_fewer_references_than_the_attacks_need(planned, plan):
    assert fewest_references(plan) == 4
    needy = replace(plan, attacks=[type("Needy", (), {"needed": lambda self: type("N", (), {"references": 5})()})()])
    assert fewest_references(needy) == 8


def test_programs_are_guessed_until_they_were_timed(plan, clock):
    assert [program.model.name for program in guessed_programs(plan, clock)] == ["mini-xception"]
    assert len(guessed_programs(plan, replace(clock, rates={}))) == 2


steps = st.lists(st.floats(0, 100), min_size=1, max_size=5).map(sorted)


@given(steps, st.sampled_from([1, 2]), st.floats(0, 20), st.floats(0.01, 50), st.floats(0, 500))
def test_the_largest_that_fits_fits_and_the_next_does_not(taken, step, first, each, budget):
    numbers = tuple(range(4, 4 + step * len(taken), step))
    ladder = Ladder(numbers, tuple(taken), step, first, each)
    number = ladder.largest_within(budget)
    if number is None:
        assert ladder.at(4) > budget
        return
    assert number == 4 or number % step == 0
    assert ladder.at(number) <= budget + 1e-6
    assert ladder.at(number + step) > budget - 1e-6


def test_where_more_can_not_be_had_the_grid_is_the_most():
    assert Ladder((1, 2), (5.0, 9.0)).largest_within(1e9) == 2
