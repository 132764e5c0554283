"""Which cells two runs have in common, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fer_audit.results import AttackResult, Cell, PluginRecord, Results

Pair = tuple[Cell, Cell]  #: a cell as A and as B have it
AttackKey = tuple[str, str]  #: name and parameters of a membership attack


@dataclass(frozen=True)
class CellChanges:
    """Cells by their id."""

    both: list[Pair]
    only_one: list[Cell]
    only_other: list[Cell]

    @property
    def statuses(self) -> list[Pair]:
        """Cells in both whose status differs, such as done in A and failed in B."""
        return [(one, other) for one, other in self.both if one.status != other.status]

    @property
    def plugins(self) -> list[str]:
        """Plug-ins of cells in both that have the same name, and other code or other parameters."""
        found = (change for pair in self.both for change in _plugin_changes(*pair))
        return list(dict.fromkeys(found))


def cell_changes(one: Results, other: Results) -> CellChanges:
    """The cells of two runs, in the order of their grids."""
    first, second = ({cell.id: cell for cell in results.cells} for results in (one, other))
    return CellChanges(
        both=[(cell, second[name]) for name, cell in first.items() if name in second],
        only_one=[cell for name, cell in first.items() if name not in second],
        only_other=[cell for name, cell in second.items() if name not in first],
    )


def attack_key(attack: AttackResult) -> AttackKey:
    """What makes two attacks the same one."""
    return attack.attack.name, json.dumps(attack.attack.params, sort_keys=True)


def attack_keys(cells: Sequence[Cell]) -> list[AttackKey]:
    """The attacks of these cells, each once."""
    return list(dict.fromkeys(attack_key(attack) for cell in cells for attack in _attacks(cell)))


def attack_names(keys: Sequence[AttackKey]) -> dict[AttackKey, str]:
    """What attacks are called: by their name, and by their parameters where several have that name."""
    names = [name for name, _ in keys]
    return {key: key[0] if names.count(key[0]) == 1 else f"{key[0]} {key[1]}" for key in keys}


def _attacks(cell: Cell) -> list[AttackResult]:
    return cell.privacy.attacks if cell.privacy else []


def _plugin_changes(one: Cell, other: Cell) -> Iterator[str]:
    for kind, first, second in _plugin_pairs(one, other):
        if first.name != second.name:
            continue
        if first.source and second.source and first.source != second.source:
            yield f"{kind} {first.name}: {'another file' if kind == 'model' and one.audited else 'other code'}"
        if kind != "attack" and first.params != second.params:
            yield f"{kind} {first.name}: other parameters"


def _plugin_pairs(one: Cell, other: Cell) -> Iterator[tuple[str, PluginRecord, PluginRecord]]:
    yield "model", one.model_plugin, other.model_plugin
    for first, second in zip(one.augmentation_plugins, other.augmentation_plugins, strict=False):
        yield "augmentation", first, second
    if one.defence_plugin and other.defence_plugin:
        yield "defence", one.defence_plugin, other.defence_plugin
    if one.label_attack_plugin and other.label_attack_plugin:
        yield "label attack", one.label_attack_plugin, other.label_attack_plugin
    theirs = {attack_key(attack): attack.attack for attack in _attacks(other)}
    for attack in _attacks(one):
        if attack_key(attack) in theirs:
            yield "attack", attack.attack, theirs[attack_key(attack)]
