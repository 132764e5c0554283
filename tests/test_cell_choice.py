"""Which cells a pattern means."""

import re

import pytest

from fer_audit.cell_choice import cell_id, chosen
from fer_audit.errors import GridError
from fer_audit.grid import Grid

GRID = Grid.model_validate(
    {
        "dataset": "synthface",
        "models": ["ghostface", {"name": "mini-xception", "params": {"kernels": [3, 5]}}],
        "augmentations": ["none", "mixup", ["randaug", "mixup"]],
        "attacks": {"labels": ["none", {"name": "symmetric", "params": {"rate": 0.2}}]},
        "seeds": [0, 1],
    }
)


def ids(*patterns):
    return [cell_id(*cell) for cell in chosen(GRID, patterns)]


def test_without_patterns_all_cells_are_meant_in_the_order_of_the_grid():
    assert len(ids()) == len(set(ids())) == 2 * 3 * 2 * 2
    assert ids()[:2] == ["ghostface/none/none/seed0", "ghostface/mixup/none/seed0"]
    assert ids("*") == ids()


def test_a_defence_stands_behind_the_augmentations_where_there_is_one():
    defences = ["none", {"name": "dp-sgd", "params": {"epsilon": 8}}]
    grid = Grid.model_validate({"dataset": "synthface", "models": ["ghostface"], "defences": defences})
    assert [cell_id(*cell) for cell in chosen(grid)] == [
        "ghostface/none/none/seed0",
        "ghostface/none/dp-sgd(epsilon=8)/none/seed0",
    ]


@pytest.mark.parametrize(
    ("patterns", "expression"),
    [
        (["ghostface/mixup/none/seed0"], r"ghostface/mixup/none/seed0"),
        (["ghostface/*/seed1"], r"ghostface/.*/seed1"),
        (["*/randaug+mixup/*"], r".*/randaug\+mixup/.*"),
        (["*/none/seed0", "*(rate=0.2)/seed?"], r".*/none/seed0|.*rate=0\.2.*"),
        (["ghostface/[mr]*/none/seed0"], r"ghostface/[mr].*/none/seed0"),
    ],
)
def test_patterns_mean_what_a_shell_means_by_them(patterns, expression):
    assert ids(*patterns) == [name for name in ids() if re.fullmatch(expression, name)]
    assert ids(*reversed(patterns)) == ids(*patterns) != []


def test_every_id_means_its_own_cell_whatever_its_parameters_hold():
    assert any("[3, 5]" in name for name in ids())
    for name in ids():
        assert ids(name) == [name]


def test_a_pattern_that_means_nothing_is_told_what_is_near():
    with pytest.raises(GridError, match=r"matches none of the grid's 24 cells.*'ghostface/none/none/seed0'") as raised:
        ids("*/seed0", "ghostfac/none/none/seed0")
    assert "'ghostfac/none/none/seed0'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_plugins_of_packages_have_ids_that_patterns_mean():
    names = {"models": ["package/net", "net"], "augmentations": ["none", ["package/dim", "mixup"]]}
    grid = Grid.model_validate({"dataset": "synthface", **names})
    assert [cell_id(*cell) for cell in chosen(grid)] == [
        "package/net/none/none/seed0",
        "package/net/package/dim+mixup/none/seed0",
        "net/none/none/seed0",
        "net/package/dim+mixup/none/seed0",
    ]
    assert [cell_id(*cell) for cell in chosen(grid, ["net/*"])] == [
        "net/none/none/seed0",
        "net/package/dim+mixup/none/seed0",
    ]
    assert [cell_id(*cell) for cell in chosen(grid, ["package/*/none/none/*"])] == ["package/net/none/none/seed0"]


def test_cells_of_one_id_are_refused_and_none_is_lost():
    grid = Grid.model_validate({"dataset": "synthface", "models": ["a", "a/b"], "augmentations": ["b/c", "c"]})
    with pytest.raises(GridError, match="two cells of the grid have the id 'a/b/c/none/seed0'"):
        chosen(grid)
