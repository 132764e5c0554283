"""Gates and cells as JUnit XML, which GitHub, GitLab and Jenkins read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from fer_audit.report.audited import Audited, audited
from fer_audit.report.gates import Judged
from fer_audit.report.judged_cell import JudgedCell, difference_text, limit_text, value_text
from fer_audit.results import CanaryAudit, Cell, Gate, Results, write_text

#: Letters that XML 1.0 can't hold, escaped or not (section 2.2 of the standard).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Lines at the end of a failed cell's log that are shown.
_TAIL = 40


def write_junit(judged: Sequence[Judged], results: Results, path: Path) -> None:
    """Writes the XML file."""
    write_text(path, junit_xml(judged, results))


def junit_xml(judged: Sequence[Judged], results: Results) -> str:
    """One suite of gates, a case for each gate and cell, and one of cells: whether each could be finished.

    Where promises of privacy were audited there is a third suite, a case for each bound that is held against one.
    """
    root = ET.Element("testsuites", name="fer-audit")
    gates = _suite(root, f"gates of {results.grid}")
    for one in judged:
        _gate(gates, one, twice=sum(other.gate.metric == one.gate.metric for other in judged) > 1)
    cells = _suite(root, f"cells of {results.grid}")
    for cell in results.cells:
        _cell(cells, cell)
    promises = [one for one in audited(results) if one.audit.promised is not None]
    if promises:
        suite = _suite(root, f"promises of {results.grid}")
        for audit in promises:
            _promise(suite, audit)
    for suite in root:
        _count(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=_allowed(name))


def _gate(suite: ET.Element, judged: Judged, twice: bool) -> None:
    """The cases of one gate; a gate that is not alone with its metric is told from the others by its limit."""
    told = f" ({_gate_text(judged.gate)})" if twice else ""
    if not judged.cells:
        case = _case(suite, judged.gate.metric, f"no cell{told}")
        _say(case, "skipped", judged.text)
    for one in judged.cells:
        _outcome(_case(suite, judged.gate.metric, f"{one.cell.id}{told}"), judged.gate, one)


def _outcome(case: ET.Element, gate: Gate, one: JudgedCell) -> None:
    text = f"{gate.metric} {_gate_text(gate)}: {_measured_text(gate, one)}"
    if one.outcome == "fail" and gate.level == "error":
        _say(case, "failure", text)
    elif one.outcome != "pass":
        _say(case, "skipped", f"warning: {text}" if one.outcome == "fail" else f"inconclusive: {text}")
    ET.SubElement(case, "system-out").text = _allowed(text)


def _promise(suite: ET.Element, one: Audited) -> None:
    case = _case(suite, "canaries" if isinstance(one.audit, CanaryAudit) else "many runs", one.cell.id)
    if one.refuted:
        _say(case, "failure", one.text)
    ET.SubElement(case, "system-out").text = _allowed(one.text)


def _gate_text(gate: Gate) -> str:
    return limit_text(gate) + (" for certain" if gate.certain else "")


def _measured_text(gate: Gate, one: JudgedCell) -> str:
    if one.difference is None:
        return one.reason
    by = f" by {one.by}" if one.by else ""
    reason = f"; {one.reason}" if one.reason else ""
    return f"{value_text(gate, one)}{by}, {difference_text(gate, one.difference)} from the limit{reason}"


def _cell(suite: ET.Element, cell: Cell) -> None:
    case = _case(suite, "cell", cell.id)
    if cell.status == "failed":
        lines = cell.error.splitlines()
        _say(case, "error", lines[-1] if lines else "the cell failed", "\n".join(lines[-_TAIL:]))
    elif cell.status == "missing":
        _say(case, "skipped", cell.error or "not trained yet")


def _case(suite: ET.Element, classname: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_allowed(classname), name=_allowed(name))


def _say(case: ET.Element, tag: str, message: str, text: str | None = None) -> None:
    found = ET.SubElement(case, tag, message=_allowed(message))
    found.text = _allowed(message if text is None else text)


def _count(suite: ET.Element) -> None:
    """Writes how many cases the suite has, and of how many there is a failure, an error or a skip."""
    suite.set("tests", str(len(suite.findall("testcase"))))
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))


def _allowed(text: str) -> str:
    """The text without letters that no XML file can hold; escaping is the serialiser's."""
    return _FORBIDDEN.sub("\ufffd", text)
