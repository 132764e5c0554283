import csv

import numpy as np
import pytest

from fer_audit.attacks.audit import Audited
from fer_audit.attacks.records import Records
from fer_audit.results import AttackResult
from fer_audit.runner.exposed import most_exposed, pseudonym
from fer_audit.runner.records import write_records


def found(exposure, true_positives=None, member_targets=None, unit="row", first=None):
    """What an attack says of units with that exposure."""
    units = len(exposure)
    records = Records(
        first=np.arange(units) if first is None else np.array(first),
        member_targets=np.full(units, 3) if member_targets is None else np.array(member_targets),
        exposure=np.array(exposure, float),
        exposure_sd=np.full(units, np.nan),
        true_positives=np.zeros(units, int) if true_positives is None else np.array(true_positives),
        nonmember_targets=np.full(units, 3),
        nonmember_exposure=np.linspace(0.4, 0.6, units),
        false_positives=np.zeros(units, int),
        influence=np.zeros(units),
    )
    attack = {"name": "known", "params": {}, "source": ""}
    return Audited(AttackResult.model_construct(attack=attack, unit=unit), records)


def exposed(audited, **options):
    rows = int(audited.records.first.max()) + 1
    return most_exposed(audited, "digest", np.arange(rows) % 3, np.arange(rows) % 2 == 1, **options)


def test_names_differ_by_dataset_unit_and_row_alone():
    assert pseudonym("digest", "row", 3) == pseudonym("digest", "row", 3)
    names = {pseudonym(d, unit, row) for d in ("a", "b") for unit in ("row", "subject") for row in range(100)}
    assert len(names) == 400
    assert {name[:2] for name in names} == {"r-", "s-"}
    assert {len(name) for name in names} == {12}


def test_the_most_exposed_come_first_then_the_found_then_the_names():
    one = found([0.2, 0.9, 0.9, 0.7, 0.9], true_positives=[3, 1, 2, 0, 1])
    tied = sorted((1, 4), key=lambda row: pseudonym("digest", "row", row))
    rows = [2, *tied, 3, 0]
    assert [record.id for record in exposed(one).records] == [pseudonym("digest", "row", row) for row in rows]
    assert [record.id for record in exposed(one, most=2).records] == [
        pseudonym("digest", "row", row) for row in rows[:2]
    ]
    assert len(exposed(found(np.linspace(0, 1, 30))).records) == 10


def test_a_record_says_what_is_known_of_it():
    record = exposed(found([0.1, 0.8], true_positives=[0, 2])).records[0]
    assert (record.label, record.corrupted) == (1, True)
    assert (record.exposure, record.true_positives, record.member_targets) == (0.8, 2, 3)
    assert record.exposure_sd is None
    assert record.nonmember_exposure == 0.6


@pytest.mark.parametrize(("member_targets", "rows"), [([1, 2, 3, 2], [2, 1, 3]), ([1, 1, 0, 1], [0, 1, 3])])
def test_units_that_were_members_once_are_left_out_where_others_were_more_often(member_targets, rows):
    one = found([0.9, 0.6, np.nan if member_targets[2] == 0 else 0.7, 0.5], member_targets=member_targets)
    assert [record.id for record in exposed(one).records] == [pseudonym("digest", "row", row) for row in rows]


def test_a_person_is_named_by_the_first_row(tmp_path):
    one = found([0.3, 0.9], unit="subject", first=[0, 5])
    (record, _) = exposed(one).records
    assert record.id == pseudonym("digest", "subject", 5)
    assert record.id.startswith("s-")
    assert record.label == 5 % 3
    write_records(tmp_path / "records.csv", {"known": one}, {"label": list("abcdef")}, "digest")
    with (tmp_path / "records.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["row"], line["id"], line["label"]) for line in lines] == [
        ("0", pseudonym("digest", "subject", 0), "a"),
        ("5", record.id, "f"),
    ]
    assert list(lines[0])[:3] == ["attack", "row", "id"]
    assert "influence" not in lines[0]
