"""`fer-audit report RUN`: writes the page again from finished results, sums them up, or compares two runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_audit.errors import FerAuditError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="RUN",
        help="the folder of results.json, such as reports/grid, or a bundle, whose page is written beside it",
    )
    parser.add_argument(
        "--format",
        choices=("html", "md"),
        default="html",
        help="html writes the page (default); md prints a summary for a pull request",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("A", "B"),
        help="compare two finished runs instead: what changed in their provenance, cells and numbers",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the page of --compare (default: B/compare.html, or B-compare.html beside a bundle), or of a bundle "
        "(default: RUN.html beside it)",
    )
    parser.add_argument("--bundle", type=Path, metavar="ZIP", help="also write results, page and digests into one file")


def execute(options: argparse.Namespace) -> int:
    """Writes a page and says where it is, or prints a summary."""
    _check(options)
    if options.compare:
        one, other = options.compare
        return _compare(one, other, options.out)
    if options.format == "md":
        return _summarise(options.folder)
    from fer_audit.report.bundle import is_bundle

    return _unpack(options) if is_bundle(options.folder) else _render(options)


def _check(options: argparse.Namespace) -> None:
    """Raises FerAuditError where options don't go together."""
    if (options.folder is None) == (options.compare is None):
        given = "neither" if options.folder is None else "both"
        raise FerAuditError(
            f"expected either a run, as in fer-audit report reports/grid, or --compare A B, received {given}"
        )
    if options.compare and options.format != "html":
        raise FerAuditError("--format md sums up one run, and --compare is of two; leave one of them out")
    if options.bundle and (options.compare or options.format != "html"):
        raise FerAuditError("--bundle holds the page of one run; leave it out with --compare and --format md")
    if options.out:
        _check_out(options)


def _check_out(options: argparse.Namespace) -> None:
    from fer_audit.report.bundle import is_bundle

    page = options.out
    if not options.compare and (options.format != "html" or not is_bundle(options.folder)):
        raise FerAuditError(
            "--out is where the page of --compare A B, or of a bundle, is written; expected one of these"
        )
    if not page.absolute().parent.is_dir():
        raise FerAuditError(f"--out: the folder of {page} does not exist; make it first")
    if page.is_dir():
        raise FerAuditError(f"--out: expected a file such as compare.html, received the folder {page}")
    if is_bundle(page):
        raise FerAuditError(f"--out: expected a file such as page.html, received {page}, which is a bundle")


def _render(options: argparse.Namespace) -> int:
    from fer_audit.report.bundle import write_bundle
    from fer_audit.report.finished_run import run_folder
    from fer_audit.report.page import render

    folder = run_folder(options.folder)
    page = render(folder)
    if options.bundle:
        write_bundle(folder, options.bundle)
        print(f"bundle: {options.bundle}")
    print(f"report: {page}")
    return 0


def _unpack(options: argparse.Namespace) -> int:
    """Renders the page of a bundle again, and says so where it is another one than the bundle holds."""
    from fer_audit.report.bundle import page_of_bundle

    if options.bundle:
        raise FerAuditError(f"--bundle: {options.folder} is a bundle already; expected the folder of a run with it")
    page = options.out or options.folder.with_suffix(".html")
    other = page_of_bundle(options.folder, page)
    if other:
        print(f"note: it is not the page in the bundle, {other}")
    print(f"report: {page}")
    return 0


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
    page = out or runs.other.beside("compare.html")
    write_two_runs(runs, page)
    show_two_runs(runs, Console(highlight=False))
    print(f"report: {page}")
    return 0
