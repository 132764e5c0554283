"""Groups of cells: closed forms of their spread, and what is put together."""

import math
import statistics

import pytest

from fer_audit.report.cell_groups import grouped, spread
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Estimate


@pytest.fixture(scope="module")
def several(make_module_results):
    return make_module_results(seeds=(0, 1, 2), augmentations=["none", "mixup"])


@pytest.fixture(scope="module")
def make_module_results(results):
    """More seeds of the cells of `results`, whose accuracies and AUCs differ by the seed."""

    def make(seeds, augmentations):
        cells = [moved(cell, seed) for cell in results.cells if cell.augmentation in augmentations for seed in seeds]
        return results.model_copy(update={"cells": cells})

    return make


def moved(cell, seed):
    """The cell with another seed, a hundredth more accurate for each."""
    found = cell.utility.balanced_accuracy
    better = found.model_copy(update={"value": found.value + seed / 100})
    utility = cell.utility.model_copy(update={"balanced_accuracy": better})
    return cell.model_copy(update={"id": f"{cell.id}-{seed}", "seed": seed, "utility": utility})


def test_spread_of_three_numbers():
    values = [Estimate(value=value) for value in (1.0, 2.0, 6.0)]
    found = spread([values[1], Estimate(value=None), values[2], values[0]])
    assert (found.cells, found.mean, found.low, found.high) == (3, 3.0, 1.0, 6.0)
    assert found.sd == pytest.approx(math.sqrt(7))
    assert found.least is values[0]
    assert found.most is values[2]


def test_one_number_has_no_spread_and_none_is_none():
    assert spread([Estimate(value=0.5)]).sd is None
    assert spread([Estimate(value=None)]) is None
    assert spread([]) is None


@pytest.mark.parametrize(
    ("most", "groups", "alike", "pooled"),
    [
        (8, 8, ("Model", "Augmentation", "Labels"), ("Seed",)),
        (7, 4, ("Model", "Augmentation"), ("Labels", "Seed")),
        (3, 2, ("Model",), ("Augmentation", "Labels", "Seed")),
        (1, 2, ("Model",), ("Augmentation", "Labels", "Seed")),
    ],
)
def test_the_finest_groups_that_are_few_enough(several, most, groups, alike, pooled):
    found = grouped(several, most)
    assert len(found.groups) == groups
    assert found.alike == alike
    assert found.pooled == pooled
    ids = [cell.id for group in found.groups for cell in group.cells]
    assert sorted(ids) == sorted(cell.id for cell in several.cells)
    for group in found.groups:
        assert {tuple(getattr(cell, name) for _, name, _ in found.parts) for cell in group.cells} == {group.keys}


def test_numbers_of_a_group_are_those_of_its_cells(several):
    for group in grouped(several, 7).groups:
        values = [cell.utility.balanced_accuracy.value for cell in group.cells]
        assert group.balanced_accuracy.mean == pytest.approx(statistics.mean(values))
        assert group.balanced_accuracy.sd == pytest.approx(statistics.stdev(values))
        aucs = [strongest_attack(cell).auc.value for cell in group.cells]
        assert (group.auc.low, group.auc.high) == (min(aucs), max(aucs))


def test_the_group_with_the_worst_cell_is_first_and_one_without_numbers_last(several, unmeasured):
    tame = several.cells[0]
    nothing = [
        cell.model_copy(update=unmeasured | {"status": "failed"}) if cell.model == tame.model else cell
        for cell in several.cells
    ]
    found = grouped(several.model_copy(update={"cells": nothing}), 3).groups
    assert [group.parts[0] == tame.model for group in found] == [False, True]
    assert found[1].auc is None
    assert found[1].count("failed") == len(found[1].cells)
    highest = [group.auc.high for group in grouped(several).groups]
    assert highest == sorted(highest, reverse=True)


def test_groups_are_named_by_what_tells_them_apart(several, private):
    names = {grouped(several).name(group) for group in grouped(several).groups}
    assert ("ghostface", "mixup", "symmetric(rate=0.2)") in names
    assert ("ghostface", "none", "clean labels") in names
    found = grouped(private)
    named = [found.name(group) for group in found.groups]
    assert len(set(named)) == len(named)
    assert any(name[1] == "dp-sgd(epsilon=8)" for name in named)


def test_means_are_over_cells_that_are_done(several):
    """A cell may have failed after its utility model was trained."""
    first = several.cells[0].model_copy(update={"status": "failed", "privacy": None})
    found = grouped(several.model_copy(update={"cells": [first, *several.cells[1:]]})).groups
    group = next(one for one in found if first.id in ids(one))
    assert (len(group.cells), group.accuracy.cells, group.auc.cells) == (3, 2, 2)
    assert group.balanced_accuracy.low > first.utility.balanced_accuracy.value


def test_attacks_that_cannot_be_trusted_are_left_out(several):
    first = several.cells[0]
    strong = strongest_attack(first)
    loud = strong.model_copy(update={"auc": Estimate(value=0.999)})
    privacy = first.privacy.model_copy(update={"invalid": "labels look permuted", "attacks": [loud]})
    cells = [first.model_copy(update={"privacy": privacy}), *several.cells[1:]]
    group = next(one for one in grouped(several.model_copy(update={"cells": cells})).groups if first.id in ids(one))
    assert group.invalid == 1
    assert group.auc.cells == len(group.cells) - 1
    assert group.auc.high < 0.999


def ids(group):
    return {cell.id for cell in group.cells}
