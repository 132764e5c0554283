"""A grid of very many cells, condensed: all of them in groups, and a few of them one by one.

Nothing is left out of what is counted or claimed: findings, headline and gates are of all cells, as is results.csv.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from fer_audit.report.cell_groups import Grouping, grouped
from fer_audit.report.charts.chart import Chart, Variant
from fer_audit.report.finding import counted, joined
from fer_audit.report.gates import Judged
from fer_audit.report.group_charts import group_charts
from fer_audit.report.sections import DETAILED, FILE, Sections, sections
from fer_audit.report.table import Table
from fer_audit.report.telling_cells import telling_cells
from fer_audit.results import NoiseCurve, Results

#: Cells up to which a page has a line, and a place in its charts, for each. Pages of cells as full as those of the main
#: grid then stay near 10 MB, and are ready in a browser within seconds.
MOST_CELLS = 5_000

_CURVES = 60  #: noise curves
_FACETS = 6  #: charts of one section that has a chart for each model
_LEFT_OUT = 200  #: cells that can't be


@dataclass(frozen=True)
class Condensed:
    """What the page of such a grid shows in the place of its cells."""

    everything: Results
    grouping: Grouping
    why: dict[str, str]  #: id of each cell that is shown one by one -> why it is
    shown: Results  #: with these cells alone
    places: tuple[int, ...]  #: of these cells in the grid
    charts: tuple[Chart, ...]  #: of groups

    @property
    def rule(self) -> str:
        """What was put together, in two sentences."""
        cells, groups = len(self.everything.cells), counted(len(self.grouping.groups), "group")
        return (
            f"The grid has {cells:,} cells, too many for a line each. Cells of the same "
            f"{joined(_small(self.grouping.alike))} are put together, {self._whatever}: {groups} in all. Findings, "
            "headline and gates are of every single cell."
        )

    @property
    def _whatever(self) -> str:
        pooled = _small(self.grouping.pooled)
        return f"whatever their {joined(pooled)}" if pooled else "which is one cell each"

    @property
    def kept(self) -> str:
        """Which cells are shown one by one, and where the others are."""
        there, shown = len(self.everything.cells), len(self.shown.cells)
        others = (
            f"The other {there - shown:,} are in results.csv and results.json beside this page, and in "
            "`fer_audit.load_results`."
        )
        if not shown:
            return f"No cell is done or failed yet, so none is shown one by one. {others.replace('other ', '')}"
        reasons = joined(list(dict.fromkeys(_REASONS[word] for word in self.why.values())))
        return f"{shown:,} of {there:,} cells are shown one by one, here and in the sections below: {reasons}. {others}"

    @property
    def about(self) -> str:
        """What a section of these cells says of them."""
        return f"Of the {len(self.shown.cells):,} cells that are shown one by one."

    @property
    def cut_curves(self) -> str:
        """Which noise curves are shown where not all are."""
        there, shown = len(self.everything.noise_curves), len(self.shown.noise_curves)
        if shown == there:
            return ""
        return (
            f" {shown:,} of {there:,} curves are shown: of models with such cells, those with the least mean accuracy."
        )

    @property
    def cut_left_out(self) -> str:
        """How many of the cells that can't be are shown where not all are."""
        there, shown = len(self.everything.left_out), len(self.shown.left_out)
        return f" The first {shown:,} of {there:,} are listed." if shown < there else ""

    def explained(self, table: Table) -> Table:
        """The table of the cells that are shown, with the reason why below the name of each."""
        rows = tuple((replace(row[0], note=self.why[row[0].cell]), *row[1:]) for row in table.rows)
        return replace(table, caption="Cells that are shown one by one", rows=rows)

    def records(self) -> Iterator[BaseModel]:
        """What a page of the shown cells may quote: these cells, and what compares them."""
        names = {cell.id for cell in self.shown.cells}
        yield from self.shown.cells
        yield from self.shown.comparisons
        yield from (one for one in self.everything.matched if one.cell in names)

    def sections(self) -> Sections:
        """The charts of the cells that are shown, each with its place among all cells; those of groups are apart."""
        made = sections(self.shown)
        parts = {name: _few([self._placed(chart) for chart in charts]) for name, charts in vars(made).items()}
        return replace(made, **parts | {"tradeoff": []})

    def _placed(self, chart: Chart) -> Chart:
        return replace(chart, variants=tuple(map(self._sourced, chart.variants)))

    def _sourced(self, variant: Variant) -> Variant:
        return replace(variant, source=tuple(map(self._whole, variant.source)))

    def _whole(self, source: str) -> str:
        """The place among all cells, of one among those that are shown."""
        head, found, rest = source.partition(f"{FILE}/cells/")
        place, slash, below = rest.partition("/")
        return f"{head}{found}{self.places[int(place)]}{slash}{below}" if place.isdecimal() else source


def _small(titles: Sequence[str]) -> list[str]:
    return [title.lower() for title in titles]


_REASONS = {
    "a promise is refuted": "those whose promise of privacy is refuted",
    "nearest to its promise": "those that come nearest to what is promised",
    "breaks a gate": "those that break a gate furthest",
    "leaks most": "those that leak most",
    "least accurate": "the least accurate",
    "most accurate": "the most accurate",
    "failed": "the first that failed",
}


def condensed(results: Results, judged: Sequence[Judged]) -> Condensed | None:
    """None where there are so few cells that each has a line of its own."""
    if len(results.cells) <= MOST_CELLS:
        return None
    why = telling_cells(results, judged, DETAILED)
    places = {cell.id: place for place, cell in enumerate(results.cells) if cell.id in why}
    grouping = grouped(results)
    order = tuple(places[name] for name in why)
    charts = tuple(group_charts(grouping))
    return Condensed(results, grouping, why, _shown(results, order), order, charts)


def _shown(results: Results, places: Sequence[int]) -> Results:
    """The results with a few cells, and with what belongs to these."""
    cells = [results.cells[place] for place in places]
    names, models = {cell.id for cell in cells}, {cell.model for cell in cells}
    curves = sorted((one for one in results.noise_curves if one.model in models), key=_area)[:_CURVES]
    return results.model_copy(
        update={
            "cells": cells,
            "costs": [cost for cost in results.costs if cost.model in models],
            "noise_curves": curves,
            "comparisons": [one for one in results.comparisons if one.cell in names and one.baseline in names],
            "left_out": results.left_out[:_LEFT_OUT],
        }
    )


def _area(curve: NoiseCurve) -> float:
    return 1.0 if curve.area.value is None else curve.area.value


def _few(charts: list[Chart]) -> list[Chart]:
    """The first of the charts that a section has for each model."""
    if len(charts) <= _FACETS:
        return charts
    first, *others = charts[:_FACETS]
    note = f" The first {_FACETS} of {len(charts)} models are drawn."
    return [replace(first, reading=first.reading + note), *others]
