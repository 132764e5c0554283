import plotly.graph_objects as go
import pytest

from fer_audit.report.charts.adversarial import adversarial_accuracy
from fer_audit.report.charts.attack_auc import attack_auc
from fer_audit.report.charts.confusion import confusion_matrix, label_transition
from fer_audit.report.charts.corrupted_rows import corrupted_rows
from fer_audit.report.charts.corruptions import corruption_accuracy, corruption_errors
from fer_audit.report.charts.curves import accuracy_curves, kept_epoch, loss_curves
from fer_audit.report.charts.memorisation import member_accuracy
from fer_audit.report.charts.noise import accuracy_against_noise, kinds
from fer_audit.report.charts.recall import class_recall
from fer_audit.report.charts.roc import attack_roc
from fer_audit.report.charts.style import COLOURS, DASHES, SYMBOLS, colour, dash, plain
from fer_audit.report.charts.target_auc import target_auc
from fer_audit.report.charts.tradeoff import tradeoff
from fer_audit.report.naming import attacks
from fer_audit.report.numbers import interval
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Estimate, Roc

CARTESIAN = {"scatter", "bar", "heatmap", "box"}

FIGURES = {
    "tradeoff": tradeoff,
    "noise": lambda r: accuracy_against_noise(r, r.cells[0].model, "symmetric"),
    "corrupted rows": lambda r: corrupted_rows(r.cells[1]),
    "corruption accuracy": lambda r: corruption_accuracy(r.cells[1]),
    "corruption errors": lambda r: corruption_errors(r, r.cells[1]),
    "adversarial": lambda r: adversarial_accuracy(r, r.cells[::2]),
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
def test_figures_of_a_failed_cell_are_empty(name, results, unmeasured):
    undone = unmeasured | {"status": "failed"}
    cells = [cell.model_copy(update=undone) for cell in results.cells]
    assert isinstance(FIGURES[name](results.model_copy(update={"cells": cells, "noise_curves": []})), go.Figure)


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


def test_noise_lines_are_the_curves(results):
    figure = accuracy_against_noise(results, "ghostface", "pair-flip", "accuracy")
    assert [trace.name for trace in figure.data] == ["none", "randaug", "mixup", "randaug+mixup"]
    curve = next(one for one in results.noise_curves if one.kind == "pair-flip")
    line = figure.data[0]
    assert list(line.x) == [point.rate for point in curve.points]
    assert list(line.y) == [point.accuracy.value for point in curve.points]
    assert line.y[3] + line.error_y.array[3] == pytest.approx(curve.points[3].accuracy.high)
    balanced = accuracy_against_noise(results, "ghostface", "pair-flip").data[0]
    assert list(balanced.y) == [point.balanced_accuracy.value for point in curve.points]


def test_kinds_of_noise_can_be_compared(results):
    assert kinds(results) == ["symmetric", "pair-flip"]
    figures = [accuracy_against_noise(results, "ghostface", kind) for kind in kinds(results)]
    assert figures[0].data[0].y[3] != figures[1].data[0].y[3]
    assert figures[0].layout.yaxis.range == figures[1].layout.yaxis.range


def test_corrupted_rows_are_followed_epoch_by_epoch(results):
    epochs = results.cells[1].memorisation.epochs
    drawn = {trace.name: trace for trace in corrupted_rows(results.cells[1]).data}
    assert list(drawn["memorised"].y) == [epoch.memorised for epoch in epochs]
    assert list(drawn["recovered"].y) == [epoch.recovered for epoch in epochs]
    assert list(drawn["clean rows"].y) == [epoch.clean_accuracy for epoch in epochs]
    assert list(drawn["neither"].x) == list(range(1, len(epochs) + 1))


def test_corruptions_are_a_row_a_kind_and_a_column_a_severity(results):
    done = results.cells[1].corruptions
    trace = corruption_accuracy(results.cells[1]).data[0]
    assert list(trace.y) == [kind.kind for kind in done.kinds]
    assert list(trace.x) == [str(severity) for severity in done.severities]
    assert [list(row) for row in trace.z] == [[one.value for one in kind.accuracy] for kind in done.kinds]
    assert trace.customdata[2][4] == interval(done.kinds[2].accuracy[4])


def test_corruption_errors_have_intervals_and_one_axis(results):
    done = results.cells[1].corruptions
    figure = corruption_errors(results, results.cells[1])
    assert list(figure.data[0].x) == [kind.error.value for kind in done.kinds]
    assert figure.data[0].error_x.array[3] == pytest.approx(done.kinds[3].error.high - done.kinds[3].error.value)
    assert figure.layout.xaxis.range == corruption_errors(results, results.cells[0]).layout.xaxis.range


def test_adversarial_lines_start_at_the_clean_accuracy(results):
    cells = results.cells[0:8:2]
    figure = adversarial_accuracy(results, cells)
    lines = [trace for trace in figure.data if trace.customdata is not None]
    assert len(lines) == 2 * len(cells)
    fgsm, pgd = lines[:2]
    assert (fgsm.line.dash, pgd.line.dash) == ("dash", "solid")
    assert list(pgd.x) == [0.0, 1.0, 2.0, 4.0, 8.0]
    done = cells[0].adversarial
    known = {(point.attack, point.epsilon): point.accuracy for point in done.points}
    assert list(fgsm.y) == [done.clean.value, *(known["fgsm", e].value for e in fgsm.x[1:])]
    assert pgd.y[2] - pgd.error_y.arrayminus[2] == pytest.approx(known["pgd", 2.0].low)
    assert sum(bool(trace.showlegend) for trace in lines) == len(cells)


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


def banded(results, confidence=0.95):
    """A cell whose attacks have curves with bands, the lower edge of which starts at 0."""
    cell = results.cells[0]
    found = []
    for attack in cell.privacy.attacks:
        roc = attack.roc
        edges = {"low": [0.0, 0.0, *(0.8 * y for y in roc.tpr[2:])], "high": [min(1.0, 1.1 * y) for y in roc.tpr]}
        band = roc.model_copy(update={**edges, "confidence": confidence, "method": "fixture"})
        found.append(attack.model_copy(update={"roc": band}))
    return cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"attacks": found})})


