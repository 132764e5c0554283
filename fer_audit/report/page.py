"""The page: one HTML file that needs neither network nor images nor the machine that made the results."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from typing import Any, get_args

import jinja2
from markupsafe import Markup, escape
from pydantic import BaseModel

from fer_audit import timespan
from fer_audit.report import hygiene as checks
from fer_audit.report import numbers, tables
from fer_audit.report.adversarial import adversarial_table
from fer_audit.report.audited import refuted
from fer_audit.report.audited_models import (
    audited_models_table,
    calibration_words,
    declared_wrong,
    references_trained,
)
from fer_audit.report.batch_invariance import batch_invariance_table
from fer_audit.report.checkpoint_rows import checkpoints_table
from fer_audit.report.condensed import Condensed, condensed
from fer_audit.report.corrupted_rows import corrupted_rows_table
from fer_audit.report.corruptions import corruption_errors_table, corruptions_table
from fer_audit.report.cost import cost_table, layer_tables, speed_table
from fer_audit.report.differences import differences
from fer_audit.report.explanations import explanations_table
from fer_audit.report.exposed import exposed_table
from fer_audit.report.exposure import exposure_table
from fer_audit.report.finding import Finding
from fer_audit.report.findings import findings
from fer_audit.report.galleries import Kind, Shelf, galleries
from fer_audit.report.gates import Verdict, gates_table, judge, verdict
from fer_audit.report.groups_table import groups_table
from fer_audit.report.guarantees import guarantees_table
from fer_audit.report.headline import Tile, headline
from fer_audit.report.label_errors import label_errors_table
from fer_audit.report.left_out import left_out_table
from fer_audit.report.live import Live
from fer_audit.report.matched import matched_table, unmatched
from fer_audit.report.naming import (
    answers_only,
    cell_name,
    given_models,
    several_seeds,
    tested_on,
    threshold_setters,
    with_defences,
)
from fer_audit.report.noise import noise_area_table, noise_table
from fer_audit.report.outside_code import outside_code_table
from fer_audit.report.payload import SHOWN, packed, payload
from fer_audit.report.pictures import Picture, pictures
from fer_audit.report.pointers import Pointers
from fer_audit.report.promises import promises_table
from fer_audit.report.reproduction import repetition, reproduction
from fer_audit.report.sections import DETAILED, cut, sections
from fer_audit.report.slices import canaries_table, correction, sliced_cells, slices_table
from fer_audit.report.table import Table, reachable
from fer_audit.report.tidy import write_tidy_csv
from fer_audit.report.transferred import transferred_table
from fer_audit.results import Cell, Privacy, Results, RunRecord, read_results, read_run, uncollected, write_text

_PACKAGE = "fer_audit.report"
_SCRIPTS = {
    "theme": "templates/theme.js",
    "bundle": "vendor/plotly-cartesian.min.js",
    **{name: f"templates/{name}.js" for name in ("start", "charts", "tables", "cells", "differences", "page")},
}

_NOT_YET = Verdict("Not judged yet", "The run goes on; what is said below is of the cells that are done.", "open")

#: Findings on the first screen; the others are a click away.
FIRST_FINDINGS = 5


def render(folder: Path, live: Live | None = None, results: Results | None = None) -> Path:
    """Writes `report.html` and `results.csv` beside the results in `folder`; returns the page's path.

    A `live` page says how far the run is, and reloads itself. Who has the results in memory gives them, since reading
    those of a very large grid takes as long as all else.
    """
    with uncollected():
        return _rendered(folder, live, results or read_results(folder / "results.json"))


def _rendered(folder: Path, live: Live | None, results: Results) -> Path:
    record = folder / "run.json"
    run = read_run(record) if record.exists() else None
    page = folder / "report.html"
    write_tidy_csv(results, folder / "results.csv")
    shelves = _shelves(results, folder)
    write_text(page, page_html(results, run, pictures(results, folder), shelves, folder=folder, live=live))
    return page


def page_html(
    results: Results,
    run: RunRecord | None,
    pictures_shown: list[Picture],
    shelves: dict[Kind, list[Shelf]],
    *,
    folder: Path,
    live: Live | None = None,
) -> str:
    """The page as text, to be put into `folder`."""
    judged, told, tiles = judge(results, run, results.gates), _told(results, live), headline(results)
    few = condensed(results, judged)
    shown = few.shown if few else results
    parts = few.sections() if few else sections(results)
    waiting = _waits(results, live)
    gates = gates_table([] if waiting else judged)
    made = _tables(results, shown, run, folder)
    if few:
        made |= {"groups": groups_table(results, few.grouping), "cells": few.explained(made["cells"])}
    pointers = Pointers(results, run, _wanted(few, told, tiles, [gates, *made.values()]) if few else None)
    compared = differences(shown, pointers, len(results.cells))
    charts = [*(few.charts if few else ()), *parts.charts()]
    packing = payload(shown, run, made.values(), charts, compared, pointers)
    packing |= {"unshown": len(results.cells) - len(shown.cells)} if few else {}
    undone, alone = _undone(results, live), unmatched(results)
    return template("page.html.j2").render(
        results=results,
        run=run,
        live=live,
        data=results.dataset,
        origin=results.provenance,
        place=lambda entry: getattr(entry, "where", "") or pointers.all(entry.of),
        places=lambda finding: ", ".join(filter(None, map(pointers.of, finding.of))),
        verdict=_NOT_YET if waiting else verdict(judged, results),
        gates=gates,
        headline=tiles,
        findings=told[:FIRST_FINDINGS],
        more_findings=told[FIRST_FINDINGS:],
        condensed=few,
        charts=parts,
        tables=made,
        layers=layer_tables(shown),
        pictures=pictures_shown,
        galleries=shelves,
        cut_galleries={kind: _cut_galleries(results, kind, len(found)) for kind, found in shelves.items()},
        remarks=tables.corruption_remarks(shown),
        unmatched=alone[:DETAILED],
        with_defences=with_defences(results),
        undone=_named(results, undone[:DETAILED]),
        undone_count=len(undone),
        reached={cell.id for cell in shown.cells},
        fallbacks=list(islice(_fallbacks(shown), DETAILED)),
        invalid=_invalid(results),
        people=checks.shared_subjects(results.dataset.hygiene),
        answers_only=answers_only(results),
        **_as_given(results, shown, run),
        compared=compared is not None,
        reproduction=reproduction(results, run),
        subjects_attacked=any(attack.unit == "subject" for found in _privacies(results) for attack in found.attacks),
        correction=correction(shown),
        **_cut_short(shown, len(alone), len(undone)),
        confidence=numbers.confidence(results),
        payload=Markup(packed(packing)),  # noqa: S704
        **_dress(),
    )


def _dress() -> dict[str, Any]:
    """Style and scripts, which are ours, and the policy that lets no others run."""
    scripts = {name: resource(path) for name, path in _SCRIPTS.items()}
    return {
        "style": Markup(resource("templates/page.css")),  # noqa: S704
        "scripts": {name: Markup(text) for name, text in scripts.items()},  # noqa: S704
        "policy": page_policy(list(scripts.values())),
    }


def _cut_short(shown: Results, alone: int, undone: int) -> dict[str, str]:
    """Of each list that shows a part of what there is, a sentence that says so."""
    privacies = list(_privacies(shown))
    return {
        "cut_unmatched": cut(alone, DETAILED, "such cells are listed"),
        "cut_undone": cut(undone, DETAILED, "are shown"),
        "cut_slices": cut(sliced_cells(shown), DETAILED, "cells are shown"),
        "cut_files": cut(sum(found.records is not None for found in privacies), DETAILED, "files are linked"),
        "cut_exposed": cut(sum(bool(found.exposed) for found in privacies), DETAILED, "cells are shown"),
    }


def _wanted(
    few: Condensed, told: Iterable[Finding], tiles: Iterable[Tile], made: Iterable[Table]
) -> Iterator[BaseModel]:
    """The records of which a condensed page says where they stand."""
    entries = (entry for table in made for row in table.rows for entry in row)
    origins = chain((one.of for one in told), (tile.of for tile in tiles), (entry.of for entry in entries))
    yield from few.records()
    yield from (record for of in origins for record, _ in of)


def _as_given(results: Results, shown: Results, run: RunRecord | None) -> dict[str, object]:
    """What the page says otherwise where models were audited as they were given."""
    given = given_models(results)
    return {
        "given_models": given,
        "setters": threshold_setters(results),
        "calibrated": calibration_words(results),
        "warned": declared_wrong(shown),
        "tested": tested_on(results),
        "with_recipe": references_trained(results) or not given,
        "repetition": repetition(results, run),
    }


def _tables(everything: Results, results: Results, run: RunRecord | None, folder: Path) -> dict[str, Table]:
    """All tables of single cells; `results` are those with the cells that are shown."""
    only = None if results is everything else {cell.id for cell in results.cells}
    made = (
        tables.cells_table(results, run),
        left_out_table(results),
        matched_table(everything, only),
        guarantees_table(results),
        reachable(promises_table(results), folder),
        noise_table(results),
        noise_area_table(results),
        corrupted_rows_table(results),
        reachable(label_errors_table(results), folder),
        corruptions_table(results),
        corruption_errors_table(results),
        adversarial_table(results),
        batch_invariance_table(results),
        explanations_table(results),
        tables.decisions_table(results),
        transferred_table(results),
        slices_table(results, DETAILED),
        canaries_table(results, DETAILED),
        exposed_table(results, DETAILED),
        reachable(exposure_table(results, DETAILED), folder),
        tables.memorisation_table(results),
        audited_models_table(results),
        checkpoints_table(results),
        cost_table(results),
        speed_table(results, run),
        tables.splits_table(results.dataset),
        checks.copies_table(results.dataset.hygiene),
        checks.blind_table(results.dataset.hygiene),
        tables.corruption_table(results),
        outside_code_table(results.provenance),
    )
    return {table.id: table for table in made}


def _shelves(results: Results, folder: Path) -> dict[Kind, list[Shelf]]:
    kinds: tuple[Kind, ...] = get_args(Kind)
    return {kind: galleries(results, folder, kind) for kind in kinds}


def _cut_galleries(results: Results, kind: Kind, shown: int) -> str:
    return cut(sum(one.kind == kind for one in results.galleries), shown, "galleries are shown")


def _privacies(results: Results) -> list[Privacy]:
    return [cell.privacy for cell in results.cells if cell.privacy]


def _told(results: Results, live: Live | None) -> list[Finding]:
    """The findings; while a run lasts, those of the cells that it has come to."""
    if live is None:
        return findings(results)
    reached = [cell for cell in results.cells if cell.status != "missing"]
    return findings(results.model_copy(update={"cells": reached})) if reached else []


def _waits(results: Results, live: Live | None) -> bool:
    """Whether it is too early to judge: the run goes on, and nothing is refuted yet."""
    return live is not None and not refuted(results) and any(cell.status == "missing" for cell in results.cells)


def _undone(results: Results, live: Live | None) -> list[Cell]:
    """Cells that failed, and after them those that are missing, unless the run goes on."""
    told = ("failed", "missing") if live is None else ("failed",)
    return [cell for status in told for cell in results.cells if cell.status == status]


def _named(results: Results, cells: Sequence[Cell]) -> list[tuple[str, Cell]]:
    seeds = several_seeds(results)
    return [(cell_name(cell, seeds), cell) for cell in cells]


def _fallbacks(results: Results) -> Iterator[tuple[str, str, str]]:
    """Cell, attack, and what the attack did where it could not do what it should."""
    return (
        (cell.id, attack.attack.name, note)
        for cell in results.cells
        if cell.privacy
        for attack in cell.privacy.attacks
        for note in attack.notes
    )


def _invalid(results: Results) -> list[str]:
    """Why some or all membership results can't be trusted."""
    return list(dict.fromkeys(found.invalid for found in _privacies(results) if found.invalid))


def page_policy(scripts: list[str]) -> str:
    """A content security policy that lets only these scripts run and nothing be loaded."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _typed(text: str) -> Markup:
    """Text as HTML, what stands in backticks being what one types."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


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
        integer=numbers.integer,
        short=numbers.short,
        percent=numbers.percent,
        duration=numbers.duration,
        roughly=timespan.duration,
        typed=_typed,
    )
    made.globals.update(rows_shown=SHOWN, place=lambda entry: "")
    return made.get_template(name)
