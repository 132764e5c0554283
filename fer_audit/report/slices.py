"""What attacks do to groups of rows: each class, each attribute, corrupted and clean labels."""

from __future__ import annotations

from collections.abc import Iterator

from fer_audit.report.attack_rows import attack_entry
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import decimal, p_value
from fer_audit.report.strongest import strongest_attacks
from fer_audit.report.table import Column, Entry, Table, field, identified, measured, words
from fer_audit.results import AttackResult, Cell, Results, Slice

LABELS = "labels"  #: the family of rows with corrupted and with clean labels
CORRUPTED, CLEAN = "corrupted", "clean"
_CORRECTIONS = {"holm": "Holm", "benjamini-hochberg": "Benjamini and Hochberg"}
_NAMES = (Column("Cell", numeric=False), Column("Attack", numeric=False))
_P = Column("Adjusted p", "of no difference, corrected for the number of slices of the attack")


def slices_table(results: Results, cells: int) -> Table:
    """The slices of the first `cells` cells: of their strongest attacks, and corrupted labels of every attack."""
    columns = (
        *_NAMES,
        Column("Grouped by", numeric=False),
        Column("Group", numeric=False),
        Column("Rows", "or subjects, where an attack is about those"),
        Column("AUC", "members of the group against its non-members; 0.5 is chance"),
        Column("Difference", "AUC of the group less the AUC of all other rows"),
        _P,
        Column("TPR", "share of the group's members found at the transferred thresholds"),
        Column("FPR", "share of the group's non-members accused at the same thresholds"),
    )
    found, seeds = _sliced(results)[:cells], several_seeds(results)
    rows = [
        (*_names(cell, attack, seeds), *_slice(results, one)) for cell in found for attack, one in _worth_showing(cell)
    ]
    return Table("slices", "Groups of rows against all others", columns, tuple(rows), tools=True)


def canaries_table(results: Results, cells: int) -> Table:
    """Every attack on rows with corrupted labels against those with clean ones, of the first `cells` cells."""
    columns = (
        *_NAMES,
        Column("Corrupted rows"),
        Column("AUC corrupted"),
        Column("AUC clean"),
        Column("Difference", "AUC on corrupted rows less AUC on clean ones"),
        _P,
        Column("TPR corrupted", "at the transferred thresholds"),
        Column("TPR clean", "at the transferred thresholds"),
    )
    seeds = several_seeds(results)
    rows = [
        (*_names(cell, attack, seeds), *_canaries(*pair))
        for cell in _sliced(results)[:cells]
        for attack in (cell.privacy.attacks if cell.privacy else [])
        if (pair := _pair(attack)) is not None
    ]
    return Table("canaries", "Corrupted rows as canaries", columns, tuple(rows), tools=True)


def sliced_cells(results: Results) -> int:
    """How many cells have slices."""
    return len(_sliced(results))


def group_name(results: Results, one: Slice) -> str:
    """A group as people call it: a class by its name, where the slice has only its number."""
    classes = results.dataset.classes
    if one.family == "class" and one.group not in classes and one.group.isdecimal() and int(one.group) < len(classes):
        return classes[int(one.group)]
    return one.group or "(empty)"


def _sliced(results: Results) -> list[Cell]:
    return [cell for cell in results.cells if cell.privacy and any(attack.slices for attack in cell.privacy.attacks)]


def _worth_showing(cell: Cell) -> Iterator[tuple[AttackResult, Slice]]:
    """Slices of the strongest attacks, and those by labels of all others."""
    strongest = strongest_attacks(cell)
    yield from ((attack, one) for attack in strongest for one in attack.slices)
    for attack in cell.privacy.attacks if cell.privacy else []:
        if all(attack is not other for other in strongest):
            yield from ((attack, one) for one in attack.slices if one.family == LABELS)


def correction(results: Results) -> str:
    """After whom the p-values are corrected."""
    used = (attack.correction for cell in _sliced(results) if cell.privacy for attack in cell.privacy.attacks)
    return ", or ".join(dict.fromkeys(_CORRECTIONS[name] for name in used)) or "Holm"


def _names(cell: Cell, attack: AttackResult, seeds: bool) -> tuple[Entry, Entry]:
    return identified(cell, seeds), attack_entry(cell, attack)


def _slice(results: Results, one: Slice) -> tuple[Entry, ...]:
    return (
        words(one.family),
        words(group_name(results, one)),
        field(one, "rows"),
        measured(one.auc, decimal),
        measured(one.difference, decimal),
        field(one, "p_adjusted", p_value),
        measured(one.tpr),
        measured(one.fpr),
    )


def _pair(attack: AttackResult) -> tuple[Slice, Slice] | None:
    """Corrupted and clean rows."""
    found = {one.group: one for one in attack.slices if one.family == LABELS}
    return (found[CORRUPTED], found[CLEAN]) if {CORRUPTED, CLEAN} <= set(found) else None


def _canaries(corrupted: Slice, clean: Slice) -> tuple[Entry, ...]:
    return (
        field(corrupted, "rows"),
        measured(corrupted.auc, decimal),
        measured(clean.auc, decimal),
        measured(corrupted.difference, decimal),
        field(corrupted, "p_adjusted", p_value),
        measured(corrupted.tpr),
        measured(clean.tpr),
    )
