"""Which charts stand in which section of the page, and what a reader can choose in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from fer_audit.report.charts import forest
from fer_audit.report.charts.adversarial import adversarial_accuracy
from fer_audit.report.charts.attack_auc import attack_auc
from fer_audit.report.charts.chart import Chart, Variant, chart
from fer_audit.report.charts.confusion import confusion_matrix, label_transition
from fer_audit.report.charts.corrupted_rows import corrupted_rows
from fer_audit.report.charts.corruptions import corruption_accuracy, corruption_errors
from fer_audit.report.charts.curves import accuracy_curves, loss_curves
from fer_audit.report.charts.memorisation import member_accuracy
from fer_audit.report.charts.noise import accuracy_against_noise, kinds
from fer_audit.report.charts.recall import class_recall
from fer_audit.report.charts.roc import attack_roc
from fer_audit.report.charts.target_auc import target_auc
from fer_audit.report.charts.tradeoff import TITLES, tradeoff
from fer_audit.report.naming import attacks, cell_name, labels_and_seed, models, several_seeds
from fer_audit.report.numbers import confidence
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Cell, Results

DETAILED = 60  #: cells with charts of their own; more would make the page too heavy to open
_CURVE_POINTS = 20_000  #: of all ROC curves of the page together


@dataclass(frozen=True)
class Sections:
    """The charts of each section; a section without data has none."""

    tradeoff: list[Chart]
    noise: list[Chart]
    corrupted_rows: list[Chart]
    corruptions: list[Chart]
    adversarial: list[Chart]
    roc: list[Chart]
    auc: list[Chart]
    memorisation: list[Chart]
    curves: list[Chart]
    classes: list[Chart]
    transition: list[Chart]

    def charts(self) -> list[Chart]:
        """All charts, top to bottom."""
        return [chart for section in vars(self).values() for chart in section]


def sections(results: Results) -> Sections:
    """The charts that the results have data for."""
    return Sections(
        tradeoff=_tradeoff(results),
        noise=_noise(results),
        corrupted_rows=_corrupted_rows(results),
        corruptions=_corruptions(results),
        adversarial=_adversarial(results),
        roc=_roc(results),
        auc=_auc(results),
        memorisation=_memorisation(results),
        curves=_curves(results),
        classes=_classes(results),
        transition=_transition(results),
    )


def _tradeoff(results: Results) -> list[Chart]:
    if not any(cell.utility and strongest_attack(cell) for cell in results.cells):
        return []
    reading = (
        "Each mark is a cell: higher is more accurate, further right leaks more, larger needs more MACs. "
        f"Bars are {confidence(results)} intervals; marks whose bars overlap may well be equal."
    )
    variants = [Variant(measure, title, tradeoff(results, measure)) for measure, title in reversed(TITLES.items())]
    return [Chart("tradeoff", "Accuracy against leakage", reading, tuple(variants), "measure", height=470)]


def _noise(results: Results) -> list[Chart]:
    measured = {curve.model for curve in results.noise_curves}
    reading = "A line that stays flat withstands wrong labels. Bars are intervals, over seeds where there are several."
    return [
        Chart(f"noise-{place}", model, reading, _noise_variants(results, model), "noise")
        for place, model in enumerate(models(results))
        if model in measured
    ]


def _noise_variants(results: Results, model: str) -> tuple[Variant, ...]:
    found = kinds(results)
    return tuple(
        Variant(
            f"{measure} {kind}",
            title if len(found) == 1 else f"{title}, {kind}",
            accuracy_against_noise(results, model, kind, measure),
        )
        for kind in found
        for measure, title in reversed(TITLES.items())
    )


def _corrupted_rows(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.memorisation and cell.memorisation.epochs]
    reading = (
        "The longer a model trains, the more wrong labels it may learn by heart; one that recovers them says the true "
        "label although it was taught another."
    )
    return _per_cell(results, "corrupted-rows", "Corrupted train rows by epoch", reading, cells, corrupted_rows)


def _corruptions(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.corruptions]
    most = max((len(cell.corruptions.kinds) for cell in cells if cell.corruptions), default=0)
    shades = "Percent of the test images that are recognised; severity 5 is the strongest."
    errors = "Left of the dotted line, the kind does less harm than to the baseline; bars that cross it show neither."
    size = 110 + 25 * max(most, 4)
    return [
        *_per_cell(results, "corruptions", "Accuracy by kind", shades, cells, corruption_accuracy, size),
        *_per_cell(results, "errors", "Corruption error", errors, cells, lambda c: corruption_errors(results, c), size),
    ]


def _adversarial(results: Results) -> list[Chart]:
    reading = (
        "How fast accuracy falls when an attacker who knows the model may change each pixel by epsilon: in one step "
        "(FGSM), or in several (PGD), which as a rule finds more."
    )
    found = []
    for place, model in enumerate(models(results)):
        variants = _adversarial_variants(results, [c for c in results.cells if c.model == model and c.adversarial])
        if variants:
            found.append(Chart(f"adversarial-{place}", model, reading, variants[:DETAILED], "adversarial", 420))
    return found


def _adversarial_variants(results: Results, cells: list[Cell]) -> tuple[Variant, ...]:
    """One for each kind of labels and seed, so that a figure compares augmentations."""
    seeds = several_seeds(results)
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(labels_and_seed(cell, seeds), []).append(cell)
    return tuple(Variant(name, name, adversarial_accuracy(results, group)) for name, group in groups.items())


def _roc(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.privacy and cell.privacy.attacks]
    names = attacks(results)
    points = max(20, min(200, _CURVE_POINTS // max(1, len(cells[:DETAILED]) * len(names))))
    reading = (
        "Above the dotted line, members are found more often than non-members are accused. "
        "What matters is the left edge: members found while almost nobody is accused wrongly."
    )
    each = "Each model that was attacked; rows far apart mean that the leak depends on who is in the training data."
    height = max(460, forest.height(results, max((_targets(cell) for cell in cells), default=0), len(names)))
    return [
        *_per_cell(results, "roc", "Attack ROC", reading, cells, lambda c: attack_roc(c, names, points), height),
        *_per_cell(results, "targets", "AUC on each target", each, cells, lambda c: target_auc(c, names), height),
    ]


def _targets(cell: Cell) -> int:
    return max((len(attack.targets) for attack in cell.privacy.attacks), default=0) if cell.privacy else 0


def _auc(results: Results) -> list[Chart]:
    reading = "Right of the dotted line is leakage; a bar that crosses the line shows none."
    return _per_model(results, "auc", reading, attack_auc, series=len(attacks(results)))


def _memorisation(results: Results) -> list[Chart]:
    reading = "The further members lie right of non-members, the more a model remembers whom it was trained on."
    return _per_model(results, "memorisation", reading, member_accuracy, series=3)


def _curves(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.utility and cell.utility.history]
    reading = "A test line that bends away from the train line is overfitting; augmented batches are harder than plain."
    accuracy = _per_cell(results, "accuracy-curves", "Accuracy by epoch", reading, cells, accuracy_curves)
    loss = _per_cell(results, "loss-curves", "Loss by epoch", reading, cells, loss_curves)
    return accuracy + loss


def _classes(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.utility]
    names = results.dataset.classes
    recall = "Height is the share of the class's test images that are recognised; rare classes have long bars."
    matrix = (
        "Rows are true classes, columns what the model said; the stronger the colour, the larger the share of the row."
    )
    size = max(380, 120 + 40 * len(names))
    return [
        *_per_cell(results, "recall", "Recall of each class", recall, cells, lambda c: class_recall(c, names), size),
        *_per_cell(results, "confusion", "Confusion", matrix, cells, lambda c: confusion_matrix(c, names), size),
    ]


def _transition(results: Results) -> list[Chart]:
    found = {(cell.label_attack, cell.seed): cell.corruption for cell in results.cells if cell.corruption}
    if not found:
        return []
    names = results.dataset.classes
    variants = [
        Variant(f"{name} seed {seed}", f"{name}, seed {seed}", label_transition(done, names))
        for (name, seed), done in found.items()
    ]
    reading = "Percent of each true class's train labels that were given as each class; the diagonal was left alone."
    size = max(380, 120 + 40 * len(names))
    return [Chart("transition", "Realised noise matrix", reading, tuple(variants[:DETAILED]), "corruption", size)]


def _per_cell(
    results: Results,
    name: str,
    title: str,
    reading: str,
    cells: list[Cell],
    figure: Callable[[Cell], go.Figure],
    height: int = 380,
) -> list[Chart]:
    seeds = several_seeds(results)
    variants = tuple(Variant(cell.id, cell_name(cell, seeds), figure(cell)) for cell in cells[:DETAILED])
    reading += cut(len(cells), DETAILED, "cells can be chosen")
    return [Chart(name, title, reading, variants, "cell", height)] if variants else []


def _per_model(
    results: Results, name: str, reading: str, figure: Callable[[Results, str], go.Figure], series: int
) -> list[Chart]:
    found = []
    for place, model in enumerate(models(results)):
        rows = sum(cell.model == model and cell.privacy is not None for cell in results.cells)
        if rows:
            size = forest.height(results, rows, series)
            note = cut(rows, forest.ROWS, "cells of a model are drawn; the tables have all")
            found.append(chart(f"{name}-{place}", model, reading + note, figure(results, model), size))
    return found


def cut(there: int, shown: int, what: str) -> str:
    """What a chart or table says where it can't show everything."""
    return f" The first {shown} of {there:,} {what}." if there > shown else ""
