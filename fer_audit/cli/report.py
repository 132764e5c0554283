"""`fer-audit report FOLDER`: writes the page again from finished results."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of results.json, such as reports/grid")


def execute(options: argparse.Namespace) -> int:
    """Renders the page and says where it is."""
    from fer_audit.report.page import render

    folder = options.folder.parent if options.folder.is_file() else options.folder
    print(f"report: {render(folder)}")
    return 0
