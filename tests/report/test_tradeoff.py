import json
from collections import Counter
from itertools import pairwise

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.report.charts.cloud import FRONT
from fer_audit.report.charts.even_draw import even_draw
from fer_audit.report.charts.leakage import AUC, LEAKAGES
from fer_audit.report.charts.pareto import pareto_front
from fer_audit.report.charts.plane import DRAWN
from fer_audit.report.charts.private_line import LINE
from fer_audit.report.charts.tradeoff import height, tradeoff, tradeoff_variants
from fer_audit.report.charts.tradeoff_reading import reading
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Estimate

ONE_IN_THOUSAND, ONE_IN_HUNDRED, _ = LEAKAGES
UNKNOWN = Estimate(value=None, note="not resolvable")


def with_attack(cell, place, **changes):
    """The cell, one of its attacks changed."""
    attacks = list(cell.privacy.attacks)
    attacks[place] = attacks[place].model_copy(update=changes)
    return cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"attacks": attacks})})


def with_tpr(cell, **levels):
    """The cell, with these rates (keys `t01` and `t001`) of all its attacks."""
    named = {"t01": "0.01", "t001": "0.001"}
    rates = {named[key]: Estimate(value=value) for key, value in levels.items()}
    for place, attack in enumerate(cell.privacy.attacks):
        cell = with_attack(cell, place, tpr_at_fpr=attack.tpr_at_fpr | rates)
    return cell


def with_cells(results, cells):
    return results.model_copy(update={"cells": list(cells)})


def marks(figure):
    """Cell -> (x, y, opacity, text) of what is drawn."""
    return {
        name: drawn
        for trace in figure.data
        if trace.customdata is not None
        for name, *drawn in zip(trace.customdata, trace.x, trace.y, trace.marker.opacity, trace.text, strict=True)
    }


def front_of(figure):
    return next((trace for trace in figure.data if trace.name == FRONT), None)


def keys(results):
    return [variant.key for variant in tradeoff_variants(results)]


def test_the_first_choice_is_the_lowest_rate_that_all_cells_resolve(few):
    found = tradeoff_variants(few)
    assert [(one.key, one.label) for one in found] == [
        ("balanced_accuracy tpr_at_fpr_0.01", "Balanced accuracy \u00b7 TPR at 1\u202f% FPR"),
        ("accuracy tpr_at_fpr_0.01", "Accuracy \u00b7 TPR at 1\u202f% FPR"),
        ("balanced_accuracy auc", "Balanced accuracy \u00b7 AUC"),
        ("accuracy auc", "Accuracy \u00b7 AUC"),
    ]
    every = with_cells(few, [with_tpr(cell, t001=0.02) for cell in few.cells])
    assert keys(every)[0] == "balanced_accuracy tpr_at_fpr_0.001"
    assert len(keys(every)) == 6


def test_without_a_rate_that_all_resolve_the_auc_comes_first(few):
    cells = [with_tpr(few.cells[0], t01=None), *few.cells[1:]]
    assert keys(with_cells(few, cells)) == [
        "balanced_accuracy auc",
        "accuracy auc",
        "balanced_accuracy tpr_at_fpr_0.01",
        "accuracy tpr_at_fpr_0.01",
    ]


def test_a_measure_is_offered_from_two_thirds_of_the_cells_on(results):
    cells = results.cells[:6]
    part = [with_tpr(cell, t001=0.02) for cell in cells[:4]]
    assert "balanced_accuracy tpr_at_fpr_0.001" in keys(with_cells(results, [*part, *cells[4:]]))
    assert "balanced_accuracy tpr_at_fpr_0.001" not in keys(with_cells(results, [*part[:3], *cells[3:]]))


def test_cells_without_attacks_or_accuracy_do_not_count(few, unmeasured):
    bare = few.cells[0].model_copy(update=unmeasured)
    quiet = few.cells[1].model_copy(update={"privacy": None})
    done = [with_tpr(cell, t001=0.02) for cell in few.cells[2:]]
    assert keys(with_cells(few, [bare, quiet, *done]))[0] == "balanced_accuracy tpr_at_fpr_0.001"
    assert tradeoff_variants(with_cells(few, [bare, quiet])) == ()


def test_the_attack_is_the_strongest_by_the_measure_that_is_shown(few):
    cell = few.cells[0]
    last = cell.privacy.attacks[-1]
    assert strongest_attack(cell) is cell.privacy.attacks[0]
    cell = with_attack(cell, -1, tpr_at_fpr=last.tpr_at_fpr | {"0.01": Estimate(value=0.9, low=0.8, high=0.95)})
    figure = tradeoff(with_cells(few, [cell]), leakage=ONE_IN_HUNDRED)
    ((x, _, _, text),) = marks(figure).values()
    assert x == 0.9
    assert f"{last.attack.name}: TPR at 1\u202f% FPR 90.0\u202f% (80.0\u201395.0\u202f%)" in text
    assert ONE_IN_HUNDRED.strongest(with_tpr(cell, t01=0.3)).attack.name == cell.privacy.attacks[0].attack.name
    assert ONE_IN_HUNDRED.strongest(with_tpr(cell, t01=None)) is None


