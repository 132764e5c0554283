"""How a reader makes a cell again."""

from __future__ import annotations

import shlex

from fer_audit.report.naming import answers_only
from fer_audit.results import Results, RunRecord

#: Stands for the id of a cell.
CELL = "{cell}"


def reproduction(results: Results, run: RunRecord | None) -> str:
    """The command that trains and attacks one cell alone, `CELL` in the place of its id; empty where there is none."""
    if answers_only(results):
        return ""
    grid = (run.grid_file if run else "") or f"{results.grid}.yaml"
    return f"fer-audit run {shlex.quote(grid)} --cell '{CELL}'"
