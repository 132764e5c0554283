"""Code from outside fer-audit, file by file."""

from __future__ import annotations

from fer_audit.report.payload import SHOWN
from fer_audit.report.table import Column, Entry, Table, words
from fer_audit.results import Provenance, SourceFile

_COLUMNS = (
    Column("File", "of a plug-in folder as the grid names it, or of an installed package", numeric=False),
    Column("Part of", "the plug-ins of the grid whose code it is part of", numeric=False),
    Column("SHA-256", numeric=False),
)


def outside_code_table(provenance: Provenance) -> Table:
    """Every file that the run imported from plug-in folders and packages; no rows where there was none."""
    rows = tuple((words(file.path), _part_of(file), words(file.sha256[:12])) for file in provenance.code)
    return Table("outside_code", "Code from outside fer-audit", _COLUMNS, rows, tools=len(rows) > SHOWN)


def _part_of(file: SourceFile) -> Entry:
    if not file.loaded:
        return words("not loaded")
    return words(", ".join(file.plugins) or "imported, not used")