def test_marks_and_bars_are_the_measured_values(few):
    figure = tradeoff(few, "accuracy", ONE_IN_HUNDRED)
    first = next(trace for trace in figure.data if trace.customdata is not None)
    cell = few.cells[0]
    rate = ONE_IN_HUNDRED.strongest(cell).tpr_at_fpr["0.01"]
    assert (first.x[0], first.y[0]) == (rate.value, cell.utility.accuracy.value)
    assert first.x[0] + first.error_x.array[0] == pytest.approx(rate.high)
    assert first.y[0] - first.error_y.arrayminus[0] == pytest.approx(cell.utility.accuracy.low)


@pytest.mark.parametrize(("leakage", "chance"), [(ONE_IN_THOUSAND, 0.001), (ONE_IN_HUNDRED, 0.01), (AUC, 0.5)])
def test_the_line_is_chance_and_rates_start_at_nothing(few, leakage, chance):
    never = with_cells(few, [with_tpr(cell, t001=0.0, t01=0.0) for cell in few.cells])
    figure = tradeoff(never, leakage=leakage)
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == chance
    low, high = figure.layout.xaxis.range
    assert low < chance < high
    assert low == 0 or leakage is AUC
    assert figure.layout.xaxis.type != "log"


def test_the_front_is_ringed_joined_and_named(results):
    figure = tradeoff(results)
    shown = marks(figure)
    places = list(shown.values())
    expected = [places[at][:2] for at in pareto_front([(x, y) for x, y, *_ in places])]
    line = front_of(figure)
    assert [list(point) for point in zip(line.x, line.y, strict=True)] == expected
    assert line.line.shape == "hv"
    assert line.marker.symbol == "circle-open"
    drawn = [trace for trace in figure.data if trace.customdata is not None]
    sizes = {(x, y): d for trace in drawn for x, y, d in zip(trace.x, trace.y, trace.marker.size, strict=True)}
    assert all(
        ring > sizes[at] for *at, ring in zip(line.x, line.y, line.marker.size, strict=True) for at in [tuple(at)]
    )
    named = [[x, y] for x, y, _, text in places if FRONT in text]
    assert sorted(named) == sorted(expected)


@pytest.mark.parametrize("fault", ["failed", "invalid"])
def test_what_failed_or_cannot_be_trusted_is_pale_and_not_on_the_front(results, fault):
    best = max(results.cells, key=lambda cell: cell.utility.balanced_accuracy.value)
    wrong = (
        {"status": "failed"}
        if fault == "failed"
        else {"privacy": best.privacy.model_copy(update={"invalid": "the model looks at the batch"})}
    )
    cells = [cell.model_copy(update=wrong) if cell is best else cell for cell in results.cells]
    before, after = tradeoff(results), tradeoff(with_cells(results, cells))
    top = best.utility.balanced_accuracy.value
    assert top in front_of(before).y
    assert top not in front_of(after).y
    ((*_, opacity, text),) = [mark for mark in marks(after).values() if mark[1] == top]
    assert opacity < min(mark[2] for mark in marks(before).values())
    assert FRONT not in text
    assert "never on the front" in reading(with_cells(results, cells))
    assert "never on the front" not in reading(results)


def test_without_a_sound_cell_there_is_no_front(few):
    cells = [cell.model_copy(update={"status": "failed"}) for cell in few.cells]
    assert front_of(tradeoff(with_cells(few, cells))) is None


def accuracy_of(cell, value):
    utility = cell.utility.model_copy(
        update={name: Estimate(value=value, low=value - 0.02, high=value) for name in ("accuracy", "balanced_accuracy")}
    )
    return cell.model_copy(update={"utility": utility})


@pytest.fixture(scope="module")
def crowd(make_crowd):
    return make_crowd(1000)


@pytest.fixture(scope="module")
def make_crowd(results):
    """As many cells as asked for, each with an accuracy of its own, and one in a hundred that leaks least."""

    def make(count):
        cells = []
        for place in range(count):
            seed, at = divmod(place, len(results.cells))
            cell = accuracy_of(results.cells[at], 0.3 + 0.4 * (place * 0.37 % 1.0))
            cells.append(cell.model_copy(update={"seed": seed, "id": f"{cell.id}/{place}"}))
        return with_cells(results, cells)

    return make


