"""How a reader makes a cell again."""

from __future__ import annotations

import shlex

from fer_audit.report.naming import answers_only, given_models
from fer_audit.results import Results, RunRecord

#: Stands for the id of a cell.
CELL = "{cell}"


def repetition(results: Results, run: RunRecord | None) -> str:
    """The command that audits the same models again; empty where models were trained, or no grid is known."""
    if not given_models(results) or run is None or not run.grid_file:
        return ""
    return f"fer-audit run {shlex.quote(run.grid_file)}"


def reproduction(results: Results, run: RunRecord | None) -> str:
    """The command that trains and attacks one cell alone, `CELL` in the place of its id; empty where there is none."""
    if answers_only(results) or given_models(results):  # an audit has no cell alone
        return ""
    grid = (run.grid_file if run else "") or f"{results.grid}.yaml"
    return f"fer-audit run {shlex.quote(grid)} --cell '{CELL}'"
