"""JUnit XML, parsed back."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.report.gates import judge
from fer_audit.report.junit import junit_xml, write_junit
from fer_audit.results import Gate

HOSTILE = "a<b>&\"'\x00\x1b[31m]]>\ud800<!-- \ufffe\nnext\u2028"


def parsed(results, gates):
    return ET.fromstring(junit_xml(judge(results, None, gates), results))  # noqa: S314 - it is our own


def with_cells(results, **updates):
    cells = [cell.model_copy(update=updates.get(f"c{place}", {})) for place, cell in enumerate(results.cells)]
    return results.model_copy(update={"cells": cells})


@pytest.fixture
def broken(few):
    return with_cells(
        few, c1={"status": "failed", "error": "first\n" * 100 + "ValueError: boom"}, c2={"status": "missing"}
    )


def test_a_case_for_each_gate_and_cell(few):
    gates = [Gate(metric="accuracy", max=0.0), Gate(metric="macs", max=1e12), Gate(metric="accuracy", min=0.0)]
    suite, cells = parsed(few, gates)
    ids = [cell.id for cell in few.cells]
    cases = suite.findall("testcase")
    assert [case.get("classname") for case in cases] == ["accuracy"] * 4 + ["macs"] * 4 + ["accuracy"] * 4
    assert [case.get("name") for case in cases[4:8]] == ids
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(names)) == len(names)
    assert [case.find("failure") is not None for case in cases] == [True] * 4 + [False] * 8
    assert suite.attrib == {
        "name": "gates of fixture",
        "tests": "12",
        "failures": "4",
        "errors": "0",
        "skipped": "0",
    }
    assert [case.get("name") for case in cells] == ids
    assert cells.get("errors") == "0"


def test_warnings_and_what_is_unknown_are_skipped_with_the_reason(few):
    gates = [
        Gate(metric="accuracy", max=0.0, level="warn"),
        Gate(metric="mia_tpr_at_fpr_0.001", max=1.0),
        Gate(metric="accuracy", max=1.0, where={"seed": ["9"]}),
    ]
    suite, _ = parsed(few, gates)
    messages = [case.find("skipped").get("message") for case in suite]
    assert suite.get("skipped") == suite.get("tests") == "9"
    assert all(message.startswith("warning: accuracy at most 0") for message in messages[:4])
    assert all("inconclusive" in message and "needs at least 1,000" in message for message in messages[4:8])
    assert messages[8] == "No cell is there with seed 9."
    assert all(case.find("system-out").text in case.find("skipped").text for case in list(suite)[:8])


def test_failed_cells_are_errors_with_the_tail_of_their_log(broken):
    _, cells = parsed(broken, [])
    failed, missing = cells[1].find("error"), cells[2].find("skipped")
    assert failed.get("message") == "ValueError: boom"
    assert failed.text.count("first") == 39
    assert failed.text.endswith("ValueError: boom")
    assert missing.get("message") == "not trained yet"
    assert (cells.get("errors"), cells.get("skipped"), cells.get("tests")) == ("1", "1", "4")


def test_promises_are_a_suite_of_their_own(private, broken_promise, few):
    assert len(parsed(few, [])) == 2
    *_, kept = parsed(private, [])
    *_, broken = parsed(broken_promise, [])
    ids = [cell.id for cell in private.cells for _ in range(2) if cell.guarantee]
    promised = [case.get("name") for case in kept]
    assert kept.get("failures") == "0"
    assert set(promised) == set(ids)
    assert len({(case.get("classname"), case.get("name")) for case in kept}) == len(kept)
    (failure,) = broken.findall("testcase/failure")
    assert "at least 3.30" in failure.get("message")
    assert broken.get("failures") == "1"


def test_hostile_text_stays_text(few, tmp_path):
    updates = {"id": HOSTILE, "model": HOSTILE, "status": "failed", "error": HOSTILE}
    results = with_cells(few, c0=updates).model_copy(update={"grid": HOSTILE})
    judged = judge(results, None, [Gate(metric="accuracy", max=0.0)])
    write_junit(judged, results, tmp_path / "gates.xml")
    gates, cells = ET.parse(tmp_path / "gates.xml").getroot()  # noqa: S314 - it is our own
    clean = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    clean = clean.replace("\ufffe", "\ufffd")
    assert gates[0].get("name") == cells[0].get("name") == clean
    assert cells[0].find("error").text == "\n".join(clean.splitlines())
    assert {child.tag for case in (*gates, *cells) for child in case} <= {"skipped", "failure", "error", "system-out"}


@given(st.text(st.characters(codec=None, exclude_characters="\r")))
def test_any_text_can_be_parsed_back(few, text):
    _, cells = parsed(with_cells(few, c0={"id": text}), [])
    assert len(cells[0].get("name")) == len(text)
