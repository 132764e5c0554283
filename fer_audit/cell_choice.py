"""Which cells of a grid are meant: all, or those whose ids match a pattern."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from fnmatch import fnmatchcase

from fer_audit.errors import GridError
from fer_audit.grid import NONE, Grid, PluginRef, chain_label

#: Ids that an error names.
_NEAREST = 3

#: Seed, label attack, model, augmentations and defence: what makes a cell, in the order in which cells are planned.
Combination = tuple[int, PluginRef, PluginRef, tuple[PluginRef, ...], PluginRef]


def cell_id(
    seed: int, label_attack: PluginRef, model: PluginRef, chain: tuple[PluginRef, ...], defence: PluginRef
) -> str:
    """Readable and unique in the grid, such as `ghostface/randaug+mixup/symmetric(rate=0.2)/seed0`.

    A defence stands behind the augmentations, where there is one: `ghostface/none/dp-sgd(epsilon=8)/none/seed0`.
    """
    defended = [] if defence.name == NONE else [defence.label]
    return "/".join((model.label, chain_label(chain), *defended, label_attack.label, f"seed{seed}"))


def chosen(grid: Grid, patterns: Sequence[str] = ()) -> list[Combination]:
    """The cells that a pattern means, or all where there is none; raises GridError for a pattern that means none.

    A pattern is an id, or a shell glob over ids whose `*` matches slashes too.
    """
    cells: dict[str, Combination] = {}
    for cell in itertools.product(grid.seeds, grid.attacks.labels, grid.models, grid.augmentations, grid.defences):
        twin = cells.setdefault(cell_id(*cell), cell)
        if twin is not cell:  # a model `a` with `b/c`, and a model `a/b` with `c`
            raise GridError(f"two cells of the grid have the id {cell_id(*cell)!r}; put one of them into another grid")
    if not patterns:
        return list(cells.values())
    wanted = {name for pattern in patterns for name in _matching(pattern, list(cells))}
    return [cell for name, cell in cells.items() if name in wanted]


def _matching(pattern: str, ids: Sequence[str]) -> list[str]:
    if pattern in ids:  # parameters in an id may hold brackets, which a glob reads otherwise
        return [pattern]
    found = [name for name in ids if fnmatchcase(name, pattern)]
    if not found:
        near = ", ".join(map(repr, difflib.get_close_matches(pattern, ids, n=_NEAREST, cutoff=0.0)))
        raise GridError(
            f"--cell {pattern!r} matches none of the grid's {len(ids)} cells; expected an id or a pattern such as "
            f"'*/seed0'; the nearest ids are {near}"
        )
    return found
