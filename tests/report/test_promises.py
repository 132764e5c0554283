"""The tables of what is promised, of what audits show, and of cells that can't be."""

from fer_audit.report.guarantees import guarantees, guarantees_table
from fer_audit.report.left_out import left_out_table
from fer_audit.report.promises import promises_table


def column(table, title):
    place = [one.title for one in table.columns].index(title)
    return [row[place] for row in table.rows]


def titles(table):
    return [one.title for one in table.columns]


def with_cells(results, **changes):
    return results.model_copy(update={"cells": [cell.model_copy(update=changes) for cell in results.cells]})


def test_rows_are_as_long_as_the_head(private, broken_promise):
    for results in (private, broken_promise, with_cells(private, canaries=None), with_cells(private, many_runs=None)):
        for make in (guarantees_table, promises_table, left_out_table):
            table = make(results)
            assert table.rows
            assert {len(row) for row in table.rows} == {len(table.columns)}


def test_each_kind_of_private_training_has_its_own_promise(private):
    cell = next(cell for cell in private.cells if cell.guarantee)
    assert [of for of, _ in guarantees(cell)] == ["utility model", "training with canaries", "trainings on halves"]
    table = guarantees_table(private)
    assert len(table.rows) == 3 * sum(cell.guarantee is not None for cell in private.cells)
    epsilons = [entry.sort for entry in column(table, "Epsilon")[:3]]
    assert epsilons == [cell.guarantee.epsilon, cell.canaries.guarantee.epsilon, cell.many_runs.guarantee.epsilon]
    assert [entry.sort for entry in column(table, "Rows")[:3]] == [960, 832, 480]
    assert column(table, "Epsilon")[0].note == "for one image\nPLD, Poisson sampling"


def test_what_a_person_is_promised_depends_on_their_images(private):
    entries = column(guarantees_table(private), "Epsilon of a person")
    assert (entries[0].text, entries[0].note) == ("38.60", "with up to 14 images")
    unbounded = next(entry for entry in entries if entry.sort is None)
    assert (unbounded.text, unbounded.note) == ("no bound", "with up to 14 images: nothing finite")
    found = private.cells[1]
    alone = found.model_copy(update={"guarantee": found.guarantee.model_copy(update={"group": None})})
    alone = alone.model_copy(update={"canaries": None, "many_runs": None})
    assert "Epsilon of a person" not in titles(guarantees_table(private.model_copy(update={"cells": [alone]})))


def test_refuted_promises_come_first_and_in_red(broken_promise):
    table = promises_table(broken_promise)
    first, *others = column(table, "The promise")
    assert (first.text, first.tone) == ("refuted", "bad")
    assert {(entry.text, entry.tone) for entry in others} == {
        ("not refuted", "good"),
        ("not testable", "open"),
        ("nothing promised", ""),
    }
    row = table.rows[0]
    assert [entry.text for entry in row[3:9]] == ["3.30", "2.04", "95\u202f%", "40", "27", "0.665"]
    assert row[3].note == "for one image\ndelta 1e-05, cap 4.90"


def test_what_no_audit_could_refute_says_so(private):
    entries = column(promises_table(private), "The promise")
    for cell, entry in zip(column(promises_table(private), "Cell"), entries, strict=True):
        assert bool(entry.note) == (entry.tone == "open"), cell
    assert any("no such audit could refute it" in entry.note for entry in entries)


def test_only_what_was_audited_has_columns(private):
    without_canaries = titles(promises_table(with_cells(private, canaries=None)))
    assert "Decisions" in without_canaries
    assert not {"Guesses", "Correct", "AUC", "File"} & set(without_canaries)
    without_runs = titles(promises_table(with_cells(private, many_runs=None)))
    assert "Decisions" not in without_runs
    assert {"Guesses", "Correct", "AUC", "File"} <= set(without_runs)


def test_the_canaries_of_a_cell_are_linked(private):
    assert column(promises_table(private), "File")[0].link == "./canaries/a%20cell.csv"


def test_cells_that_cannot_be_have_their_reason(private):
    table = left_out_table(private)
    assert [(row[0].text, row[1].text) for row in table.rows] == [(one.id, one.reason) for one in private.left_out]
