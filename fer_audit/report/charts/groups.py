"""Groups of cells of a very large grid: accuracy against leakage, and how far the cells of a group lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from fer_audit.report.cell_groups import CellGroup, Grouping, Spread
from fer_audit.report.charts.attack_auc import chance
from fer_audit.report.charts.chart import Trace, axis, new_figure, share_axis, span
from fer_audit.report.charts.even_draw import even_draw
from fer_audit.report.charts.forest import ROWS, rows_figure
from fer_audit.report.charts.style import COLOURS, colour, faded, plain, symbol
from fer_audit.report.charts.tradeoff import TITLES, Measure
from fer_audit.report.numbers import Form, decimal, percent
from fer_audit.results import Estimate

DRAWN = 600  #: marks of one figure; more would hide each other
_ROOMY = 60  #: marks that can have bars and stay legible
_LEGEND = 16  #: models that can be told apart by colour and symbol; more are all of one colour


@dataclass(frozen=True)
class Ranged:
    """A number that groups can be ordered by: those where it is worst stand first."""

    key: str
    title: str
    field: str  #: of a group
    place: str  #: of a cell of results.json
    form: Form
    rising: bool  #: whether the least is the worst


AUC = Ranged("auc", "Attack AUC", "auc", "privacy/attacks/*/auc", decimal, rising=False)
RANGED = (
    AUC,
    *(Ranged(key, title, key, f"utility/{key}", percent, rising=True) for key, title in reversed(TITLES.items())),
)


def spread_of(group: CellGroup, field: str) -> Spread | None:
    """What a group has of a number."""
    found: Spread | None = getattr(group, field)
    return found


def with_both(groups: Sequence[CellGroup], measure: Measure) -> list[CellGroup]:
    """The groups that have an accuracy and an AUC."""
    return [group for group in groups if group.auc and spread_of(group, measure)]


def group_tradeoff(grouping: Grouping, measure: Measure) -> go.Figure:
    """Each group at its mean accuracy and mean AUC; bars from its least to its largest cell where there is room."""
    drawn, names = _drawn(with_both(grouping.groups, measure), measure), grouping.models
    told = names if len(names) <= _LEGEND else ("",)
    of = {name: [group for group in drawn if name in ("", group.parts[0])] for name in told}
    bars = len(drawn) <= _ROOMY
    traces = [_marks(grouping, found, measure, name, bars) for name, found in of.items() if found]
    right = {"orientation": "v", "y": 1, "yanchor": "top", "x": 1.02}
    across = axis("Mean AUC of the strongest attack (0.5 is chance)")
    up = share_axis(f"Mean {TITLES[measure].lower()}")
    return new_figure(traces, xaxis=across, yaxis=up, legend=right, shapes=[chance()], showlegend=len(traces) > 1)


def _drawn(groups: list[CellGroup], measure: Measure) -> list[CellGroup]:
    """As many as a figure can show, evenly from the least leakage to the most."""
    return even_draw(sorted(groups, key=lambda group: (_mean(group.auc), _mean(spread_of(group, measure)))), DRAWN)


def _mean(found: Spread | None) -> float:
    return found.mean if found else 0.0


def _marks(grouping: Grouping, groups: list[CellGroup], measure: Measure, name: str, bars: bool) -> Trace:
    names = grouping.models
    tint, mark = (colour(names, name), symbol(names, name)) if name else (COLOURS[0], "circle")
    across, up = [group.auc for group in groups], [spread_of(group, measure) for group in groups]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": plain(name or "groups"),
        "x": [_mean(one) for one in across],
        "y": [_mean(one) for one in up],
        "customdata": [plain(" \u00b7 ".join(grouping.name(group))) for group in groups],
        "text": [_hover(group, measure) for group in groups],
        "hovertemplate": "<b>%{customdata}</b><br>%{text}<extra></extra>",
        "marker": {"color": faded(tint, 0.6), "symbol": mark, "size": 9, "line": {"color": tint, "width": 1.2}},
        "cliponaxis": False,
    }
    shade = faded(tint, 0.4)
    return trace | {"error_x": range_bar(across, shade), "error_y": range_bar(up, shade)} if bars else trace


def _hover(group: CellGroup, measure: Measure) -> str:
    lines = [f"{len(group.cells):,} cells", _ranged(TITLES[measure], spread_of(group, measure), percent)]
    return "<br>".join([*lines, _ranged("AUC", group.auc, decimal)])


def _ranged(title: str, found: Spread | None, form: Form) -> str:
    return f"{title} {form(found.mean)}, from {form(found.low)} to {form(found.high)}" if found else ""


def range_bar(found: Sequence[Spread | None], tint: str) -> Trace:
    """Bars from the least to the largest cell."""
    return {
        "type": "data",
        "array": [one.high - one.mean if one else 0.0 for one in found],
        "arrayminus": [one.mean - one.low if one else 0.0 for one in found],
        "symmetric": False,
        "color": tint,
        "thickness": 1.3,
        "width": 0,
    }


def worst_groups(groups: Sequence[CellGroup], of: Ranged) -> list[CellGroup]:
    """As many groups as a figure has rows, that with the worst single cell first."""
    known = [group for group in groups if spread_of(group, of.field)]
    return sorted(known, key=lambda group: _worst(spread_of(group, of.field), of))[:ROWS]


def _worst(found: Spread | None, of: Ranged) -> float:
    return (found.low if of.rising else -found.high) if found else 0.0


def group_ranges(grouping: Grouping, of: Ranged) -> go.Figure:
    """A row for each of the worst groups: its mean, and a bar from its least to its largest cell."""
    shown = worst_groups(grouping.groups, of)
    found = [one for group in shown if (one := spread_of(group, of.field))]
    rows = [_row_name(*grouping.name(group)) for group in shown]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "orientation": "h",
        "name": of.title,
        "x": [one.mean for one in found],
        "y": rows,
        "error_x": range_bar(found, faded(COLOURS[0], 0.7)),
        "marker": {"color": COLOURS[0], "symbol": "circle", "size": 9},
        "text": [_ranged(of.title, one, of.form) for one in found],
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
    }
    low, high = span([Estimate(value=one.mean, low=one.low, high=one.high) for one in found])
    if of is AUC:
        across = axis("Attack AUC (0.5 is chance)", range=[min(low, 0.48), max(high, 0.52)])
        return rows_figure(rows, [trace], xaxis=across, shapes=[chance()], showlegend=False)
    return rows_figure(rows, [trace], xaxis=share_axis(of.title, range=[low, high]), showlegend=False)


def _row_name(model: str, *others: str) -> str:
    """The model, and below it what tells its groups apart."""
    return "<br>".join(plain(part) for part in (model, " \u00b7 ".join(others)) if part)


def ranges_height(grouping: Grouping) -> int:
    """Enough pixels for every row."""
    return 120 + min(len(grouping.groups), ROWS) * (22 + 14 * (len(grouping.alike) > 1))
