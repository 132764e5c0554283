"""Every figure of the page as a function that returns a plotly figure, for notebooks and papers.

Each takes loaded results, and what the page lets its readers choose, such as a cell; left out, it is the first that has
what the figure shows:

    import fer_audit
    from fer_audit.report import figures

    loaded = fer_audit.load_results("reports/grid")
    figure = figures.attack_roc(loaded, cell=loaded.cells["cell"][0])
    figure.write_html("roc.html")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from fer_audit.errors import FerAuditError, did_you_mean
from fer_audit.report.cell_groups import grouped
from fer_audit.report.charts import forest
from fer_audit.report.charts.adversarial import adversarial_accuracy as _adversarial_accuracy
from fer_audit.report.charts.attack_auc import attack_auc as _attack_auc
from fer_audit.report.charts.checkpoints import accuracy_over_time as _accuracy_over_time
from fer_audit.report.charts.checkpoints import checkpoints
from fer_audit.report.charts.checkpoints import leakage_over_time as _leakage_over_time
from fer_audit.report.charts.confusion import confusion_matrix as _confusion_matrix
from fer_audit.report.charts.confusion import label_transition as _label_transition
from fer_audit.report.charts.corrupted_rows import corrupted_rows as _corrupted_rows
from fer_audit.report.charts.corruptions import corruption_accuracy as _corruption_accuracy
from fer_audit.report.charts.corruptions import corruption_errors as _corruption_errors
from fer_audit.report.charts.curves import accuracy_curves as _accuracy_curves
from fer_audit.report.charts.curves import loss_curves as _loss_curves
from fer_audit.report.charts.groups import RANGED, ranges_height, spread_of, with_both
from fer_audit.report.charts.groups import group_ranges as _group_ranges
from fer_audit.report.charts.groups import group_tradeoff as _group_tradeoff
from fer_audit.report.charts.leakage import LEAKAGES
from fer_audit.report.charts.memorisation import member_accuracy as _member_accuracy
from fer_audit.report.charts.noise import accuracy_against_noise as _accuracy_against_noise
from fer_audit.report.charts.noise import kinds
from fer_audit.report.charts.recall import class_recall as _class_recall
from fer_audit.report.charts.roc import attack_roc as _attack_roc
from fer_audit.report.charts.style import COLOURS, plain
from fer_audit.report.charts.target_auc import target_auc as _target_auc
from fer_audit.report.charts.tradeoff import TITLES, Measure
from fer_audit.report.charts.tradeoff import tradeoff as _tradeoff
from fer_audit.report.naming import attacks, cell_name, labels_name, several_seeds
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Cell, Results

if TYPE_CHECKING:
    from fer_audit.report.frames import LoadedResults

    Source = LoadedResults | Results

_HEIGHT = 460
_AXIS = {"gridcolor": "#dfe4ea", "linecolor": "#dfe4ea", "zeroline": False, "title": {"standoff": 8}}

#: The look of a figure that stands alone: that of the page in the light.
_THEME = {
    "layout": {
        "colorway": COLOURS,
        "font": {"family": "Inter, Segoe UI, Helvetica, Arial, sans-serif", "size": 13, "color": "#17202b"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    },
    "data": {"heatmap": [{"colorscale": [[0, "#f4f7fb"], [1, "#6ba4e2"]]}]},
}


def tradeoff(of: Source, measure: Measure = "balanced_accuracy", leakage: str = "auc") -> go.Figure:
    """Accuracy of every attacked cell against its leakage: `auc`, `tpr_at_fpr_0.01` or `tpr_at_fpr_0.001`."""
    results = _results(of)
    known = {one.key: one for one in LEAKAGES}
    if measure not in TITLES:
        raise FerAuditError(f"there is no measure {measure!r}: {did_you_mean(measure, TITLES)}")
    if leakage not in known:
        raise FerAuditError(f"there is no leakage {leakage!r}: {did_you_mean(leakage, known)}")
    _cell(results, None, lambda cell: bool(cell.utility and strongest_attack(cell)), "accuracy and an attack")
    made = _tradeoff(results, measure, known[leakage])
    return _alone(made, f"{TITLES[measure]} against {known[leakage].name}")


def group_tradeoff(of: Source, measure: Measure = "balanced_accuracy") -> go.Figure:
    """Mean accuracy of groups of cells, such as those that differ in their seed alone, against their mean AUC."""
    if measure not in TITLES:
        raise FerAuditError(f"there is no measure {measure!r}: {did_you_mean(measure, TITLES)}")
    grouping = grouped(_results(of))
    if not with_both(grouping.groups, measure):
        raise FerAuditError("there is nothing to draw: no group of these results has accuracy and an attack")
    return _alone(_group_tradeoff(grouping, measure), f"{TITLES[measure]} against AUC: groups of cells")


def group_ranges(of: Source, measure: str = "auc") -> go.Figure:
    """The groups of cells with the worst single ones: their means, and the range of their cells."""
    known = {one.key: one for one in RANGED}
    if measure not in known:
        raise FerAuditError(f"there is no measure {measure!r}: {did_you_mean(measure, known)}")
    grouping, chosen = grouped(_results(of)), known[measure]
    if not any(spread_of(group, chosen.field) for group in grouping.groups):
        raise FerAuditError(f"there is nothing to draw: no group of these results has {chosen.title}")
    return _alone(_group_ranges(grouping, chosen), f"{chosen.title} of groups of cells", ranges_height(grouping))


def attack_roc(of: Source, cell: str | None = None) -> go.Figure:
    """The ROC curve of each attack on a cell, given by its id; both axes are logarithmic."""
    results = _results(of)
    found = _cell(results, cell, _attacked, "a membership attack")
    return _alone(_attack_roc(found, attacks(results)), f"Attack ROC: {_named(results, found)}")


def target_auc(of: Source, cell: str | None = None) -> go.Figure:
    """The AUC of each attack on each target model of a cell, given by its id."""
    results = _results(of)
    found = _cell(results, cell, _attacked, "a membership attack")
    rows = max(len(attack.targets) for attack in found.privacy.attacks) if found.privacy else 0
    height = forest.height(results, rows, len(attacks(results)))
    return _alone(_target_auc(found, attacks(results)), f"AUC on each target: {_named(results, found)}", height)


def attack_auc(of: Source, model: str | None = None) -> go.Figure:
    """The AUC of every attack on every cell of a model."""
    results = _results(of)
    name = _model(results, model, _attacked, "a membership attack")
    return _alone(_attack_auc(results, name), f"AUC of every attack: {name}", _rows_height(results, name))


def member_accuracy(of: Source, model: str | None = None) -> go.Figure:
    """Accuracy on members, on non-members and on the test split, in every cell of a model."""
    results = _results(of)
    name = _model(results, model, lambda cell: cell.privacy is not None, "privacy models")
    return _alone(_member_accuracy(results, name), f"Members against non-members: {name}", _rows_height(results, name))


def leakage_over_time(of: Source) -> go.Figure:
    """The AUC of each attack on checkpoints of one training, against their epochs."""
    return _alone(_leakage_over_time(_followed_training(of)), "Leakage over training time")


def accuracy_over_time(of: Source) -> go.Figure:
    """Accuracy on members and on non-members of checkpoints of one training, against their epochs."""
    return _alone(_accuracy_over_time(_followed_training(of)), "Accuracy over training time")


def accuracy_curves(of: Source, cell: str | None = None) -> go.Figure:
    """Accuracy of a cell, given by its id, epoch by epoch."""
    return _of_cell(_results(of), cell, _trained, "a training history", _accuracy_curves, "Accuracy by epoch")


def loss_curves(of: Source, cell: str | None = None) -> go.Figure:
    """Loss of a cell, given by its id, epoch by epoch."""
    return _of_cell(_results(of), cell, _trained, "a training history", _loss_curves, "Loss by epoch")


def class_recall(of: Source, cell: str | None = None) -> go.Figure:
    """Recall of each class in a cell, given by its id."""
    results = _results(of)
    names = results.dataset.classes
    return _of_cell(results, cell, _tested, "a test", lambda c: _class_recall(c, names), "Recall of each class")


def confusion_matrix(of: Source, cell: str | None = None) -> go.Figure:
    """Counts of true against predicted classes in a cell, given by its id."""
    results = _results(of)
    names = results.dataset.classes
    return _of_cell(results, cell, _tested, "a test", lambda c: _confusion_matrix(c, names), "Confusion")


def corrupted_rows(of: Source, cell: str | None = None) -> go.Figure:
    """What becomes of the corrupted train rows of a cell, given by its id, epoch by epoch."""
    what = "corrupted rows that were followed"
    return _of_cell(_results(of), cell, _followed, what, _corrupted_rows, "Corrupted train rows by epoch")


def corruption_accuracy(of: Source, cell: str | None = None) -> go.Figure:
    """Accuracy of a cell, given by its id, on every kind of corrupted images at every severity."""
    results = _results(of)
    height, title = _kinds_height(results), "Accuracy on corrupted images"
    return _of_cell(results, cell, _corrupted, "corrupted images", _corruption_accuracy, title, height)


def corruption_errors(of: Source, cell: str | None = None) -> go.Figure:
    """The error of a cell, given by its id, on every kind of corrupted images, relative to the baseline."""
    results = _results(of)
    found = _cell(results, cell, _corrupted, "corrupted images")
    title = f"Corruption error: {_named(results, found)}"
    return _alone(_corruption_errors(results, found), title, _kinds_height(results))


def label_transition(of: Source, label_attack: str | None = None, seed: int | None = None) -> go.Figure:
    """The realised share of given labels for each true one, of a label attack such as `symmetric(rate=0.2)`."""
    results = _results(of)
    found = _chosen([cell for cell in results.cells if cell.corruption], label_attack, seed, "corrupted labels")
    title = f"Realised noise matrix: {_labels(results, found)}"
    # The cells that can be chosen have corrupted labels.
    return _alone(_label_transition(found.corruption, results.dataset.classes), title)  # type: ignore[arg-type]


def accuracy_against_noise(
    of: Source, model: str | None = None, kind: str | None = None, measure: Measure = "balanced_accuracy"
) -> go.Figure:
    """Accuracy of a model against the realised rate of one kind of label corruption."""
    results = _results(of)
    measured = list(dict.fromkeys(curve.model for curve in results.noise_curves))
    name = _pick("model", model, measured, "a noise curve")
    of_model = {curve.kind for curve in results.noise_curves if curve.model == name}
    chosen = _pick("kind", kind, [one for one in kinds(results) if one in of_model], "a noise curve")
    title = f"{TITLES[measure]} against corrupted labels: {name}, {chosen}"
    return _alone(_accuracy_against_noise(results, name, chosen, measure), title)


def adversarial_accuracy(
    of: Source, model: str | None = None, label_attack: str | None = None, seed: int | None = None
) -> go.Figure:
    """Accuracy of a model's cells, that differ in their treatment, against an attacker's epsilon."""
    results = _results(of)
    name = _model(results, model, lambda cell: cell.adversarial is not None, "adversarial images")
    mine = [cell for cell in results.cells if cell.model == name and cell.adversarial]
    first = _chosen(mine, label_attack, seed, "adversarial images")
    cells = [cell for cell in mine if (cell.label_attack, cell.seed) == (first.label_attack, first.seed)]
    title = f"Accuracy under attack: {name}, {_labels(results, first)}"
    return _alone(_adversarial_accuracy(results, cells), title)


def _alone(figure: go.Figure, title: str, height: int = _HEIGHT) -> go.Figure:
    """The figure with what the page gives it: a title, a theme, a height; its legend is where no title is."""
    place = {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"}
    # Below plotly's buttons, which stand at the very top.
    above = {"yref": "paper", "y": 1, "yanchor": "bottom", "pad": {"b": 22}}
    head = above | {"text": plain(title), "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 17}}
    margin = {"t": 84, "b": 56}
    return figure.update_layout(template=_THEME, title=head, height=max(height, _HEIGHT), legend=place, margin=margin)


def _results(of: Source) -> Results:
    return of if isinstance(of, Results) else of.results


def _followed_training(of: Source) -> Results:
    results = _results(of)
    _pick("cell", None, [cell.id for cell in checkpoints(results)], "another checkpoint of its training")
    return results


def _of_cell(
    results: Results,
    cell: str | None,
    has: Callable[[Cell], bool],
    what: str,
    chart: Callable[[Cell], go.Figure],
    title: str,
    height: int = _HEIGHT,
) -> go.Figure:
    found = _cell(results, cell, has, what)
    return _alone(chart(found), f"{title}: {_named(results, found)}", height)


def _cell(results: Results, cell: str | None, has: Callable[[Cell], bool], what: str) -> Cell:
    """The cell of that id; raises FerAuditError where there is none, or where it lacks what is to be shown."""
    there = {one.id: one for one in results.cells if has(one)}
    return there[_pick("cell", cell, there, what)]


def _model(results: Results, model: str | None, has: Callable[[Cell], bool], what: str) -> str:
    return _pick("model", model, dict.fromkeys(one.model for one in results.cells if has(one)), what)


def _chosen(cells: list[Cell], label_attack: str | None, seed: int | None, what: str) -> Cell:
    """The first of `cells` with these labels and this seed."""
    labels = _pick("label attack", label_attack, dict.fromkeys(cell.label_attack for cell in cells), what)
    seeds = {str(cell.seed): cell for cell in reversed(cells) if cell.label_attack == labels}
    return seeds[_pick("seed", None if seed is None else str(seed), reversed(seeds), what)]


def _pick(kind: str, asked: str | None, there: Iterable[str], what: str) -> str:
    """What is asked for, or the first that there is; raises FerAuditError where it isn't there."""
    names = list(there)
    if asked is None and names:
        return names[0]
    if asked in names:
        return str(asked)
    if not names:
        raise FerAuditError(f"there is nothing to draw: no {kind} of these results has {what}")
    raise FerAuditError(f"no {kind} {asked!r} with {what} in these results: {did_you_mean(str(asked), names)}")


def _attacked(cell: Cell) -> bool:
    return bool(cell.privacy and cell.privacy.attacks)


def _trained(cell: Cell) -> bool:
    return bool(cell.utility and cell.utility.history)


def _followed(cell: Cell) -> bool:
    return bool(cell.memorisation and cell.memorisation.epochs)


def _tested(cell: Cell) -> bool:
    return cell.utility is not None


def _corrupted(cell: Cell) -> bool:
    return cell.corruptions is not None


def _named(results: Results, cell: Cell) -> str:
    return cell_name(cell, several_seeds(results))


def _labels(results: Results, cell: Cell) -> str:
    return labels_name(cell) + (f", seed {cell.seed}" if several_seeds(results) else "")


def _rows_height(results: Results, model: str) -> int:
    return forest.height(results, len(forest.attacked_cells(results, model)), max(3, len(attacks(results))))


def _kinds_height(results: Results) -> int:
    return 140 + 25 * max((len(cell.corruptions.kinds) for cell in results.cells if cell.corruptions), default=0)
