"""The summary for a pull request: what it holds, and that no text of the results becomes markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.report.findings import findings
from fer_audit.report.markdown import escaped, summary
from fer_audit.results import Gate, RunRecord

BREAK = "\u200b"


def unescaped(text):
    """What a reader sees: Markdown's escapes and entities undone (CommonMark 6.1 and 6.2)."""
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace(BREAK, "")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def blocks(text):
    return text.rstrip("\n").split("\n\n")


def row(line):
    """The entries of a line of a table."""
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.fixture
def gated(results):
    gates = [Gate(metric="mia_auc", max=0.6), Gate(metric="accuracy", min=0.1)]
    return results.model_copy(update={"gates": gates})


def test_the_verdict_comes_first_and_then_the_gates(gated):
    title, text, gates, *_ = blocks(summary(gated, None))
    assert title.startswith("## ")
    assert title.endswith("fixture: Breaks 1 of 2 gates")
    assert unescaped(text).startswith("mia_auc at most 0.6 is broken by 13 of 16 cells")
    head, rule, broken, kept = gates.split("\n")
    assert {len(row(line)) for line in (head, rule, broken, kept)} == {7}
    assert [unescaped(row(line)[0]) for line in (broken, kept)] == ["mia_auc", "accuracy"]
    assert [row(line)[1] for line in (broken, kept)] == ["broken", "kept"]


def test_promises_have_a_table_and_a_refuted_one_the_headline(private, broken_promise, results):
    assert "### Promises" not in summary(results, None)
    for found, word in ((private, "not refuted"), (broken_promise, "refuted")):
        text = summary(found, None)
        lines = text.partition("### Promises\n\n")[2].partition("\n\n")[0].split("\n")
        assert {len(row(line)) for line in lines} == {7}
        told = {unescaped(row(line)[1]): row(line)[-1] for line in lines[2:5]}
        audited = [line for line in lines[2:] if row(line)[1] == "training with canaries"]
        assert row(audited[0])[-1] == word
        assert "not audited" in {row(line)[-1] for line in lines[2:]}
        assert told
        assert "more promises" in text
    assert text.startswith("## \u274c fixture: Refutes a promise of privacy\n\nghostface")


def test_defences_are_a_column_where_there_are_any(private, results):
    heads = {
        name: summary(found, None).partition("### Cells\n\n")[2].split("\n")
        for name, found in (("private", private), ("plain", results))
    }
    assert row(heads["private"][0])[:4] == ["Model", "Augmentation", "Defence", "Labels"]
    assert unescaped(row(heads["private"][3])[2]) == "dp-sgd(epsilon=2)"
    assert "Defence" not in row(heads["plain"][0])


def test_without_gates_there_is_no_table_of_them(results):
    text = summary(results, None)
    assert "No limit was set" in text
    assert "| Gate |" not in text


def test_five_findings_are_told_and_the_rest_counted(results):
    (block,) = [b for b in re.split(r"\n\n(?=###|<sub>)", summary(results, None)) if b.startswith("### Findings")]
    found = findings(results)
    lines = block.split("\n")[2:]
    assert len(lines) == 6
    assert all(escaped(one.title) in line for one, line in zip(found[:5], lines[:5], strict=True))
    assert lines[-1].endswith(f"{len(found) - 5} more in the report")


def test_thirty_cells_are_shown_and_the_rest_counted(make_results):
    results = make_results(seeds=(0, 1, 2))
    text = summary(results, None)
    cells = text.partition("### Cells\n\n")[2].partition("<sub>")[0]
    lines = [line for line in cells.split("\n") if line.startswith("|")]
    assert len(lines) == 2 + 30
    assert {len(row(line)) for line in lines} == {8}  # with the seed, which the first cell's row holds too
    assert row(lines[2])[:5] == ["ghostface", "none", "clean labels", "0", "done"]
    assert f"{len(results.cells) - 30} more cells" in cells


def test_what_is_not_there_is_a_dash_and_what_is_invalid_is_said(few, unmeasured):
    privacy = few.cells[1].privacy.model_copy(update={"invalid": "halves differ"})
    cells = [few.cells[0].model_copy(update={**unmeasured, "status": "missing"}), *few.cells[1:]]
    cells[1] = cells[1].model_copy(update={"privacy": privacy})
    text = summary(few.model_copy(update={"cells": cells}), None)
    lines = text.partition("### Cells\n\n")[2].split("\n")
    assert row(lines[2])[3:] == ["missing", "\u2014", "\u2014", "\u2014"]
    assert row(lines[3])[-1].endswith("invalid")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (None, "commit unknown"),
        (RunRecord(started="", git_commit="0a1b2c", git_dirty=False), "commit 0a1b2c \u00b7"),
        (
            RunRecord(started="", git_commit="0a1b2c", git_dirty=True),
            "commit 0a1b2c with changes that are not committed",
        ),
    ],
)
def test_provenance_is_one_line(results, run, said):
    last = blocks(summary(results, run))[-1]
    assert "\n" not in last
    assert said in last
    assert "fer-audit 0.0.fixture" in last


ATTACKS = [
    ("a|b", "a\\|b"),
    ("`code`", "\\`code\\`"),
    ("<img src=x>", "&lt;img src=x&gt;"),
    ("&lt;", "&amp;lt;"),
    ("[a](b)", "\\[a\\](b)"),
    ("one\n\n# two\r\tthree", f"one  #{BREAK} two  three"),
    ("@octocat", f"@{BREAK}octocat"),
    ("fixes #12, GH-3", f"fixes #{BREAK}12, G{BREAK}H-3"),
    ("https://evil.example", f"https:{BREAK}//evil.example"),
    ("WWW.evil.example www.x", f"W{BREAK}WW.evil.example w{BREAK}ww.x"),
    ("$x$ ~~y~~ **z** _w_", "\\$x\\$ \\~\\~y\\~\\~ \\*\\*z\\*\\* \\_w\\_"),
    ("right\u202eleft", "right left"),
]


@pytest.mark.parametrize(("text", "safe"), ATTACKS)
def test_markup_in_a_text_is_shown_as_it_is(text, safe):
    assert escaped(text) == safe


def test_hostile_names_stay_in_their_place(gated):
    hostile = "x|y`<b>@me [l](http://e.com)\n\n# h"
    cells = [cell.model_copy(update={"model": hostile, "augmentation": hostile}) for cell in gated.cells]
    text = summary(gated.model_copy(update={"cells": cells, "grid": hostile}), None)
    usual = summary(gated, None)
    assert len(blocks(text)) == len(blocks(usual))
    lines = [line for line in text.split("\n") if line.startswith("|")]
    assert [len(row(line)) for line in lines] == [len(row(line)) for line in usual.split("\n") if line.startswith("|")]
    assert not re.search(r"<(?!/?sub>)|@(?!\u200b)|://", text)


def test_long_names_are_cut(results):
    cells = [cell.model_copy(update={"model": "m" * 5000}) for cell in results.cells]
    assert len(summary(results.model_copy(update={"cells": cells, "grid": "g" * 5000}), None)) < 20_000


@given(st.text())
def test_a_reader_sees_the_text_on_one_line(text):
    safe = escaped(text, 10_000)
    assert len(safe.splitlines()) <= 1
    assert "<" not in safe
    assert not re.search(r"(?<!\\)(?:\\\\)*[`|*_\[\]]", safe)
    seen = "".join(letter if letter.isprintable() or letter.isspace() else " " for letter in text)
    if seen == text and BREAK not in text:
        assert unescaped(safe).split() == text.split()
