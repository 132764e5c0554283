"""`fer-audit data GRID|DATASET`: looks at a dataset before anything is trained on it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fer_audit.cli.opened_store import opened_store
from fer_audit.cli.options import add_plugins, add_reports, add_store, plugin_folders
from fer_audit.cli.references import parse_reference
from fer_audit.errors import GridError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fer_audit.data.dataset import Dataset
    from fer_audit.grid import PluginRef
    from fer_audit.results import BlindCheck, DataReport

_DEFAULT_SIZE = 48
_MODELS = 6  #: whose membership halves are checked where no grid says how many there are


@dataclass(frozen=True)
class _Subject:
    """What is looked at, and how a grid would use it."""

    name: str
    dataset: PluginRef
    base: Path
    plugins: list[Path]
    size: int
    models: int
    seeds: tuple[int, ...]
    include_images: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `data`."""
    parser.add_argument(
        "subject",
        metavar="GRID|DATASET",
        help="a grid, or a dataset such as synthface or 'rafdb(root=/data/RAF-DB)'",
    )
    parser.add_argument(
        "--size", type=int, metavar="PX", help=f"of the images (default: the grid's, or {_DEFAULT_SIZE})"
    )
    parser.add_argument("--images", action="store_true", help="put photographs of people into the page")
    add_plugins(parser)
    add_store(parser)
    add_reports(parser, "<name>")


def execute(options: argparse.Namespace) -> int:
    """Prints counts and hygiene, and writes the page."""
    from rich.console import Console

    from fer_audit.data.cached import load_through
    from fer_audit.data.hygiene import check_hygiene
    from fer_audit.data.splits import membership_matrix
    from fer_audit.registry import Registry
    from fer_audit.report.data_page import render_data
    from fer_audit.results import DataReport, write_data
    from fer_audit.runner.dataset import attribute_counts, image_sizes, summarised, write_class_sheets

    console = Console()
    subject = _subject(options)
    registry = Registry.load(subject.plugins)
    dataset = cast("Dataset", registry.create("dataset", subject.dataset.name, subject.dataset.params))
    with opened_store(options, console) as store:
        _, data = load_through(store, dataset, subject.size, subject.base)
        pool = data.pool
        halves = {
            seed: membership_matrix(subject.models, pool.labels, pool.units, seed)
            for seed in subject.seeds
            if subject.models
        }
        hygiene = check_hygiene(data, halves)
        folder = options.reports / subject.name
        folder.mkdir(parents=True, exist_ok=True)
        shown = data.drawn or subject.include_images
        report = DataReport(
            name=subject.name,
            include_images=subject.include_images,
            dataset=summarised(dataset, data, subject.size, hygiene),
            sizes=image_sizes(data),
            attributes=attribute_counts(data),
            sheets=write_class_sheets(data, folder) if shown else [],
        )
    write_data(report, folder / "data.json")
    page = render_data(folder)
    _show(report, console)
    if not shown:
        _say(console, "photographs of people are left out of the page; --images puts them in")
    _say(console, f"page: {page}")
    return 0


def _subject(options: argparse.Namespace) -> _Subject:
    from fer_audit.grid import read_grid

    if options.size is not None and not 16 <= options.size <= 512:
        raise GridError(f"--size must be 16 to 512 pixels, received {options.size}")
    path = Path(options.subject)
    if path.suffix.lower() in (".yaml", ".yml"):
        file = read_grid(path)
        grid = file.grid
        return _Subject(
            name=grid.name,
            dataset=grid.dataset,
            base=file.base,
            plugins=[*file.plugin_folders, *plugin_folders(options)],
            size=options.size or grid.training.image_size,
            models=grid.privacy.references if grid.attacks.membership else 0,
            seeds=grid.seeds,
            include_images=grid.include_images or options.images,
        )
    ref = parse_reference(options.subject, "DATASET")
    size = options.size or _DEFAULT_SIZE
    return _Subject(ref.name, ref, Path(), plugin_folders(options), size, _MODELS, (0,), options.images)


def _show(report: DataReport, console: Console) -> None:
    data = report.dataset
    console.print(_counts(report))
    for size in report.sizes:
        (a, b), (c, d), (e, f) = size.smallest, size.median, size.largest
        line = f"{size.split} files: {a}x{b} to {e}x{f} px, median {c}x{d}, {size.grey:.0%} grey"
        _say(console, line)
    for line, good in hygiene_lines(report):
        _say(console, line, None if good else "red")
    if data.hygiene is not None:
        for remark in data.hygiene.remarks:
            _say(console, remark)


def _counts(report: DataReport) -> Table:
    from rich.table import Table

    data = report.dataset
    splits = (("train", data.pool), ("test", data.test), ("population", data.population))
    table = Table(box=None, header_style="bold")
    table.add_column("")
    for name, _ in splits:
        table.add_column(name, justify="right")
    for code, name in enumerate(data.classes):
        table.add_row(name, *(str(split.per_class[code]) for _, split in splits))
    table.add_row("images", *(str(split.rows) for _, split in splits), style="bold")
    table.add_row("people", *("-" if split.subjects is None else str(split.subjects) for _, split in splits))
    return table


def hygiene_lines(report: DataReport) -> Iterator[tuple[str, bool]]:
    """Each hygiene check in one line, and whether nothing is wrong."""
    hygiene = report.dataset.hygiene
    if hygiene is None:
        return
    for kind, found in (("exact", hygiene.exact), ("exact and near", hygiene.near)):
        across = "; ".join(f"{count} {what}" for what, count in found.across.items()) or "none across splits"
        yield (
            f"{kind} copies: {found.rows} images in {found.groups} groups, {found.conflicting_groups} of them with "
            f"conflicting labels; {across}",
            not (found.across or found.conflicting_groups),
        )
    for pair, people in hygiene.shared_subjects.items():
        yield f"people in both {pair}: {people}", not people
    for check in hygiene.blind:
        yield _blind_line(check), not check.found


def _blind_line(check: BlindCheck) -> str:
    if check.auc.value is None:
        return f"blind baseline, {check.one} against {check.other}: {check.auc.note}"
    verdict = f"they differ, in {check.telling} above all" if check.found else "not told apart"
    return (
        f"blind baseline, {check.one} against {check.other}: AUC {check.auc.value:.3f} "
        f"[{check.auc.low:.3f}, {check.auc.high:.3f}], {verdict}"
    )


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
