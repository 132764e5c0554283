"""Accuracy against the realised rate of corrupted labels."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, error_bar, new_figure, share_axis, span
from fer_audit.report.charts.style import colour, dash, plain, symbol
from fer_audit.report.charts.tradeoff import TITLES, Measure
from fer_audit.report.naming import augmentations
from fer_audit.results import Cell, Estimate, Results

Group = list[Cell]  #: the seeds of one model, augmentation and label attack


def accuracy_against_noise(results: Results, model: str, measure: Measure = "balanced_accuracy") -> go.Figure:
    """One line for each augmentation of the model and kind of label attack; mean over seeds."""
    names = augmentations(results)
    traces = [
        _trace(names, augmentation, kind, _groups(results, model, augmentation, kind), measure)
        for augmentation in names
        for kind in _kinds(results)
    ]
    rates = [cell.noise_rate for cell in results.cells]
    top = max([*rates, 0.1]) * 1.06
    return new_figure(
        [trace for trace in traces if trace["x"]],
        xaxis=share_axis("Corrupted train labels (realised)", range=[-0.06 * top, top]),
        scattermode="group",  # bars at one rate stand side by side
        scattergap=0.92,
        yaxis=share_axis(TITLES[measure], range=span([_measure(cell, measure) for cell in _measured(results)])),
    )


def over_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """The mean; its interval is the hull of the seeds' intervals, so it holds test error and spread over seeds."""
    values = [estimate.value for estimate in estimates if estimate.value is not None]
    lows = [estimate.low for estimate in estimates if estimate.low is not None]
    highs = [estimate.high for estimate in estimates if estimate.high is not None]
    if not values:
        return Estimate(value=None)
    low, high = min(lows, default=None), max(highs, default=None)
    return Estimate(value=sum(values) / len(values), low=low, high=high, n=len(values), method="hull over seeds")


def _kinds(results: Results) -> list[str]:
    kinds = [cell.label_attack_plugin.name for cell in results.cells if cell.label_attack_plugin]
    return list(dict.fromkeys(kinds)) or [""]


def _measured(results: Results) -> list[Cell]:
    return [cell for cell in results.cells if cell.utility and cell.utility.accuracy.value is not None]


def _groups(results: Results, model: str, augmentation: str, kind: str) -> list[Group]:
    groups: dict[str, Group] = {}
    for cell in _measured(results):
        mine = cell.model == model and cell.augmentation == augmentation
        if mine and (cell.label_attack_plugin is None or cell.label_attack_plugin.name == kind):
            groups.setdefault(cell.label_attack, []).append(cell)
    return sorted(groups.values(), key=_rate)


def _rate(group: Group) -> float:
    return sum(cell.noise_rate for cell in group) / len(group)


def _measure(cell: Cell, measure: Measure) -> Estimate:
    if cell.utility is None:
        return Estimate(value=None)
    return cell.utility.accuracy if measure == "accuracy" else cell.utility.balanced_accuracy


def _trace(names: list[str], augmentation: str, kind: str, groups: list[Group], measure: Measure) -> Trace:
    tint = colour(names, augmentation)
    estimates = [over_seeds([_measure(cell, measure) for cell in group]) for group in groups]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(augmentation),
        "x": [_rate(group) for group in groups],
        "y": [estimate.value for estimate in estimates],
        "error_y": error_bar(estimates, tint),
        "customdata": [plain(group[0].label_attack) for group in groups],
        "hovertemplate": "%{fullData.name}, %{customdata}<br>%{x:.1%} corrupted: %{y:.1%}<extra></extra>",
        "line": {"color": tint, "dash": dash(names, augmentation), "width": 2},
        "marker": {"symbol": symbol(names, augmentation), "size": 9},
        "meta": {"kind": plain(kind)},
    }
