"""Cells against private training of equal accuracy, on made-up answers; no network is trained."""

import pytest

from fer_audit.metrics.accounting import account
from fer_audit.metrics.paired import auc_difference
from fer_audit.results import PluginRecord
from fer_audit.runner.compared import as_compared
from fer_audit.runner.matched import matched_differences


def promise(noise):
    """The guarantee of a training; more noise promises more."""
    return account(
        rows=120,
        batch_size=30,
        epochs=4,
        noise_multiplier=noise,
        clip_norm=1.0,
        delta=1e-5,
        sampling="shuffle",
        group=None,
    )


def balanced(cell):
    return cell.utility.balanced_accuracy.value


def with_accuracy(cell, value):
    """The cell as if its balanced accuracy were another, which only tells where it is compared."""
    accuracy = cell.utility.balanced_accuracy.model_copy(update={"value": value})
    return cell.model_copy(update={"utility": cell.utility.model_copy(update={"balanced_accuracy": accuracy})})


@pytest.fixture
def line(study):
    """Places of the cells of seed 0 by accuracy, and all cells, those of seed 0 as cells of one model and labels."""
    shared = {"model": "small", "label_attack": "none", "augmentation_plugins": [], "augmentation": "none"}
    cells = [cell.model_copy(update=shared) for cell in study.cells]
    places = sorted((place for place, cell in enumerate(cells) if cell.seed == 0), key=lambda p: balanced(cells[p]))
    assert len({round(balanced(cells[place]), 9) for place in places}) == 8
    return places, cells


def found(study, cells, private):
    """Comparisons where the cells at the places in `private` have guarantees, of the least noise first."""
    promised = [
        cell.model_copy(update={"guarantee": promise(1.0 + private.index(place)) if place in private else None})
        for place, cell in enumerate(cells)
    ]
    return matched_differences(study.plan, study.store, promised)


def test_cells_are_compared_with_the_private_ones_next_below_and_above(study, line):
    places, cells = line
    private = [places[1], places[4], places[6]]
    compared = found(study, cells, private)
    expected = {cells[places[2]].id: 0, cells[places[3]].id: 0, cells[places[5]].id: 1}
    assert {one.cell for one in compared} == set(expected)  # the others are less accurate than all of them, or more
    assert len(compared) == 3 * len(study.attacks)
    for one in compared:
        below, above = (private[expected[one.cell] + step] for step in (0, 1))
        assert (one.below, one.above) == (cells[below].id, cells[above].id)
        accuracy, low, high = (
            balanced(next(cell for cell in cells if cell.id == name)) for name in (one.cell, one.below, one.above)
        )
        assert one.accuracy == pytest.approx(accuracy)
        assert one.share == pytest.approx((accuracy - low) / (high - low))
        assert 0 < one.share < 1
        leaks = {c.id: next(a.auc.value for a in c.privacy.attacks if a.attack == one.attack) for c in cells}
        assert one.reference == pytest.approx((1 - one.share) * leaks[one.below] + one.share * leaks[one.above])
        assert one.difference.value == pytest.approx(leaks[one.cell] - one.reference)
        assert one.difference.low < one.difference.value < one.difference.high
        assert ("sqrt(2)" in one.difference.method) == (one.attack.name != "loss-threshold")
        assert one.difference.n == (30 if one.attack.name == "subject" else 120)


def test_a_cell_as_accurate_as_a_private_one_is_compared_with_that_one(study, line):
    places, cells = line
    cells[places[0]] = with_accuracy(cells[places[0]], balanced(cells[places[5]]))
    compared = [one for one in found(study, cells, [places[5], places[7]]) if one.cell == cells[places[0]].id]
    assert {(one.below, one.above) for one in compared} == {(cells[places[5]].id, cells[places[7]].id)}
    # Its answers are those of a less accurate cell, so that it stands at the line's end.
    assert {one.share for one in compared} == {0.0}
    sides = [as_compared(study.plan, study.store, study.plan.cells[place], cells[place]) for place in places[:6:5]]
    for place, one in enumerate(compared):
        mine, other = (side.attacked[place] for side in sides)
        paired = auc_difference(mine.area, other.area, n=mine.units, stretch=mine.stretch)
        assert one.difference.value == pytest.approx(paired.value)
        assert one.difference.high > paired.high


def test_of_equally_accurate_private_cells_the_one_that_promises_most_counts(study, line):
    places, cells = line
    low, twin, own, high = places[1], places[2], places[4], places[6]
    cells[twin] = with_accuracy(cells[twin], balanced(cells[low]))
    for private in ([low, twin, high], [twin, low, high]):
        assert {one.below for one in found(study, cells, private) if one.cell == cells[own].id} == {
            cells[private[1]].id
        }


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other"},
        {"label_attack": "symmetric"},
        {"seed": 1},
        {"augmentation_plugins": [PluginRecord(name="mixup")]},
        {"status": "failed"},
        {"utility": None},
        {"privacy": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_private_training_must_be_like_the_cell_and_whole(study, line, changed):
    places, cells = line
    assert found(study, cells, [places[0], places[7]])
    cells[places[7]] = cells[places[7]].model_copy(update=changed)
    assert not found(study, cells, [places[0], places[7]])


def test_a_private_cell_alone_is_no_line(study, line):
    places, cells = line
    assert not found(study, cells, [places[3]])
    assert not found(study, cells, [])


def test_where_private_cells_are_not_shown_to_differ_the_page_can_say_so(study, line):
    places, cells = line
    compared = found(study, cells, [places[2], places[4]])
    assert compared
    assert all("not shown to differ in accuracy" in one.note for one in compared)
