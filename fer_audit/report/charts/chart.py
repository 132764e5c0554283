"""What a chart is: a title, how to read it, and one figure for each choice that a reader can make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from fer_audit.results import Estimate

Trace = dict[str, Any]

_AXIS = {"gridcolor": "#dfe4ea", "linecolor": "#dfe4ea", "zeroline": False}

#: The look of a figure outside the page; plotly's own themes are large, and are copied for each figure.
_TEMPLATE = {"layout": {"plot_bgcolor": "white", "paper_bgcolor": "white", "xaxis": _AXIS, "yaxis": _AXIS}}


@dataclass(frozen=True)
class Variant:
    """One choice of a chart, such as a cell."""

    key: str
    label: str
    figure: go.Figure
    source: tuple[str, ...] = ()  #: JSON pointers into results.json, `*` for each of a list or of an object


@dataclass(frozen=True)
class Chart:
    """A chart of the page; charts with the same `choice` change together."""

    id: str
    title: str
    reading: str
    variants: tuple[Variant, ...]
    choice: str = ""
    height: int = 380


def chart(id: str, title: str, reading: str, figure: go.Figure, height: int = 380) -> Chart:  # noqa: A002
    """A chart with nothing to choose."""
    return Chart(id, title, reading, (Variant("", "", figure),), height=height)


def new_figure(traces: Sequence[Trace], **layout: Any) -> go.Figure:
    """A figure in the house style; the page puts its own theme in the template's place."""
    margin = {"l": 60, "r": 16, "t": 16, "b": 48}
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    base = {"template": _TEMPLATE, "margin": margin, "legend": legend, "hovermode": "closest"}
    # Plotly takes longer to validate a large figure than all else takes; the tests validate every chart instead.
    return go.Figure(data=list(traces), layout=base | layout, _validate=False)


def error_bar(estimates: Sequence[Estimate], colour: str) -> Trace:
    """Bars from the low to the high end of each estimate; none where it has no interval."""
    above = [(e.high - e.value) if e.high is not None and e.value is not None else 0.0 for e in estimates]
    below = [(e.value - e.low) if e.low is not None and e.value is not None else 0.0 for e in estimates]
    return {
        "type": "data",
        "array": above,
        "arrayminus": below,
        "symmetric": False,
        "color": colour,
        "thickness": 1.3,
        "width": 0,
    }


def axis(title: str, **more: Any) -> Trace:
    """An axis with its title."""
    return {"title": {"text": title}, "automargin": True} | more


def share_axis(title: str, **more: Any) -> Trace:
    """An axis of shares, labelled in percent."""
    return axis(title, tickformat=".1~%") | more


def span(estimates: Sequence[Estimate], margin: float = 0.04) -> list[float]:
    """A range for an axis that shows every interval."""
    ends = [end for e in estimates for end in (e.low, e.value, e.high) if end is not None]
    if not ends:
        return [0.0, 1.0]
    low, high = min(ends), max(ends)
    room = margin * max(high - low, 0.05)
    return [low - room, high + room]
