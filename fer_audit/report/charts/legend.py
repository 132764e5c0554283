"""The legend of the trade-off chart: what each colour, symbol and size stands for."""

from __future__ import annotations

from collections.abc import Collection

from fer_audit.report.charts.chart import Trace
from fer_audit.report.charts.marks import Marks, filled, shade
from fer_audit.report.charts.style import GREY, plain
from fer_audit.report.naming import defended
from fer_audit.results import Cell


def legend_keys(marks: Marks, cells: Collection[Cell], crowded: bool) -> list[Trace]:
    """Traces without points: one for each treatment and model of the cells, and for each kind of labels."""
    treated, models = {shade(cell) for cell in cells}, {cell.model for cell in cells}
    title = "Augmentation, defence" if any(map(defended, cells)) else "Augmentation"
    keys = [_treatment(marks, name, title) for name in marks.treatments if name and name in treated]
    keys += [_model(marks, name, crowded) for name in marks.symbols if name in models]
    if any(cell.label_attack_plugin for cell in cells):
        keys.append(_key("Labels", "labels", "clean labels", GREY, "circle"))
        keys.append(_key("Labels", "labels", "corrupted labels", GREY, "circle-open"))
    return _titled(keys)


def group(treated: str) -> str:
    """What a click on the treatment's key shows and hides."""
    return f"augmentation {plain(treated)}"


def _treatment(marks: Marks, name: str, title: str) -> Trace:
    return _key(title, group(name), name, marks.tint(name), "circle" + marks.dot(name))


def _model(marks: Marks, name: str, crowded: bool) -> Trace:
    text = ", ".join(filter(None, (name, marks.cost(name))))
    return _key("Model", "model", text, GREY, marks.symbols[name], marks.size(name, crowded))


def _titled(keys: list[Trace]) -> list[Trace]:
    """The first key of each kind carries the kind's title."""
    seen: set[str] = set()
    for key in keys:
        title = key["meta"]["key"]
        if title not in seen:
            key["legendgrouptitle"] = {"text": title}
        seen.add(title)
    return keys


def _key(title: str, legend_group: str, name: str, tint: str, mark: str, size: float = 10) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": plain(name),
        "legendgroup": legend_group,
        "marker": {"color": filled(tint, mark), "symbol": mark, "size": size, "line": {"color": tint, "width": 1.5}},
        "hoverinfo": "skip",
        "meta": {"key": title},
    }
