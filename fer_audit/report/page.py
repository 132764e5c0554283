"""The page: one HTML file that needs neither network nor images nor the machine that made the results."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jinja2
from markupsafe import Markup

from fer_audit.report import hygiene as checks
from fer_audit.report import numbers, tables
from fer_audit.report.adversarial import adversarial_table
from fer_audit.report.batch_invariance import batch_invariance_table
from fer_audit.report.charts.chart import Chart, Variant
from fer_audit.report.corrupted_rows import corrupted_rows_table
from fer_audit.report.corruptions import corruption_errors_table, corruptions_table
from fer_audit.report.cost import cost_table, layer_tables, speed_table
from fer_audit.report.explanations import explanations_table
from fer_audit.report.exposure import exposure_table
from fer_audit.report.findings import findings
from fer_audit.report.galleries import Kind, Shelf, galleries
from fer_audit.report.headline import headline
from fer_audit.report.label_errors import label_errors_table
from fer_audit.report.naming import answers_only, cell_name, several_seeds
from fer_audit.report.noise import noise_area_table, noise_table
from fer_audit.report.pictures import Picture, pictures
from fer_audit.report.sections import DETAILED, cut, sections
from fer_audit.report.slices import canaries_table, correction, sliced_cells, slices_table
from fer_audit.report.table import Table
from fer_audit.report.tidy import tidy_csv
from fer_audit.report.transferred import transferred_table
from fer_audit.results import Privacy, Results, RunRecord, read_results, read_run, write_text

_PACKAGE = "fer_audit.report"
_SCRIPTS = {
    "theme": "templates/theme.js",
    "bundle": "vendor/plotly-cartesian.min.js",
    "script": "templates/page.js",
}


def render(folder: Path) -> Path:
    """Writes `report.html` and `results.csv` beside the results in `folder`; returns the page's path."""
    results = read_results(folder / "results.json")
    record = folder / "run.json"
    run = read_run(record) if record.exists() else None
    page = folder / "report.html"
    write_text(folder / "results.csv", tidy_csv(results))
    write_text(page, page_html(results, run, pictures(results, folder), _shelves(results, folder)))
    return page


def page_html(results: Results, run: RunRecord | None, shown: list[Picture], shelves: dict[Kind, list[Shelf]]) -> str:
    """The page as text."""
    parts = sections(results)
    scripts = {name: resource(path) for name, path in _SCRIPTS.items()}
    return template("page.html.j2").render(
        results=results,
        run=run,
        data=results.dataset,
        origin=results.provenance,
        headline=headline(results),
        findings=findings(results),
        charts=parts,
        tables=_tables(results, run),
        layers=layer_tables(results),
        pictures=shown,
        galleries=shelves,
        cut_galleries={kind: _cut_galleries(results, kind, len(found)) for kind, found in shelves.items()},
        remarks=tables.corruption_remarks(results),
        undone=_undone(results),
        invalid=_invalid(results),
        people=checks.shared_subjects(results.dataset.hygiene),
        answers_only=answers_only(results),
        subjects_attacked=any(attack.unit == "subject" for found in _privacies(results) for attack in found.attacks),
        correction=correction(results),
        cut_slices=cut(sliced_cells(results), DETAILED, "cells are shown"),
        cut_files=cut(sum(found.records is not None for found in _privacies(results)), DETAILED, "files are linked"),
        confidence=numbers.confidence(results),
        payload=_embedded({chart.id: _drawing(chart) for chart in parts.charts()}),
        style=Markup(resource("templates/page.css")),  # noqa: S704
        **{name: Markup(text) for name, text in scripts.items()},  # noqa: S704
        policy=page_policy(list(scripts.values())),
    )


def _tables(results: Results, run: RunRecord | None) -> dict[str, Table]:
    made = (
        tables.cells_table(results, run),
        noise_table(results),
        noise_area_table(results),
        corrupted_rows_table(results),
        label_errors_table(results),
        corruptions_table(results),
        corruption_errors_table(results),
        adversarial_table(results),
        batch_invariance_table(results),
        explanations_table(results),
        tables.decisions_table(results),
        transferred_table(results),
        slices_table(results, DETAILED),
        canaries_table(results, DETAILED),
        exposure_table(results, DETAILED),
        tables.memorisation_table(results),
        cost_table(results),
        speed_table(results, run),
        tables.splits_table(results.dataset),
        checks.copies_table(results.dataset.hygiene),
        checks.blind_table(results.dataset.hygiene),
        tables.corruption_table(results),
    )
    return {table.id: table for table in made}


def _shelves(results: Results, folder: Path) -> dict[Kind, list[Shelf]]:
    kinds: tuple[Kind, ...] = get_args(Kind)
    return {kind: galleries(results, folder, kind) for kind in kinds}


def _cut_galleries(results: Results, kind: Kind, shown: int) -> str:
    return cut(sum(one.kind == kind for one in results.galleries), shown, "galleries are shown")


def _privacies(results: Results) -> list[Privacy]:
    return [cell.privacy for cell in results.cells if cell.privacy]


def _undone(results: Results) -> list[tuple[str, str, str]]:
    seeds = several_seeds(results)
    return [(cell_name(cell, seeds), cell.status, cell.error) for cell in results.cells if cell.status != "done"]


def _invalid(results: Results) -> list[str]:
    """Why some or all membership results can't be trusted."""
    return list(dict.fromkeys(found.invalid for found in _privacies(results) if found.invalid))


def _drawing(chart: Chart) -> dict[str, Any]:
    """What the script draws; a layout that all variants share is there once."""
    drawn = {variant.key: _plain_figure(variant) for variant in chart.variants}
    layouts = [figure.pop("layout") for figure in drawn.values()]
    shared = layouts[0]
    for figure, layout in zip(drawn.values(), layouts, strict=True):
        if layout != shared:
            figure["layout"] = layout
    return {"choice": chart.choice, "layout": shared, "variants": drawn}


def _plain_figure(variant: Variant) -> dict[str, Any]:
    """The figure without plotly's own theme, which the page replaces, and with six significant digits."""
    figure: dict[str, Any] = variant.figure.to_plotly_json()
    layout = {key: value for key, value in figure["layout"].items() if key != "template"}
    return {"data": _rounded(list(figure["data"])), "layout": _rounded(layout)}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _embedded(payload: dict[str, Any]) -> Markup:
    """JSON that can stand in a script element: no text in it can end the element or open a comment."""
    text = json.dumps(payload, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def page_policy(scripts: list[str]) -> str:
    """A content security policy that lets only these scripts run and nothing be loaded."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def resource(name: str) -> str:
    """The text of a file of this package."""
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def template(name: str) -> jinja2.Template:
    """The template of that name."""
    loader = jinja2.PackageLoader(_PACKAGE, "templates")
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(
        integer=numbers.integer, short=numbers.short, percent=numbers.percent, duration=numbers.duration
    )
    return made.get_template(name)
