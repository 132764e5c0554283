"""The results in Markdown, for a comment on a pull request; text of the results stays text there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from fer_audit.report.audited import Audited, audited
from fer_audit.report.audited_models import declared_text
from fer_audit.report.findings import findings
from fer_audit.report.gates import Judged, Verdict, gates_table, judge, verdict, where_text
from fer_audit.report.guarantees import guarantees
from fer_audit.report.naming import attack_name, cell_name, given_models, labels_name, several_seeds, with_defences
from fer_audit.report.numbers import UNKNOWN, decimal, loss, with_interval
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.table import Entry
from fer_audit.results import AuditedFile, Cell, Guarantee, Results, RunRecord

_MOST_FINDINGS = 5
_MOST_ROWS, _MOST_PROMISES = 30, 15
#: Letters of a sentence and of a place in a table; a comment on GitHub holds 65,536 in all.
_LONGEST, _LONGEST_ENTRY = 800, 120
_SIGNS = {"good": "\u2705", "bad": "\u274c", "open": "\u2753", "plain": "\u2022"}

#: A space of no width, which ends a mention, a reference or a link that a service would make of plain text.
_BREAK = "\u200b"
_MARKUP = re.compile(r"([\\`*_{}\[\]|~$])")
_LINKED = re.compile(r"@|#|://|www\.|\bgh-", re.IGNORECASE)


def summary(results: Results, run: RunRecord | None) -> str:
    """The verdict, promises, gates, the first findings, the cells, and where the numbers come from."""
    judged = judge(results, run, results.gates)
    blocks = [
        verdict_block(results, verdict(judged, results)),
        promises_block(results),
        gates_block(judged),
        _findings(results),
        _cells(results),
        _audited_models(results),
        _provenance(results, run),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def verdict_block(results: Results, found: Verdict) -> str:
    """The headline, and the sentences below it."""
    return f"## {_SIGNS[found.tone]} {escaped(results.grid)}: {escaped(found.title)}\n\n{escaped(found.text)}"


def promises_block(results: Results) -> str:
    """A table of what training promises and of what audits hold against it; empty where nothing is promised."""
    audits = {id(one.audit.guarantee): one for one in audited(results) if one.audit.guarantee}
    every = [(cell, of, one, audits.get(id(one))) for cell in results.cells for of, one in guarantees(cell)]
    every.sort(key=lambda line: not (line[3] and line[3].refuted))
    rows = [map(_short, _promise(results, *line)) for line in every[:_MOST_PROMISES]]
    return "### Promises\n\n" + _table(_PROMISES, rows, len(every), "promises") if every else ""


_PROMISES = ("Cell", "Of", "Epsilon, one image", "Delta", "Epsilon, a person", "Epsilon \u2265", "The promise")


def _promise(results: Results, cell: Cell, of: str, one: Guarantee, found: Audited | None) -> list[str]:
    """A line: what is promised, and the bound of the audit of these very trainings where there was one."""
    group = loss(one.group.epsilon) if one.group and one.group.epsilon is not None else UNKNOWN
    bound = f"{loss(found.audit.lower_bound)} for {found.unit}" if found else UNKNOWN
    name = cell_name(cell, several_seeds(results))
    return [
        name,
        of,
        f"{loss(one.epsilon)} by {one.accountant}",
        f"{one.delta:g}",
        group,
        bound,
        found.word if found else "not audited",
    ]


def gates_block(judged: Sequence[Judged]) -> str:
    """A table of the gates; empty where there are none."""
    table = gates_table(judged)
    rows = [[escaped(_about(one)), *map(_entry, row[1:])] for one, row in zip(judged, table.rows, strict=True)]
    return _table([column.title for column in table.columns], rows[:_MOST_ROWS], len(judged), "gates") if judged else ""


def _about(one: Judged) -> str:
    where = where_text(one.gate)
    return f"{one.gate.metric} ({where})" if where else one.gate.metric


def escaped(text: str, longest: int = _LONGEST) -> str:
    """Text that reads in Markdown as it is: no markup, no HTML, no link, no mention, on one line, cut where long."""
    line = "".join(" " if unicodedata.category(letter) in _UNSEEN else letter for letter in text)
    line = line if len(line) <= longest else line[:longest] + "\u2026"
    line = _MARKUP.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return _LINKED.sub(lambda found: found[0][0] + _BREAK + found[0][1:], line).strip()


#: Unicode categories of control and format letters (direction overrides among them), and of ends of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _findings(results: Results) -> str:
    found = findings(results)
    lines = [f"- {_SIGNS[one.tone]} **{escaped(one.title)}.** {escaped(one.text)}" for one in found[:_MOST_FINDINGS]]
    rest = len(found) - _MOST_FINDINGS
    more = [f"- \u2026 {rest} more in the report"] if rest > 0 else []
    return "\n".join(["### Findings", "", *lines, *more])


def _cells(results: Results) -> str:
    seeds = several_seeds(results)
    defences = with_defences(results)
    told = ["Model", *(["Defence"] if defences else []), *(["Seed"] if seeds else [])]
    if not given_models(results):
        told = ["Model", "Augmentation", *(["Defence"] if defences else []), "Labels", *(["Seed"] if seeds else [])]
    rows = [map(_short, _cell(cell, defences, seeds)) for cell in results.cells[:_MOST_ROWS]]
    columns = [*told, "Status", "Accuracy", "Balanced acc.", "Attack AUC"]
    return "### Cells\n\n" + _table(columns, rows, len(results.cells), "cells")


def _cell(cell: Cell, defences: bool, seeds: bool) -> list[str]:
    utility = cell.utility
    return [
        cell.model,
        *([] if cell.audited else [cell.augmentation]),
        *([cell.defence] if defences else []),
        *([] if cell.audited else [labels_name(cell)]),
        *([str(cell.seed)] if seeds else []),
        cell.status,
        with_interval(utility.accuracy) if utility else UNKNOWN,
        with_interval(utility.balanced_accuracy) if utility else UNKNOWN,
        _leakage(cell),
    ]


_FILES = ("Model", "File", "Format", "SHA-256", "Declared", "Thresholds from", "Warnings")


def _audited_models(results: Results) -> str:
    """A table of the files that were audited as they were given; empty where there are none."""
    found = [(cell, cell.audited) for cell in results.cells if cell.audited]
    rows = [map(_short, _file(cell, one)) for cell, one in found[:_MOST_ROWS]]
    return "### Audited models\n\n" + _table(_FILES, rows, len(found), "models") if found else ""


def _file(cell: Cell, one: AuditedFile) -> list[str]:
    held = one.calibration
    split = f"{held.members:,} members and {held.nonmembers:,} non-members, not scored" if held else one.references
    declared = declared_text(one) or "nothing"
    return [cell.model, one.file, one.format, one.sha256[:12], declared, split or UNKNOWN, str(len(one.warnings))]


def _leakage(cell: Cell) -> str:
    attack = strongest_attack(cell)
    if attack is None:
        return UNKNOWN
    invalid = ", invalid" if cell.privacy and cell.privacy.invalid else ""
    return f"{with_interval(attack.auc, decimal)}, {attack_name(cell, attack)}{invalid}"


def _provenance(results: Results, run: RunRecord | None) -> str:
    origin = results.provenance
    commit = f"commit {run.git_commit}" if run and run.git_commit else "commit unknown"
    dirty = " with changes that are not committed" if run and run.git_dirty else ""
    grid = f"grid {origin.grid_sha256[:12]}" if origin.grid_sha256 else ""
    parts = [f"fer-audit {origin.fer_audit}", commit + dirty, grid, f"Python {origin.python}", origin.platform]
    line = escaped(" \u00b7 ".join(filter(None, parts)))
    return f"<sub>{line}</sub>"


def _entry(entry: Entry) -> str:
    return _short(f"{entry.text} ({', '.join(entry.note.splitlines())})" if entry.note else entry.text)


def _short(text: str) -> str:
    return escaped(text, _LONGEST_ENTRY)


def _table(heads: Sequence[str], rows: Sequence[Iterable[str]], total: int, what: str) -> str:
    """A table of rows that are escaped already; `total` counts those left out too."""
    lines = [_line(heads), _line("---" for _ in heads), *map(_line, rows)]
    more = ["", f"\u2026 {total - len(rows)} more {what}"] if total > len(rows) else []
    return "\n".join([*lines, *more])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