def test_roc_bands_lie_under_their_curves_and_share_their_points(results):
    cell = banded(results)
    figure = attack_roc(cell, attacks(results))
    bands = [trace for trace in figure.data if trace.meta]
    lines = [trace for trace in figure.data if trace.customdata is not None]
    assert len(bands) == 2 * len(lines) == 2 * len(cell.privacy.attacks)
    assert max(map(figure.data.index, bands)) < min(map(figure.data.index, lines))
    floor = 10 ** figure.layout.yaxis.range[0]
    for line, low, high in zip(lines, bands[::2], bands[1::2], strict=True):
        assert line.legendgroup == low.legendgroup == high.legendgroup
        assert line.x == low.x == high.x
        assert high.fill == "tonexty"
        assert low.fill is None
        assert (low.hoverinfo, low.showlegend, high.showlegend) == ("skip", False, False)
        assert low.y[0] == floor  # a logarithm has no 0
        assert all(below <= y <= above for below, y, above in zip(low.y[1:], line.y[1:], high.y[1:], strict=True))
        assert 3 * len(line.x) <= 200
        assert line.customdata[-1].startswith("95\u202f% band 0.8\u2013")


def test_roc_points_are_even_on_the_axis_and_no_more_than_there_is_room_for(results):
    figure = attack_roc(banded(results), attacks(results), points=60)
    lines = [trace for trace in figure.data if trace.customdata is not None]
    for line in lines:
        assert 12 <= len(line.x) <= 22
        assert line.x == tuple(sorted(line.x))
        assert line.x[-1] == 1


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


def test_early_stopping_shows_held_out_rows_and_the_epoch_that_is_kept(private):
    cell = next(cell for cell in private.cells if cell.defence == "early-stopping")
    losses = [epoch.held_out_loss for epoch in cell.utility.history]
    kept = losses.index(min(losses)) + 1
    figure = loss_curves(cell)
    assert list(figure.data[-1].y) == losses
    for drawn in (figure, accuracy_curves(cell)):
        assert (drawn.layout.shapes[0].x0, drawn.layout.annotations[0].text) == (kept, f"epoch {kept} is kept")
    assert kept_epoch(cell.utility.history) == kept


def test_of_equal_epochs_the_first_is_kept_and_without_held_out_rows_none(results):
    history = [
        epoch.model_copy(update={"held_out_loss": loss})
        for epoch, loss in zip(results.cells[0].utility.history, [2.0, 1.0, 1.0, None], strict=False)
    ]
    assert kept_epoch(history) == 2
    assert kept_epoch(results.cells[0].utility.history) is None
    assert len(loss_curves(results.cells[0]).data) == 2
    assert loss_curves(results.cells[0]).layout.shapes == ()


def test_curves_of_defences_are_lines_of_their_own(private):
    names = [trace.name for trace in accuracy_against_noise(private, "ghostface", "symmetric").data]
    assert names == ["none", "early-stopping", "randaug+mixup", "randaug+mixup \u00b7 early-stopping"]
    cells = [cell for cell in private.cells if cell.label_attack == "none"]
    lines = [trace for trace in adversarial_accuracy(private, cells).data if trace.customdata is not None]
    assert len({(trace.name, trace.line.dash) for trace in lines}) == len(lines) == 2 * len(cells)


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
