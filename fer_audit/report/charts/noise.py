"""Accuracy against the realised rate of corrupted labels."""

from __future__ import annotations

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, error_bar, new_figure, share_axis, span
from fer_audit.report.charts.style import colour, dash, plain, symbol
from fer_audit.report.charts.tradeoff import TITLES, Measure
from fer_audit.report.naming import treatment, treatments
from fer_audit.results import Estimate, NoiseCurve, NoisePoint, Results


def accuracy_against_noise(
    results: Results, model: str, kind: str, measure: Measure = "balanced_accuracy"
) -> go.Figure:
    """One line for each treatment of the model, with one kind of corruption; mean over seeds."""
    mine = [curve for curve in results.noise_curves if curve.model == model and curve.kind == kind]
    names = list(dict.fromkeys([*treatments(results), *map(treatment, mine)]))
    every = [point for curve in results.noise_curves for point in curve.points]
    top = max([*(point.rate for point in every), 0.1]) * 1.06
    return new_figure(
        [_trace(names, curve, measure) for curve in mine],
        xaxis=share_axis("Corrupted train labels (realised)", range=[-0.06 * top, top]),
        scattermode="group",  # bars at one rate stand side by side
        scattergap=0.92,
        yaxis=share_axis(TITLES[measure], range=span([_measured(point, measure) for point in every])),
    )


def kinds(results: Results) -> list[str]:
    """Kinds of corruption in the grid's order."""
    return list(dict.fromkeys(curve.kind for curve in results.noise_curves))


def _measured(point: NoisePoint, measure: Measure) -> Estimate:
    return point.accuracy if measure == "accuracy" else point.balanced_accuracy


def _trace(names: list[str], curve: NoiseCurve, measure: Measure) -> Trace:
    treated = treatment(curve)
    tint = colour(names, treated)
    estimates = [_measured(point, measure) for point in curve.points]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(treated),
        "x": [point.rate for point in curve.points],
        "y": [estimate.value for estimate in estimates],
        "error_y": error_bar(estimates, tint),
        "customdata": [plain(point.label_attack) for point in curve.points],
        "hovertemplate": "%{fullData.name}, %{customdata}<br>%{x:.1%} corrupted: %{y:.1%}<extra></extra>",
        "line": {"color": tint, "dash": dash(names, treated), "width": 2},
        "marker": {"symbol": symbol(names, treated), "size": 9},
    }
