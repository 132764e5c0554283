"""`fer-audit report FOLDER`: writes the page again from finished results, sums them up, or compares two runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_audit.errors import FerAuditError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="the folder of results.json, such as reports/grid"
    )
    parser.add_argument(
        "--format",
        choices=("html", "md"),
        default="html",
        help="html writes report.html (default); md prints a summary for a pull request",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("A", "B"),
        help="compare two finished runs instead: what changed in their provenance, cells and numbers",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page of --compare (default: B/compare.html)")


def execute(options: argparse.Namespace) -> int:
    """Writes a page and says where it is, or prints a summary."""
    _check(options)
    if options.compare:
        one, other = options.compare
        return _compare(one, other, options.out)
    if options.format == "md":
        return _summarise(options.folder)
    from fer_audit.report.finished_run import run_folder
    from fer_audit.report.page import render

    folder = run_folder(options.folder)
    print(f"report: {render(folder)}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raises FerAuditError where options don't go together."""
    if (options.folder is None) == (options.compare is None):
        given = "neither" if options.folder is None else "both"
        raise FerAuditError(
            f"expected either a folder, as in fer-audit report reports/grid, or --compare A B, received {given}"
        )
    if options.compare and options.format != "html":
        raise FerAuditError("--format md sums up one run, and --compare is of two; leave one of them out")
    if options.out and not options.compare:
        raise FerAuditError("--out is where --compare writes its page; expected --compare A B with it")
    if options.out and not options.out.absolute().parent.is_dir():
        raise FerAuditError(f"--out: the folder of {options.out} does not exist; make it first")
    if options.out and options.out.is_dir():
        raise FerAuditError(f"--out: expected a file such as compare.html, received the folder {options.out}")


def _summarise(folder: Path) -> int:
    from fer_audit.report.finished_run import read_finished
    from fer_audit.report.markdown import summary

    found = read_finished(folder)
    print(summary(found.results, found.record), end="")
    return 0


def _compare(one: Path, other: Path, out: Path | None) -> int:
    from rich.console import Console

    from fer_audit.cli.two_runs import show_two_runs
    from fer_audit.report.two_runs import two_runs
    from fer_audit.report.two_runs_page import write_two_runs

    runs = two_runs(one, other)
    page = out or runs.other.folder / "compare.html"
    write_two_runs(runs, page)
    show_two_runs(runs, Console(highlight=False))
    print(f"report: {page}")
    return 0
