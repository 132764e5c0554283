"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The grid file."""
    parser.add_argument("grid", type=Path, metavar="GRID", help="the grid, such as experiments/grid.yaml")


def add_cells(parser: argparse.ArgumentParser, extra: str = "") -> None:
    """Which cells of the grid; `extra` says what else follows from choosing some."""
    parser.add_argument(
        "--cell",
        action="append",
        default=[],
        dest="cells",
        metavar="PATTERN",
        help=(
            "only the cells with this id, or whose id matches this pattern, such as 'ghostface/*/none/seed0'; may be "
            f"given several times{extra}"
        ),
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Where trainings are kept."""
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(os.environ.get("FER_AUDIT_STORE", ".fer-audit")),
        metavar="DIR",
        help="where finished trainings are kept (default: $FER_AUDIT_STORE or .fer-audit)",
    )


def add_reports(parser: argparse.ArgumentParser, name: str = "<name of the grid>") -> None:
    """Where reports are written."""
    parser.add_argument(
        "--reports",
        type=Path,
        default=Path("reports"),
        metavar="DIR",
        help=f"reports go to DIR/{name} (default: reports)",
    )


def report_folder(reports: Path, grid: str, cells: Sequence[str]) -> Path:
    """Where the report on a grid goes; that on a few chosen `cells` never takes the place of the one on all."""
    return reports / (f"{grid}-cells" if cells else grid)
