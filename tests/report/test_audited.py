"""Promises and bounds: what is refuted, what is told of it, and that it ends a run as a broken gate does."""

import pytest

from fer_audit.report.audited import audited, refuted
from fer_audit.report.findings import findings
from fer_audit.report.gates import exit_code, judge, verdict
from fer_audit.results import Gate

KEPT, BROKEN = Gate(metric="accuracy", max=1.0), Gate(metric="accuracy", max=0.0)


def with_audit(results, place, field, **changes):
    cell = results.cells[place]
    audit = getattr(cell, field).model_copy(update=changes)
    cells = [*results.cells[:place], cell.model_copy(update={field: audit}), *results.cells[place + 1 :]]
    return results.model_copy(update={"cells": cells})


def place_of(results, defence):
    return next(place for place, cell in enumerate(results.cells) if cell.defence == defence)


def test_a_bound_for_each_audit(private):
    found = audited(private)
    assert len(found) == sum((cell.canaries is not None) + (cell.many_runs is not None) for cell in private.cells)
    assert {one.word for one in found} == {"not refuted", "not testable", "nothing promised"}
    assert refuted(private) == []


def test_a_bound_above_its_promise_is_named_with_it(broken_promise):
    (one,) = refuted(broken_promise)
    assert one.text == (
        "ghostface \u00b7 dp-sgd(epsilon=2): epsilon 2.04 (delta 1e-05) is promised for one image, and 256 mislabelled "
        "canaries of one training show a privacy loss of at least 3.30 with 95\u202f% confidence."
    )


def test_the_bound_furthest_above_its_promise_comes_first(private):
    one = with_audit(private, place_of(private, "dp-sgd(epsilon=8)"), "canaries", lower_bound=8.5, broken=True)
    both = with_audit(one, place_of(private, "dp-sgd(epsilon=2)"), "many_runs", lower_bound=99.0, broken=True)
    first, second = refuted(both)
    assert (first.cell.defence, second.cell.defence) == ("dp-sgd(epsilon=2)", "dp-sgd(epsilon=8)")
    assert first.by == "loss-threshold on many trainings"
    assert verdict([], both).title == "Refutes 2 promises of privacy"
    assert "2 of 10 bounds that are held against a promise lie above it" in findings(both)[0].text


@pytest.mark.parametrize(
    ("field", "changes", "unit"),
    [
        ("canaries", {}, "one image"),
        ("canaries", {"unit": "group", "copies": 2}, "2 copies of an image"),
        ("many_runs", {"unit": "row"}, "one image"),
        ("many_runs", {}, "a person with up to 14 images"),
    ],
)
def test_the_unit_is_what_the_promise_hides(private, field, changes, unit):
    place = place_of(private, "dp-sgd(epsilon=2)")
    changed = with_audit(private, place, field, **changes)
    (one,) = [one for one in audited(changed) if one.audit is getattr(changed.cells[place], field)]
    assert one.unit == unit
    assert f"for {unit}" in one.text


def test_an_audit_can_refute_only_what_lies_below_its_cap(private):
    found = {one.audit.promised: one.could_refute for one in audited(private) if one.by.startswith("256")}
    assert found == {None: False, 2.04: True, 8.16: False, 32.64: False}


@pytest.mark.parametrize(("gates", "code"), [([], 1), ([KEPT], 1), ([BROKEN], 1)])
def test_a_refuted_promise_is_above_all_gates_and_ends_with_1(broken_promise, gates, code):
    judged = judge(broken_promise, None, gates)
    said = verdict(judged, broken_promise)
    assert (exit_code(judged, broken_promise), said.title, said.tone) == (code, "Refutes a promise of privacy", "bad")
    assert "at least 3.30" in said.text
    assert ("Gates: " in said.text) == bool(gates)


@pytest.mark.parametrize(("gates", "code"), [([], 0), ([KEPT], 0), ([BROKEN], 1)])
def test_kept_promises_leave_the_gates_as_they_are(private, gates, code):
    judged = judge(private, None, gates)
    held = [one for one in audited(private) if one.audit.promised is not None]
    able = sum(one.audit.cap > one.audit.promised for one in held)
    assert 0 < able < len(held)
    assert exit_code(judged, private) == code
    said = f" No audit of a promise of privacy refutes it; {able} of {len(held)} audits could have."
    assert verdict(judged, private).text.endswith(said)


def test_results_without_promises_say_nothing_of_them(few):
    assert audited(few) == []
    assert "promise" not in verdict([], few).text
    assert not [one for one in findings(few) if "promise" in one.title]


def test_a_refuted_promise_is_the_first_finding_also_of_an_unfinished_cell(broken_promise):
    cells = [c.model_copy(update={"status": "failed"}) if c.canaries.broken else c for c in broken_promise.cells]
    told = findings(broken_promise.model_copy(update={"cells": cells}))
    assert [one.title for one in told[:2]] == ["A promise of privacy is refuted", "The grid is not complete"]
    assert told[0].tone == "bad"


def test_kept_promises_are_no_proof(private):
    (told,) = [one for one in findings(private) if "promise" in one.title]
    assert told.title == "No promise of privacy is refuted"
    assert told.tone == "plain"
    assert "at least 0.57 of the 2.04 promised for one image" in told.text
    assert "2 could have" in told.text
    assert told.text.endswith("no proof of the promises.")


def test_promises_that_no_audit_could_refute_are_open(private):
    cells = [cell.model_copy(update={"canaries": None}) for cell in private.cells]
    (told,) = [one for one in findings(private.model_copy(update={"cells": cells})) if "promise" in one.title]
    assert told.tone == "open"
    assert "0 could have" in told.text
