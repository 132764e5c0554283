"""What the page's script works on: cells, tables, charts and comparisons, packed into one text."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from typing import Any

from fer_audit.report.charts.chart import Chart, Variant
from fer_audit.report.differences import Differences
from fer_audit.report.naming import attack_name, cell_name, labels_name, several_seeds
from fer_audit.report.pointers import Pointers
from fer_audit.report.reproduction import reproduction
from fer_audit.report.table import Entry, Table
from fer_audit.results import Cell, Results, RunRecord

#: Rows of a table that stand in the page itself; the script shows the others on demand.
SHOWN = 50


def payload(
    results: Results,
    run: RunRecord | None,
    tables: Iterable[Table],
    charts: Sequence[Chart],
    differences: Differences | None,
    pointers: Pointers,
) -> dict[str, Any]:
    """All of it, as JSON has it."""
    places = {cell.id: place for place, cell in enumerate(results.cells)}
    seeds = several_seeds(results)
    return {
        "cells": [_cell(cell, seeds) for cell in results.cells],
        "reproduction": reproduction(results, run),
        "tables": {one.id: _table(one, results, places, pointers) for one in tables if one.tools and one.rows},
        "charts": {chart.id: _drawing(chart) for chart in charts},
        "differences": differences.encoded() if differences else None,
    }


def packed(value: dict[str, Any]) -> str:
    """JSON, compressed and in letters, so that nothing in it can end the script element; equal for equal values."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), compresslevel=6, mtime=0)).decode("ascii")


def unpacked(text: str) -> dict[str, Any]:
    """What `packed` packed."""
    value: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(text)))
    return value


def _cell(cell: Cell, seeds: bool) -> dict[str, Any]:
    found = cell.privacy.attacks if cell.privacy else []
    return {
        "id": cell.id,
        "name": cell_name(cell, seeds),
        "model": cell.model,
        "augmentation": cell.augmentation,
        "defence": cell.defence,
        "labels": labels_name(cell),
        "seed": str(cell.seed),
        "status": cell.status,
        "attack": [attack_name(cell, attack) for attack in found],
        "error": cell.error,
    }


def _table(table: Table, results: Results, places: dict[str, int], pointers: Pointers) -> dict[str, Any]:
    titles = [{"title": c.title, "hint": c.hint, "numeric": c.numeric} for c in table.columns]
    cells = [next((places[e.cell] for e in row if e.cell in places), -1) for row in table.rows]
    attacks = [next((e.attack for e in row if e.attack), "") for row in table.rows]
    of = [results.cells[place] if place >= 0 else None for place in cells]
    rows = [[_entry(entry, pointers, cell) for entry in row] for row, cell in zip(table.rows, of, strict=True)]
    return {"caption": table.caption, "columns": titles, "rows": rows, "cells": cells, "attacks": attacks}


def _entry(entry: Entry, pointers: Pointers, cell: Cell | None) -> list[Any]:
    """Text, sort key, note, bar, tone, link and places, without the empty ones at the end."""
    bar = [entry.bar.low, entry.bar.high, entry.bar.value] if entry.bar else 0
    found = [
        entry.text,
        entry.sort,
        entry.note,
        bar,
        entry.tone,
        entry.link,
        entry.where or pointers.all(entry.of, cell),
    ]
    while len(found) > 2 and not found[-1]:
        found.pop()
    return found


def _drawing(chart: Chart) -> dict[str, Any]:
    """What the script draws; a layout that all variants share is there once."""
    drawn = {variant.key: _plain_figure(variant) for variant in chart.variants}
    layouts = [figure.pop("layout") for figure in drawn.values()]
    shared = layouts[0]
    for figure, layout in zip(drawn.values(), layouts, strict=True):
        if layout != shared:
            figure["layout"] = layout
    return {"choice": chart.choice, "layout": shared, "variants": drawn}


def _plain_figure(variant: Variant) -> dict[str, Any]:
    """The figure without plotly's own theme, which the page replaces, and with six significant digits."""
    figure: dict[str, Any] = variant.figure.to_plotly_json()
    layout = {key: value for key, value in figure["layout"].items() if key != "template"}
    return {"data": _rounded(list(figure["data"])), "layout": _rounded(layout), "source": list(variant.source)}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
