"""What `fer-audit report --compare` prints: sentences, what changed, and which numbers differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fer_audit.report.two_runs import TwoRuns

_ROWS = 20  #: of a table; the page has all

_STYLES = {"good": "green", "bad": "red", "open": "yellow", "plain": "default"}
_SIGNS = {"good": "+", "bad": "!", "open": "?", "plain": "-"}


def show_two_runs(runs: TwoRuns, console: Console) -> None:
    """Prints the comparison of two runs."""
    from rich.text import Text

    console.print(Text(f"A: {runs.one.folder}\nB: {runs.other.folder}"), soft_wrap=True)
    for finding in runs.findings():
        line = Text.assemble((f"{_SIGNS[finding.tone]} {finding.title}. ", f"bold {_STYLES[finding.tone]}"))
        console.print(line.append(finding.text))
    _show_facts(runs, console)
    _show_differences(runs, console)


def _show_facts(runs: TwoRuns, console: Console) -> None:
    from rich.text import Text

    from fer_audit.report.provenance_changes import shortened

    if not runs.changed:
        return
    table = _table("what changed", "A", "B")
    for fact in runs.changed[:_ROWS]:
        values = (f"{fact.group} {fact.name}", shortened(fact.one), shortened(fact.other))
        table.add_row(*(Text(value) for value in values))
    _print(table, len(runs.changed), console)


def _show_differences(runs: TwoRuns, console: Console) -> None:
    from rich.text import Text

    from fer_audit.report.numbers import confidence
    from fer_audit.report.two_runs_page import difference_text, interval_text

    if not runs.shown:
        return
    table = _table("cell", "measure", "B \u2212 A", f"{confidence(runs.other.results)} interval")
    for one in runs.shown[:_ROWS]:
        number = Text(difference_text(one), style=_STYLES[one.tone])
        table.add_row(Text(one.cell.id), Text(one.measure.title), number, Text(interval_text(one)))
    _print(table, len(runs.shown), console)


def _table(*names: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _print(table: Table, rows: int, console: Console) -> None:
    console.print()
    console.print(table)
    if rows > _ROWS:
        console.print(f"{rows - _ROWS:,} more are on the page", markup=False)
