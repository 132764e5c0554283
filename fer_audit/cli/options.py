"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The grid file."""
    parser.add_argument("grid", type=Path, metavar="GRID", help="the grid, such as experiments/grid.yaml")


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
