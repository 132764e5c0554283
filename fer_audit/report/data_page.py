"""The page of a dataset alone: counts, hygiene and contact sheets, without any model."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from fer_audit.report import hygiene as checks
from fer_audit.report.page import page_policy, resource, template
from fer_audit.report.pictures import Picture, picture_of
from fer_audit.report.pointers import Pointers
from fer_audit.report.tables import splits_table
from fer_audit.results import DataReport, read_data, write_text

_THEME = "templates/theme.js"


def render_data(folder: Path) -> Path:
    """Writes `data.html` beside `data.json` in `folder`; returns the page's path."""
    report = read_data(folder / "data.json")
    shown = report.dataset.drawn or report.include_images
    page = folder / "data.html"
    write_text(page, data_html(report, [picture_of(sheet, folder) for sheet in report.sheets] if shown else []))
    return page


def data_html(report: DataReport, shown: list[Picture]) -> str:
    """The page as text."""
    data, theme = report.dataset, resource(_THEME)
    made = (
        splits_table(data),
        checks.copies_table(data.hygiene),
        checks.blind_table(data.hygiene),
        checks.sizes_table(report.sizes),
        checks.attributes_table(report),
    )
    pointers = Pointers(report)
    return template("data.html.j2").render(
        report=report,
        place=lambda entry: pointers.all(entry.of),
        data=data,
        tables={table.id: table for table in made},
        pictures=shown,
        people=checks.shared_subjects(data.hygiene),
        style=Markup(resource("templates/page.css")),  # noqa: S704
        theme=Markup(theme),  # noqa: S704
        policy=page_policy([theme]),
    )
