"""What a model learnt from, and how."""

from __future__ import annotations

from typing import Any

from fer_audit.export.card_text import NOT_MEASURED, bullets, described, section, table
from fer_audit.report.finding import counted, joined
from fer_audit.report.hygiene import shared_subjects
from fer_audit.report.markdown import escaped
from fer_audit.report.naming import defended, labels_name
from fer_audit.report.numbers import decimal, integer, percent, with_interval
from fer_audit.results import BlindCheck, Cell, CopyCount, DatasetSummary, Hygiene, Results, SplitSummary


def data_section(data: DatasetSummary) -> str:
    """Dataset, rows, classes, and what is wrong with them."""
    drawn = "It shows drawn faces of invented people." if data.drawn else "It shows photographs of people."
    splits = {"train": data.pool, "test": data.test, "population": data.population}
    return section(
        "Data",
        f"Dataset {escaped(described(data.plugin.name, data.plugin.params), 2000)}, at {data.image_size} pixels a "
        f"side. {drawn}",
        table(
            ["Split", "Images", "People", *map(escaped, data.classes)],
            [[name, *_split(one)] for name, one in splits.items() if one.rows],
        ),
        "The population is shown to no model in training." if data.population.rows else "",
        _hygiene(data.hygiene),
    )


def _split(one: SplitSummary) -> list[str]:
    people = "not known" if one.subjects is None else integer(one.subjects)
    return [integer(one.rows), people, *map(integer, one.per_class)]


def _hygiene(hygiene: Hygiene | None) -> str:
    if hygiene is None:
        return f"Copies and splits: {NOT_MEASURED}."
    return bullets(
        f"Exact copies: {_copies(hygiene.exact)}. Near and exact copies: {_copies(hygiene.near)}.",
        shared_subjects(hygiene),
        _blind(hygiene.blind),
        *(f"On reading: {escaped(remark)}" for remark in hygiene.remarks),
    )


def _copies(copies: CopyCount) -> str:
    across = [f"{integer(rows)} {escaped(what)}" for what, rows in copies.across.items() if rows]
    told = f"{counted(copies.groups, 'group')} of {counted(copies.rows, 'image')}"
    return f"{told}, {integer(copies.conflicting_groups)} with conflicting labels" + "".join(
        f", {one}" for one in across
    )


def _blind(checks: list[BlindCheck]) -> str:
    if not checks:
        return f"Whether splits can be told apart without any model: {NOT_MEASURED}."
    found = [
        f"{escaped(one.one)} and {escaped(one.other)} (AUC {with_interval(one.auc, decimal)})"
        for one in checks
        if one.found
    ]
    if not found:
        return "Splits can't be told apart by simple image statistics, without any model."
    return f"Simple image statistics tell apart {joined(found)}: attacks may find that instead of a leak."


def training_section(results: Results, cell: Cell) -> str:
    """Recipe, augmentations, labels and defence."""
    recipe = _flat(results.provenance.recipe)
    return section(
        "Training",
        "On the whole train split, to the last epoch; no epoch was chosen by the test split.",
        bullets(
            f"Model: {escaped(described(cell.model_plugin.name, cell.model_plugin.params))}",
            f"Recipe: {escaped(', '.join(f'{key} {value}' for key, value in recipe.items()))}" if recipe else "",
            f"Augmentation: {_augmentation(cell)}",
            f"Labels: {_labels(cell)}",
            f"Defence: {escaped(_defence(cell))}",
            f"Seed: {cell.seed}",
        ),
    )


def _flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Settings of the optimizer beside the others; those that are not set are left out."""
    flat: dict[str, Any] = {}
    for key, value in recipe.items():
        flat |= {f"optimizer {name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
    return {key.replace("_", " "): value for key, value in flat.items() if value is not None}


def _augmentation(cell: Cell) -> str:
    return escaped(", then ".join(described(one.name, one.params) for one in cell.augmentation_plugins)) or "none"


def _labels(cell: Cell) -> str:
    if cell.corruption is None:
        return escaped(labels_name(cell))
    rows = integer(cell.corruption.corrupted_rows)
    return f"corrupted on purpose, {escaped(cell.label_attack)}: {percent(cell.corruption.rate)} wrong, {rows} images"


def _defence(cell: Cell) -> str:
    if not defended(cell):
        return "none"
    return described(cell.defence_plugin.name, cell.defence_plugin.params) if cell.defence_plugin else cell.defence
