"""The table of `fer-audit export`: each file beside the network that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.export.record import LEAST_EQUAL, MOST_DIFFERENCE, MOST_UNEQUAL, Exported, ExportRecord

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show_export(record: ExportRecord, written: Sequence[Exported], out: Path, console: Console) -> None:
    """Two narrow tables, a line a file in each: how near it comes, and what it costs; and where all of it lies."""
    rows, alike = written[0].rows, written[0].original_accuracy.value or 0.0
    _say(console, f"{record.cell}: loaded again and compared with the network on {rows:,} test images")
    console.print(_agreement(written))
    _say(console, f"the network itself: accuracy {alike:.2%} on the same images")
    console.print()
    _say(console, f"size, and speed of one image on one thread ({record.device})")
    console.print(_speed(record, written))
    for one in written:
        if not one.agrees:
            _say(console, f"{'warning' if one.quantised else 'disagrees'}: {warning(one)}")
    _say(console, f"written: {out}")


def warning(one: Exported) -> str:
    """Why a file does not agree, in a sentence."""
    equal = f"{one.file} predicts {one.equal.value or 0.0:.2%} of {one.rows:,} images as the network does"
    if one.quantised:
        return f"{equal}; expected at least {LEAST_EQUAL:.0%}; prefer a format of floats where that matters"
    return (
        f"{equal}, and its logits differ by up to {_difference(one)}; expected at least {1 - MOST_UNEQUAL:.1%} and at "
        f"most {MOST_DIFFERENCE:g}; do not use it"
    )


def _agreement(written: Sequence[Exported]) -> Table:
    table = _table("file", "max difference", "equal", "accuracy", "rows", "agrees")
    for one in written:
        shares = (f"{one.equal.value or 0.0:.2%}", f"{one.accuracy.value or 0.0:.2%}")
        table.add_row(one.file, _difference(one), *shares, f"{one.rows:,}", "yes" if one.agrees else "NO")
    return table


def _speed(record: ExportRecord, written: Sequence[Exported]) -> Table:
    from rich.filesize import decimal

    table = _table("file", "bytes", "p50 ms", "p95 ms", "calls", "runtime")
    for one in written:
        times = (f"{one.p50_ms:.2f}", f"{one.p95_ms:.2f}", str(one.calls))
        table.add_row(one.file, decimal(one.bytes), *times, one.runtime)
    return table


def _difference(one: Exported) -> str:
    return "not a number" if one.max_difference is None else f"{one.max_difference:.1e}"


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="left" if name == "runtime" else "right", no_wrap=True)
    return table


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False)