def test_of_many_cells_the_front_and_an_even_draw_are_drawn(crowd):
    figures = [variant.figure for variant in tradeoff_variants(crowd)]
    for figure in figures:
        shown, line = marks(figure), front_of(figure)
        assert len(shown) == DRAWN
        assert sum(FRONT in text for *_, text in shown.values()) == len(line.x)
        assert all(trace.error_x.array is None for trace in figure.data)
    models = Counter(name.split(" \u00b7 ")[0] for name in marks(figures[0]))
    assert all(abs(count - DRAWN / len(models)) <= 0.1 * DRAWN for count in models.values())
    assert f"{DRAWN} of 1,000 cells are drawn, all of the front among them; the table has all." in reading(crowd)
    assert "Bars" not in reading(crowd)


def test_the_whole_front_of_many_cells_is_on_the_front_of_the_figure(crowd):
    every = [(strongest_attack(c).auc.value, c.utility.balanced_accuracy.value) for c in crowd.cells]
    line = front_of(tradeoff(crowd))
    assert list(zip(line.x, line.y, strict=True)) == [every[at] for at in pareto_front(every)]


def test_a_large_front_is_drawn_whole(crowd):
    equal = with_cells(crowd, [accuracy_of(crowd.cells[0], 0.5)] * (DRAWN + 50))
    assert len(front_of(tradeoff(equal)).x) == DRAWN + 50


def test_few_cells_are_all_drawn_with_bars(make_crowd):
    figure = tradeoff(make_crowd(200))
    assert len(marks(figure)) == 200
    assert all(trace.error_x.array for trace in figure.data if trace.customdata is not None)
    assert tradeoff(make_crowd(201)).data[1].error_x.array is None


@given(st.integers(0, 3000), st.integers(0, 700))
def test_a_draw_is_even_and_never_asks_for_too_much(there, count):
    drawn = even_draw(range(there), count)
    assert len(drawn) == min(there, count) == len(set(drawn))
    gaps = {after - before for before, after in pairwise(drawn)}
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert drawn == sorted(drawn)


