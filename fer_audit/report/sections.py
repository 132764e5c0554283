"""Which charts stand in which section of the page, and what a reader can choose in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import plotly.graph_objects as go

from fer_audit.report.charts import forest
from fer_audit.report.charts.adversarial import adversarial_accuracy
from fer_audit.report.charts.attack_auc import attack_auc
from fer_audit.report.charts.chart import Chart, Variant
from fer_audit.report.charts.checkpoints import accuracy_over_time, checkpoints, leakage_over_time
from fer_audit.report.charts.confusion import confusion_matrix, label_transition
from fer_audit.report.charts.corrupted_rows import corrupted_rows
from fer_audit.report.charts.corruptions import corruption_accuracy, corruption_errors
from fer_audit.report.charts.curves import accuracy_curves, kept_epoch, loss_curves
from fer_audit.report.charts.memorisation import member_accuracy, series_of
from fer_audit.report.charts.noise import accuracy_against_noise, kinds
from fer_audit.report.charts.recall import class_recall
from fer_audit.report.charts.roc import attack_roc
from fer_audit.report.charts.target_auc import target_auc
from fer_audit.report.charts.tradeoff import TITLES, tradeoff_variants
from fer_audit.report.charts.tradeoff import height as tradeoff_height
from fer_audit.report.charts.tradeoff_reading import reading
from fer_audit.report.naming import (
    attacks,
    cell_name,
    given_models,
    labels_and_seed,
    models,
    several_seeds,
    tested_on,
    treatment,
)
from fer_audit.results import Cell, Results

DETAILED = 60  #: cells with charts of their own; more would make the page too heavy to open
FILE = "results.json#"  #: what a JSON pointer to a chart's numbers starts with
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
    checkpoints: list[Chart]
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
        checkpoints=_checkpoints(results),
        memorisation=_memorisation(results),
        curves=_curves(results),
        classes=_classes(results),
        transition=_transition(results),
    )


def _tradeoff(results: Results) -> list[Chart]:
    variants = tradeoff_variants(results)
    if not variants:
        return []
    title = "Accuracy against leakage"
    return [Chart("tradeoff", title, reading(results), variants, "measure", height=tradeoff_height(results))]


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
            tuple(f"{FILE}/noise_curves/*/points/*/{field}" for field in ("rate", measure)),
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
    title, source = "Corrupted train rows by epoch", ("memorisation/epochs/*",)
    return _per_cell(results, "corrupted-rows", title, reading, cells, corrupted_rows, source)


def _corruptions(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.corruptions]
    most = max((len(cell.corruptions.kinds) for cell in cells if cell.corruptions), default=0)
    shades = "Percent of the test images that are recognised; severity 5 is the strongest."
    errors = "Left of the dotted line, the kind does less harm than to the baseline; bars that cross it show neither."
    size = 110 + 25 * max(most, 4)
    shown = results.model_copy(update={"cells": cells[:DETAILED]})  # whose errors share an axis
    accuracies, source = corruption_accuracy, ("corruptions/kinds/*/accuracy",)
    return [
        *_per_cell(results, "corruptions", "Accuracy by kind", shades, cells, accuracies, source, size),
        *_per_cell(
            results,
            "errors",
            "Corruption error",
            errors,
            cells,
            lambda cell: corruption_errors(shown, cell),
            ("corruptions/kinds/*/error",),
            size,
        ),
    ]


def _adversarial(results: Results) -> list[Chart]:
    reading = (
        "How fast accuracy falls when an attacker who knows the model may change each pixel by epsilon: in one step "
        "(FGSM), or in several (PGD), which as a rule finds more."
    )
    places = {model: place for place, model in enumerate(models(results))}
    found = _of_each_model(cell for cell in results.cells if cell.adversarial)
    groups = {model: _comparable(results, cells) for model, cells in found.items()}
    shown = _with_every_treatment(results, [cell for some in groups.values() for _, group in some for cell in group])
    source = tuple(
        f"{FILE}/cells/*/adversarial/{field}" for field in ("clean", "points/*/accuracy", "points/*/epsilon")
    )
    return [
        Chart(
            f"adversarial-{places[model]}",
            model,
            reading,
            tuple(Variant(name, name, adversarial_accuracy(shown, group), source) for name, group in some),
            "adversarial",
            420,
        )
        for model, some in groups.items()
    ]


def _comparable(results: Results, cells: list[Cell]) -> list[tuple[str, list[Cell]]]:
    """The first groups of cells with the same labels and seed, so that a figure compares treatments."""
    seeds = several_seeds(results)
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(labels_and_seed(cell, seeds), []).append(cell)
    return list(groups.items())[:DETAILED]


def _with_every_treatment(results: Results, cells: list[Cell]) -> Results:
    """The results with these cells alone and one of each treatment, so that colours stay those of the grid."""
    first = {treatment(cell): cell.id for cell in reversed(results.cells)}
    kept = {*first.values(), *(cell.id for cell in cells)}
    return results.model_copy(update={"cells": [cell for cell in results.cells if cell.id in kept]})


def _roc(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.privacy and cell.privacy.attacks]
    names = attacks(results)
    points = max(20, min(200, _CURVE_POINTS // max(1, len(cells[:DETAILED]) * len(names))))
    reading = (
        "Above the dotted line, members are found more often than non-members are accused. "
        "What matters is the left edge: members found while almost nobody is accused wrongly."
    )
    each = "Each model that was attacked; rows far apart mean that the leak depends on who is in the training data."
    several = any(_targets(cell) > 1 for cell in cells)  # a chart of one target says what the AUC of the cell says
    height = max(460, forest.height(results, max((_targets(cell) for cell in cells), default=0), len(names)))
    return [
        *_per_cell(
            results,
            "roc",
            "Attack ROC",
            reading,
            cells,
            lambda cell: attack_roc(cell, names, points),
            ("privacy/attacks/*/roc",),
            height,
        ),
        *_per_cell(
            results,
            "targets",
            "AUC on each target",
            each,
            cells if several or not given_models(results) else [],
            lambda cell: target_auc(cell, names),
            ("privacy/attacks/*/targets/*/auc",),
            height,
        ),
    ]


def _targets(cell: Cell) -> int:
    return max((len(attack.targets) for attack in cell.privacy.attacks), default=0) if cell.privacy else 0


def _auc(results: Results) -> list[Chart]:
    reading = "Right of the dotted line is leakage; a bar that crosses the line shows none."
    return _per_model(results, "auc", reading, attack_auc, ("attacks/*/auc",), series=len(attacks(results)))


def _checkpoints(results: Results) -> list[Chart]:
    if not checkpoints(results):
        return []
    leakage = (
        "A line that rises away from the dotted one leaks more, the longer the model is trained. Bars are intervals."
    )
    gap = "Where members pull away from non-members, the model begins to remember instead of to learn."
    epochs, below = f"{FILE}/cells/*/audited/checkpoint", f"{FILE}/cells/*/privacy"
    over_time = Variant("", "", leakage_over_time(results), (epochs, f"{below}/attacks/*/auc"))
    sides = tuple(f"{below}/{side}_accuracy" for side in ("member", "nonmember"))
    accuracy = Variant("", "", accuracy_over_time(results), (epochs, *sides))
    return [
        Chart("checkpoint-leakage", "Leakage over training time", leakage, (over_time,), height=420),
        Chart("checkpoint-accuracy", "Accuracy over training time", gap, (accuracy,), height=420),
    ]


def _memorisation(results: Results) -> list[Chart]:
    reading = "The further members lie right of non-members, the more a model remembers whom it was trained on."
    source = tuple(series.field for series in series_of(results))
    return _per_model(results, "memorisation", reading, member_accuracy, source, series=3)


def _curves(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.utility and cell.utility.history]
    reading = "A test line that bends away from the train line is overfitting; augmented batches are harder than plain."
    stopped = {cell.id for cell in cells if cell.utility and kept_epoch(cell.utility.history)}
    if stopped:
        reading += " Early stopping keeps the weights of the epoch with the least loss on train rows that it held out."
    found = []

    def held_out(one: Variant) -> Variant:
        if one.key not in stopped:
            return one
        place = one.source[0].rpartition("/")[0]
        return replace(one, source=(*one.source, f"{place}/held_out_loss"))

    for measure, figure in (("accuracy", accuracy_curves), ("loss", loss_curves)):
        source = tuple(f"utility/history/*/{split}_{measure}" for split in ("train", "test"))
        title = f"{measure.capitalize()} by epoch"
        found += _per_cell(results, f"{measure}-curves", title, reading, cells, figure, source)
    return [replace(chart, variants=tuple(map(held_out, chart.variants))) for chart in found]


def _classes(results: Results) -> list[Chart]:
    cells = [cell for cell in results.cells if cell.utility]
    names = results.dataset.classes
    recall = "Height is the share of the class's test images that are recognised; rare classes have long bars."
    if given_models(results):
        recall += f" Test images are those of {tested_on(results)}."
    matrix = (
        "Rows are true classes, columns what the model said; the stronger the colour, the larger the share of the row."
    )
    size = max(380, 120 + 40 * len(names))
    return [
        *_per_cell(
            results,
            "recall",
            "Recall of each class",
            recall,
            cells,
            lambda cell: class_recall(cell, names),
            ("utility/per_class",),
            size,
        ),
        *_per_cell(
            results,
            "confusion",
            "Confusion",
            matrix,
            cells,
            lambda cell: confusion_matrix(cell, names),
            ("utility/confusion",),
            size,
        ),
    ]


def _transition(results: Results) -> list[Chart]:
    found = {
        (cell.label_attack, cell.seed): (place, cell.corruption)
        for place, cell in enumerate(results.cells)
        if cell.corruption
    }
    if not found:
        return []
    names = results.dataset.classes
    variants = [
        Variant(
            f"{name} seed {seed}",
            f"{name}, seed {seed}",
            label_transition(done, names),
            (f"{FILE}/cells/{place}/corruption/matrix",),
        )
        for (name, seed), (place, done) in list(found.items())[:DETAILED]
    ]
    reading = "Percent of each true class's train labels that were given as each class; the diagonal was left alone."
    size = max(380, 120 + 40 * len(names))
    return [Chart("transition", "Realised noise matrix", reading, tuple(variants), "corruption", size)]


def _per_cell(
    results: Results,
    name: str,
    title: str,
    reading: str,
    cells: list[Cell],
    figure: Callable[[Cell], go.Figure],
    source: tuple[str, ...],
    height: int = 380,
) -> list[Chart]:
    """A chart of each of the first cells; `source` is where its numbers stand below the cell."""
    seeds = several_seeds(results)
    places = {cell.id: place for place, cell in enumerate(results.cells)}
    variants = tuple(
        Variant(
            cell.id,
            cell_name(cell, seeds),
            figure(cell),
            tuple(f"{FILE}/cells/{places[cell.id]}/{below}" for below in source),
        )
        for cell in cells[:DETAILED]
    )
    reading += cut(len(cells), DETAILED, "cells can be chosen")
    return [Chart(name, title, reading, variants, "cell", height)] if variants else []


def _per_model(
    results: Results,
    name: str,
    reading: str,
    figure: Callable[[Results, str], go.Figure],
    source: tuple[str, ...],
    series: int,
) -> list[Chart]:
    """A chart of each attacked model; `source` is where its numbers stand below a cell's privacy."""
    cells = _of_each_model(cell for cell in results.cells if cell.privacy)
    # Charts go through all cells once for each row, so they are given only those that some chart shows.
    drawn = {cell.id for group in cells.values() for cell in group[: forest.ROWS]}
    shown = results.model_copy(update={"cells": [cell for cell in results.cells if cell.id in drawn]})
    sources = tuple(f"{FILE}/cells/*/privacy/{below}" for below in source)
    found = []
    for place, model in enumerate(models(results)):
        rows = len(cells.get(model, []))
        if rows:
            size = forest.height(results, rows, series)
            note = cut(rows, forest.ROWS, "cells of a model are drawn; the tables have all")
            variants = (Variant("", "", figure(shown, model), sources),)
            found.append(Chart(f"{name}-{place}", model, reading + note, variants, height=size))
    return found


def _of_each_model(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.model, []).append(cell)
    return found


def cut(there: int, shown: int, what: str) -> str:
    """What a chart or table says where it can't show everything."""
    return f" The first {shown:,} of {there:,} {what}." if there > shown else ""
