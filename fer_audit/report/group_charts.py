"""The charts of a very large grid: of groups of cells, where a chart of single cells would hide most of them."""

from __future__ import annotations

from fer_audit.report.cell_groups import Grouping
from fer_audit.report.charts.chart import Chart, Variant
from fer_audit.report.charts.forest import ROWS
from fer_audit.report.charts.groups import (
    AUC,
    DRAWN,
    RANGED,
    Ranged,
    group_ranges,
    group_tradeoff,
    ranges_height,
    spread_of,
    with_both,
)
from fer_audit.report.charts.tradeoff import TITLES
from fer_audit.report.sections import FILE

_TRADEOFF = "Each mark is a group of cells at its means. Left and up is better; the dotted line is chance."
_RANGES = "The dot is the mean over a group's cells, the bar goes from the least to the largest of them."


def group_charts(grouping: Grouping) -> list[Chart]:
    """Accuracy against leakage, and the groups with the worst cells; none where nothing was measured."""
    return [*_tradeoff(grouping), *_ranges(grouping)]


def _tradeoff(grouping: Grouping) -> list[Chart]:
    found = [
        (measure, title, both)
        for measure, title in reversed(TITLES.items())
        if (both := with_both(grouping.groups, measure))
    ]
    variants = tuple(
        Variant(measure, title, group_tradeoff(grouping, measure), (_cells(f"utility/{measure}"), _cells(AUC.place)))
        for measure, title, both in found
    )
    most = max((len(both) for _, _, both in found), default=0)
    drawn = f" {DRAWN:,} of {most:,} groups are drawn, evenly by leakage." if most > DRAWN else ""
    return [Chart("groups", "Accuracy against leakage", _TRADEOFF + drawn, variants, "groups", 470)] if variants else []


def _ranges(grouping: Grouping) -> list[Chart]:
    variants = tuple(
        Variant(one.key, one.title, group_ranges(grouping, one), (_cells(one.place),))
        for one in RANGED
        if _known(grouping, one)
    )
    most = max((_known(grouping, one) for one in RANGED), default=0)
    first = f" The {ROWS} groups with the worst single cell of {most:,} are drawn, worst first." if most > ROWS else ""
    height = ranges_height(grouping)
    return [Chart("ranges", "Groups with the worst cells", _RANGES + first, variants, "ranges", height)] if most else []


def _known(grouping: Grouping, one: Ranged) -> int:
    return sum(spread_of(group, one.field) is not None for group in grouping.groups)


def _cells(place: str) -> str:
    return f"{FILE}/cells/*/{place}"
