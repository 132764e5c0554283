import ast
import inspect
import re
import textwrap

import plotly.graph_objects as go
import pytest

from fer_audit.errors import FerAuditError
from fer_audit.report import figures
from fer_audit.report.cell_groups import grouped
from fer_audit.report.frames import LoadedResults
from fer_audit.report.group_charts import group_charts
from fer_audit.report.naming import labels_and_seed, several_seeds
from fer_audit.report.sections import sections


def measured(results, chart, key):
    measure, leakage = key.split()
    return {"measure": measure, "leakage": leakage}


def of_groups(results, chart, key):
    return {"measure": key}


def of_cell(results, chart, key):
    return {"cell": key}


def of_model(results, chart, key):
    return {"model": chart.title}


def of_noise(results, chart, key):
    measure, _, kind = key.partition(" ")
    return {"model": chart.title, "kind": kind, "measure": measure}


def of_labels(results, chart, key):
    several = several_seeds(results)
    cell = next(cell for cell in results.cells if labels_and_seed(cell, several) == key)
    return {"model": chart.title, "label_attack": cell.label_attack, "seed": cell.seed}


def of_corruption(results, chart, key):
    label_attack, _, seed = key.rpartition(" seed ")
    return {"label_attack": label_attack, "seed": int(seed)}


def of_all(results, chart, key):
    return {}


#: Of each kind of chart of the page: its function, and the arguments that make one of its variants.
FUNCTIONS = {
    "tradeoff": (figures.tradeoff, measured),
    "groups": (figures.group_tradeoff, of_groups),
    "ranges": (figures.group_ranges, of_groups),
    "noise": (figures.accuracy_against_noise, of_noise),
    "corrupted-rows": (figures.corrupted_rows, of_cell),
    "corruptions": (figures.corruption_accuracy, of_cell),
    "errors": (figures.corruption_errors, of_cell),
    "adversarial": (figures.adversarial_accuracy, of_labels),
    "roc": (figures.attack_roc, of_cell),
    "targets": (figures.target_auc, of_cell),
    "auc": (figures.attack_auc, of_model),
    "memorisation": (figures.member_accuracy, of_model),
    "accuracy-curves": (figures.accuracy_curves, of_cell),
    "loss-curves": (figures.loss_curves, of_cell),
    "recall": (figures.class_recall, of_cell),
    "confusion": (figures.confusion_matrix, of_cell),
    "transition": (figures.label_transition, of_corruption),
    "checkpoint-leakage": (figures.leakage_over_time, of_all),
    "checkpoint-accuracy": (figures.accuracy_over_time, of_all),
}
MAKERS = {
    name: make
    for name, make in vars(figures).items()
    if inspect.isfunction(make) and make.__module__ == figures.__name__ and not name.startswith("_")
}


@pytest.fixture(scope="module")
def charts(seeds, followed):
    """Each chart with the results that it is of."""
    groups = group_charts(grouped(seeds))
    pages = ((seeds, [*sections(seeds).charts(), *groups]), (followed, sections(followed).checkpoints))
    return [(results, chart) for results, found in pages for chart in found]


@pytest.fixture(scope="module")
def seeds(results):
    """Results with a second seed of two cells."""
    again = [
        cell.model_copy(update={"id": cell.id.replace("seed0", "seed1"), "seed": 1})
        for cell in results.cells
        if cell.augmentation == "none"
    ]
    return results.model_copy(update={"cells": [*results.cells, *again]})


def test_every_chart_of_the_page_has_a_function(charts):
    assert {re.sub(r"-\d+$", "", chart.id) for _, chart in charts} == set(FUNCTIONS)
    assert {make for make, _ in FUNCTIONS.values()} == set(MAKERS.values())


def test_figures_are_those_of_the_page(charts):
    for results, chart in charts:
        make, arguments = FUNCTIONS[re.sub(r"-\d+$", "", chart.id)]
        for variant in (chart.variants[0], chart.variants[-1]):
            made = make(results, **arguments(results, chart, variant.key))
            assert made.to_dict()["data"] == variant.figure.to_dict()["data"], (chart.id, variant.key)


@pytest.mark.parametrize("name", MAKERS)
def test_figures_stand_alone(results, followed, name):
    results = followed if name.endswith("_over_time") else results
    figure = MAKERS[name](LoadedResults(results))
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text
    assert figure.layout.height >= 400
    assert figure.layout.template.layout.paper_bgcolor == "white"
    assert MAKERS[name](results).to_dict() == figure.to_dict()


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_to_draw_is_an_error(results, name):
    nothing = results.model_copy(update={"cells": [], "noise_curves": []})
    with pytest.raises(FerAuditError, match=r"there is nothing to draw: no .* has "):
        MAKERS[name](nothing)


def test_unknown_choices_are_answered_with_the_nearest(results):
    with pytest.raises(FerAuditError, match=r"no model 'ghostfaces' .*did you mean 'ghostface'\?"):
        figures.attack_auc(results, model="ghostfaces")
    with pytest.raises(FerAuditError, match=r"no cell 'synthface/ghostface/none/none/seed7' .*did you mean "):
        figures.attack_roc(results, cell="synthface/ghostface/none/none/seed7")
    with pytest.raises(FerAuditError, match=r"no leakage 'aux': did you mean 'auc'\?"):
        figures.tradeoff(results, leakage="aux")
    with pytest.raises(FerAuditError, match=r"no measure 'accuracies': did you mean 'accuracy'\?"):
        figures.group_ranges(results, measure="accuracies")
    with pytest.raises(FerAuditError, match=r"no measure 'accuracies': did you mean 'accuracy'\?"):
        figures.group_tradeoff(results, measure="accuracies")
    with pytest.raises(FerAuditError, match=r"no seed '7' .*expected one of: 0"):
        figures.label_transition(results, seed=7)


def test_a_cell_that_lacks_it_is_an_error(results):
    clean = results.cells[0].id
    with pytest.raises(FerAuditError, match=r"no cell .* with corrupted rows that were followed"):
        figures.corrupted_rows(results, cell=clean)


def test_the_default_is_the_first_that_has_it(results):
    named = results.cells[1].label_attack
    assert named in figures.corrupted_rows(results).layout.title.text
    assert figures.corrupted_rows(results).to_dict() == figures.corrupted_rows(results, results.cells[1].id).to_dict()


def test_names_are_text_in_titles(results):
    cells = [cell.model_copy(update={"model": "<b>x</b>"}) for cell in results.cells]
    title = figures.attack_auc(results.model_copy(update={"cells": cells})).layout.title.text
    assert title == "AUC of every attack: &lt;b&gt;x&lt;/b&gt;"


def test_the_example_runs(few, make_folder, tmp_path, monkeypatch):
    folder = make_folder(few)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "grid").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    example = textwrap.dedent(figures.__doc__.partition("shows:\n")[2])
    exec(compile(ast.parse(example), "example", "exec"), {})  # noqa: S102
    assert "plotly" in (tmp_path / "roc.html").read_text(encoding="utf-8")
