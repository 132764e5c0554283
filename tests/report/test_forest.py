import pytest

from fer_audit.report.charts.attack_auc import attack_auc
from fer_audit.report.charts.forest import ROWS, height
from fer_audit.report.charts.target_auc import target_auc
from fer_audit.report.naming import attacks

MANY = {f"attack {place}": 0.02 - 0.004 * place for place in range(12)}


@pytest.fixture
def many(make_results):
    return make_results(models=["ghostface"], augmentations=["none", "mixup"], attacks=MANY)


@pytest.mark.parametrize("figure", [attack_auc, target_auc])
def test_many_attacks_are_told_apart(many, figure):
    made = figure(many, "ghostface") if figure is attack_auc else target_auc(many.cells[0], attacks(many))
    assert len({(trace.marker.symbol, trace.marker.color) for trace in made.data}) == len(MANY)
    assert {trace.marker.size for trace in made.data} == {7}


def test_few_attacks_have_more_room(results):
    assert {trace.marker.size for trace in attack_auc(results, "ghostface").data} == {9}


def test_charts_do_not_grow_without_bound(results):
    heights = [height(results, 4, series) for series in range(1, 13)]
    assert heights == sorted(heights)
    assert height(results, 4, 12) / height(results, 4, 8) < 12 / 8
    assert height(results, ROWS, 12) == height(results, ROWS, 100) == height(results, 10_000, 100) <= 2400
