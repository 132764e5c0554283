import plotly.graph_objects as go
import pytest

from fer_audit.report.charts.attack_auc import attack_auc
from fer_audit.report.charts.confusion import confusion_matrix, label_transition
from fer_audit.report.charts.curves import accuracy_curves, loss_curves
from fer_audit.report.charts.memorisation import member_accuracy
from fer_audit.report.charts.noise import accuracy_against_noise, over_seeds
from fer_audit.report.charts.recall import class_recall
from fer_audit.report.charts.roc import attack_roc
from fer_audit.report.charts.style import COLOURS, DASHES, SYMBOLS, colour, dash, plain
from fer_audit.report.charts.target_auc import target_auc
from fer_audit.report.charts.tradeoff import tradeoff
from fer_audit.report.naming import attacks
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Estimate, Roc

CARTESIAN = {"scatter", "bar", "heatmap", "box"}

FIGURES = {
    "tradeoff": tradeoff,
    "noise": lambda r: accuracy_against_noise(r, r.cells[0].model),
    "roc": lambda r: attack_roc(r.cells[0], attacks(r)),
    "attack auc": lambda r: attack_auc(r, r.cells[0].model),
    "target auc": lambda r: target_auc(r.cells[0], attacks(r)),
    "memorisation": lambda r: member_accuracy(r, r.cells[0].model),
    "accuracy curves": lambda r: accuracy_curves(r.cells[0]),
    "loss curves": lambda r: loss_curves(r.cells[0]),
    "recall": lambda r: class_recall(r.cells[0], r.dataset.classes),
    "confusion": lambda r: confusion_matrix(r.cells[0], r.dataset.classes),
    "transition": lambda r: label_transition(r.cells[1].corruption, r.dataset.classes),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_figures_are_plotly_figures_that_the_bundle_can_draw(make, results):
    figure = make(results)
    assert isinstance(figure, go.Figure)
    assert figure.data
    assert {trace.type for trace in figure.data} <= CARTESIAN


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "transition"])
def test_figures_of_a_failed_cell_are_empty(name, results):
    cells = [cell.model_copy(update={"status": "failed", "utility": None, "privacy": None}) for cell in results.cells]
    assert isinstance(FIGURES[name](results.model_copy(update={"cells": cells})), go.Figure)


def test_tradeoff_has_every_cell_with_both_intervals(results):
    drawn = [trace for trace in tradeoff(results).data if trace.customdata is not None]
    shown = {(x, y) for trace in drawn for x, y in zip(trace.x, trace.y, strict=True)}
    assert shown == {(strongest_attack(c).auc.value, c.utility.balanced_accuracy.value) for c in results.cells}
    first, cell = drawn[0], results.cells[0]
    assert first.x[0] + first.error_x.array[0] == pytest.approx(strongest_attack(cell).auc.high)
    assert first.y[0] - first.error_y.arrayminus[0] == pytest.approx(cell.utility.balanced_accuracy.low)


def test_tradeoff_tells_models_by_symbol_and_cost_by_size(results):
    trace = next(trace for trace in tradeoff(results).data if trace.customdata is not None)
    assert len(set(trace.marker.symbol)) == 4  # two models, with clean and with corrupted labels
    assert len(set(trace.marker.size)) == 2


def test_noise_lines_go_from_clean_to_corrupted(results):
    figure = accuracy_against_noise(results, "ghostface", "accuracy")
    assert [trace.name for trace in figure.data] == ["none", "randaug", "mixup", "randaug+mixup"]
    assert list(figure.data[0].x) == [0.0, 0.2]
    assert list(figure.data[0].y) == [cell.utility.accuracy.value for cell in results.cells[:2]]


def test_seeds_are_averaged_and_their_intervals_enclosed():
    two = [Estimate(value=0.5, low=0.4, high=0.6), Estimate(value=0.7, low=0.65, high=0.8)]
    mean = over_seeds(two)
    assert (mean.value, mean.low, mean.high, mean.n) == (0.6, 0.4, 0.8, 2)
    assert over_seeds([]).value is None


def test_noise_has_one_point_for_all_seeds(make_results):
    figure = accuracy_against_noise(make_results(seeds=(0, 1, 2)), "ghostface")
    assert [len(trace.x) for trace in figure.data] == [2, 2, 2, 2]


def test_roc_keeps_realisable_points_and_drops_what_a_logarithm_cannot_show(results):
    cell = results.cells[0]
    figure = attack_roc(cell, attacks(results), points=20)
    roc = cell.privacy.attacks[0].roc
    points = set(zip(roc.fpr, roc.tpr, strict=True))
    curve = figure.data[1]
    assert len(curve.x) <= 21
    assert set(zip(curve.x, curve.y, strict=True)) <= points
    assert min(curve.x) > 0
    assert (curve.x[-1], curve.y[-1]) == (1.0, 1.0)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_roc_of_nothing_is_drawn(results):
    cell = results.cells[0]
    empty = cell.privacy.attacks[0].model_copy(update={"roc": Roc(fpr=[], tpr=[])})
    bare = cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"attacks": [empty]})})
    assert len(attack_roc(bare, attacks(results)).data) == 2


def test_confusion_shows_counts_and_shares_of_the_true_class(results):
    cell = results.cells[0]
    trace = confusion_matrix(cell, results.dataset.classes).data[0]
    row = cell.utility.confusion[2]
    assert list(trace.text[2]) == [str(count) for count in row]
    assert list(trace.z[2]) == [count / sum(row) for count in row]


def test_unresolved_recall_leaves_a_gap(results):
    utility = results.cells[0].utility
    recalls = [Estimate(value=None, n=0, note="no test image"), *utility.per_class[1:]]
    cell = results.cells[0].model_copy(update={"utility": utility.model_copy(update={"per_class": recalls})})
    assert class_recall(cell, results.dataset.classes).data[0].y[0] is None


def test_markup_in_names_is_text():
    assert plain("<b>&</b>") == "&lt;b&gt;&amp;&lt;/b&gt;"


def test_series_differ_without_colour():
    names = [str(place) for place in range(len(COLOURS) * 4)]
    assert len({(colour(names, name), dash(names, name)) for name in names}) == len(names)
    assert len(set(SYMBOLS)) == len(set(DASHES)) == len(COLOURS)


def luminance(colour):
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#ffffff", "#161d25"], ids=["light", "dark"])
@pytest.mark.parametrize("tint", COLOURS)
def test_colours_stand_out_on_both_pages(tint, page):
    dark, light = sorted((luminance(tint), luminance(page)))
    assert (light + 0.05) / (dark + 0.05) >= 3
