"""The records that are exposed most, named by pseudonyms."""

from __future__ import annotations

from fer_audit.report.naming import attack_name, given_models, several_seeds
from fer_audit.report.numbers import UNKNOWN, decimal
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.table import Column, Entry, Table, field, identified, number, without, words
from fer_audit.results import AttackResult, Cell, ExposedRecord, Results

_COLUMNS = (
    Column("Cell", numeric=False),
    Column("Attack", numeric=False),
    Column("Record", "pseudonym; the csv of the records, which stays with the owner of the data, has its row", False),
    Column("Given label", numeric=False),
    Column("Exposure", "share of non-members that the attack finds less like a member, mean over targets"),
    Column("SD", "standard deviation of the exposure over targets that trained on the record"),
    Column("Found in", "targets that it was found in, as a member"),
    Column("Targets", "that trained on it"),
    Column("As non-member", "its exposure in targets that did not train on it: near 0.5 where nothing is special"),
)


#: What only several targets can tell.
_OVER_TARGETS = ("SD", "Found in", "Targets", "As non-member")


def exposed_table(results: Results, limit: int) -> Table:
    """The most exposed records of each of the first `limit` cells, after its strongest attack."""
    seeds = several_seeds(results)
    shown = [cell for cell in results.cells if cell.privacy and cell.privacy.exposed][:limit]
    rows = [
        _row(results, cell, attack, record, seeds)
        for cell in shown
        if (attack := strongest_attack(cell))
        for record in _records(cell, attack)
    ]
    table = Table("exposed", "Most exposed records of the strongest attack", _COLUMNS, tuple(rows), tools=True)
    return without(table, *_OVER_TARGETS) if given_models(results) else table


def _records(cell: Cell, attack: AttackResult) -> list[ExposedRecord]:
    found = cell.privacy.exposed if cell.privacy else []
    return next((one.records for one in found if one.attack == attack.attack), [])


def _row(results: Results, cell: Cell, attack: AttackResult, record: ExposedRecord, seeds: bool) -> tuple[Entry, ...]:
    name, classes = attack_name(cell, attack), results.dataset.classes
    label = classes[record.label] if record.label < len(classes) else UNKNOWN
    return (
        identified(cell, seeds),
        Entry(name, sort=name, note=attack.threat_model, attack=name),
        words(record.id),
        words(label, "a wrong label" if record.corrupted else ""),
        field(record, "exposure", decimal),
        number(record.exposure_sd, decimal, (record, "exposure_sd")),
        field(record, "true_positives"),
        field(record, "member_targets"),
        number(record.nonmember_exposure, decimal, (record, "nonmember_exposure")),
    )