def test_the_cloud_keeps_its_shape(crowd):
    every = sorted(strongest_attack(cell).auc.value for cell in crowd.cells)
    drawn = sorted(x for x, *_ in marks(tradeoff(crowd)).values())
    for part in range(1, 10):
        assert drawn[part * DRAWN // 10] == pytest.approx(every[part * len(every) // 10], abs=0.002)


def test_many_augmentations_differ_by_colour_or_dot(make_results):
    base = make_results(models=["ghostface"], augmentations=["none"]).cells
    names = [f"randaug(m={m})" for m in range(16)]
    cells = [cell.model_copy(update={"augmentation": name}) for name in names for cell in base]
    figure = tradeoff(with_cells(make_results(models=["ghostface"]), cells))
    drawn = [trace for trace in figure.data if trace.customdata is not None]
    looks = {(trace.marker.line.color, symbol) for trace in drawn for symbol in trace.marker.symbol}
    assert len(looks) == 2 * len(names)
    legend = [trace for trace in figure.data if trace.meta and trace.meta["key"] == "Augmentation"]
    assert len({(trace.marker.line.color, trace.marker.symbol) for trace in legend}) == len(names)


def test_the_legend_says_what_models_cost(results, audited):
    names = [trace.name for trace in tradeoff(results).data if trace.meta and trace.meta["key"] == "Model"]
    assert names == ["ghostface, 2.97\u202fM MACs", "mobilenet-v2, 14.2\u202fM MACs"]
    free = results.model_copy(update={"costs": []})
    names = [trace.name for trace in tradeoff(free).data if trace.meta and trace.meta["key"] == "Model"]
    assert names == ["ghostface", "mobilenet-v2"]
    assert "MACs" not in reading(free)
    assert tradeoff_variants(audited) == ()


def test_the_area_of_a_mark_grows_with_the_macs(results):
    figure = tradeoff(results)
    trace = next(trace for trace in figure.data if trace.customdata is not None)
    small, large = sorted(set(trace.marker.size))
    assert large == 22
    assert (small**2 - 9**2) / (22**2 - 9**2) == pytest.approx(2_969_000 / 14_200_000)


def test_the_reading_says_how_far_the_front_can_be_trusted(results):
    text = reading(results)
    assert "values as measured" in text
    assert "intervals that overlap may put other cells on it" in text
    assert "TPR at 0.1\u202f% FPR is not shown: none of the 16 attacked cells resolve it." in text
    part = [with_tpr(cell, t001=0.02) for cell in results.cells[:12]]
    some = reading(with_cells(results, [*part, *results.cells[12:]]))
    assert "TPR at 0.1\u202f% FPR is resolved by 12 of the 16 attacked cells; the others lack it." in some


def test_every_source_is_in_the_results(results):
    tree = json.loads(results.model_dump_json())
    for variant in tradeoff_variants(results):
        for source in variant.source:
            assert list(followed(tree, source.removeprefix("results.json#/").split("/"))), source


def followed(value, steps):
    """What a pointer with `*` leads to."""
    if not steps:
        yield value
    elif steps[0] == "*":
        for one in value.values() if isinstance(value, dict) else value:
            yield from followed(one, steps[1:])
    elif isinstance(value, dict) and steps[0] in value:
        yield from followed(value[steps[0]], steps[1:])


def test_the_chart_grows_with_its_legend(results):
    assert height(results) == 470
    cells = [results.cells[0].model_copy(update={"model": f"model {place}"}) for place in range(16)]
    assert height(with_cells(results, cells)) > 470


@pytest.mark.parametrize("cells", [16, 700])
def test_figures_that_are_not_validated_when_made_are_valid(make_crowd, cells):
    for variant in tradeoff_variants(make_crowd(cells)):
        drawn = variant.figure.to_plotly_json()
        assert go.Figure(drawn).to_plotly_json() == drawn


def lines_of(figure):
    """The lines along private training."""
    return [trace for trace in figure.data if trace.meta and trace.meta["key"] == LINE and trace.x[0] is not None]


def test_private_training_is_joined_over_its_epsilons(private):
    figure = tradeoff(private)
    found = lines_of(figure)
    assert len(found) == 2  # clean and corrupted labels
    for line, labels in zip(found, ("none", "symmetric(rate=0.2)"), strict=True):
        cells = [cell for cell in private.cells if cell.guarantee and cell.label_attack == labels]
        cells.sort(key=lambda cell: cell.guarantee.epsilon)
        assert list(line.y) == [cell.utility.balanced_accuracy.value for cell in cells]
        assert list(line.x) == [strongest_attack(cell).auc.value for cell in cells]
        assert list(line.text) == ["\u03b5\u20092", "\u03b5\u20098", "\u03b5\u200932"]
        assert line.mode == "lines+markers+text"
    assert [line.showlegend for line in found] == [True, False]
    dots = {trace.marker.line.color for trace in figure.data if trace.name == "dp-sgd" and trace.customdata}
    assert {line.line.color for line in found} == dots


def test_cells_beside_the_line_are_marks_of_their_own(private):
    shown = marks(tradeoff(private))
    assert len(shown) == len(private.cells)
    assert "epsilon 8.00 promised" in shown["ghostface \u00b7 dp-sgd(epsilon=8)"][-1]
    assert "promised" not in shown["ghostface \u00b7 none"][-1]


def test_private_training_with_an_augmentation_is_not_on_the_line(private):
    cell = next(cell for cell in private.cells if cell.guarantee)
    mixed = next(cell for cell in private.cells if cell.augmentation_plugins)
    augmented = cell.model_copy(
        update={"augmentation": mixed.augmentation, "augmentation_plugins": mixed.augmentation_plugins, "id": "x"}
    )
    figure = tradeoff(with_cells(private, [augmented, *private.cells]))
    assert [len(line.x) for line in lines_of(figure)] == [3, 3]
    names = [trace.name for trace in figure.data if trace.meta and trace.meta["key"] == "Augmentation, defence"]
    assert names[0] == "randaug+mixup \u00b7 dp-sgd"


def test_a_single_or_unsound_private_cell_makes_no_line(private):
    first, *others = [cell for cell in private.cells if cell.guarantee and cell.label_attack == "none"]
    assert lines_of(tradeoff(with_cells(private, [private.cells[0], first]))) == []
    failed = [cell.model_copy(update={"status": "failed"}) for cell in others]
    assert lines_of(tradeoff(with_cells(private, [first, *failed]))) == []
    assert "The line joins" not in reading(with_cells(private, [first, *failed]))


def test_the_reading_says_which_side_of_the_line_leaks_less(private, few):
    text = reading(private)
    assert "a cell to its left leaks less at that accuracy, one to its right more" in text
    assert "The line joins" not in reading(few)


def test_many_lines_have_no_epsilons_beside_them(private):
    cells = [
        cell.model_copy(update={"seed": seed, "id": f"{cell.id}/{seed}"}) for seed in range(4) for cell in private.cells
    ]
    found = lines_of(tradeoff(with_cells(private, cells)))
    assert len(found) == 8
    assert {line.mode for line in found} == {"lines"}
    assert sum(line.showlegend for line in found) == 1


def test_undefended_cells_have_neither_line_nor_defence(results):
    figure = tradeoff(results)
    assert lines_of(figure) == []
    assert {trace.meta["key"] for trace in figure.data if trace.meta} == {FRONT, "Augmentation", "Model", "Labels"}
