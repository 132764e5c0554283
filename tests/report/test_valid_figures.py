"""Figures are made without plotly's validation, which takes longer than all else; so here each is validated once."""

import plotly.graph_objects as go
import pytest

from fer_audit.report.cell_groups import grouped
from fer_audit.report.charts.style import COLOURS, MORE_SYMBOLS, SYMBOLS, colour, symbol
from fer_audit.report.group_charts import group_charts
from fer_audit.report.sections import Sections, sections


@pytest.mark.parametrize("section", Sections.__annotations__)
def test_every_figure_of_the_page_is_valid(results, followed, section):
    charts = getattr(sections(followed if section == "checkpoints" else results), section)
    assert charts
    for chart in charts:
        for variant in chart.variants:
            drawn = variant.figure.to_plotly_json()
            assert go.Figure(drawn).to_plotly_json() == drawn


def test_every_figure_of_groups_is_valid(results):
    charts = group_charts(grouped(results))
    assert [chart.id for chart in charts] == ["groups", "ranges"]
    for chart in charts:
        for variant in chart.variants:
            drawn = variant.figure.to_plotly_json()
            assert go.Figure(drawn).to_plotly_json() == drawn


def test_a_wrong_property_is_found():
    with pytest.raises(ValueError, match="colr"):
        go.Figure({"data": [{"type": "scatter", "marker": {"colr": "red"}}]})


@pytest.mark.parametrize("form", ["", "-open", "-dot", "-open-dot"])
def test_every_symbol_has_all_forms(form):
    names = [name + form for name in SYMBOLS + MORE_SYMBOLS]
    assert list(go.scatter.Marker(symbol=names).symbol) == names


def test_many_series_differ_by_marker_and_colour():
    names = [str(place) for place in range(8 * len(COLOURS))]
    assert len({(colour(names, name), symbol(names, name)) for name in names}) == len(names)
    assert len({symbol(names, name) for name in names[:16]}) == 16
