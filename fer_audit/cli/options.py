"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from fer_audit.errors import FerAuditError
from fer_audit.store_address import store_address


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The grid file."""
    parser.add_argument("grid", type=Path, metavar="GRID", help="the grid, such as experiments/grid.yaml")


#: Folders of plug-ins that are read where they are there and no other is named.
_PLUGIN_FOLDERS = (Path("experiments/plugins"), Path("plugins"))


def add_plugins(parser: argparse.ArgumentParser) -> None:
    """Folders of plug-ins, for commands that read no grid."""
    parser.add_argument(
        "--plugins",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder of plug-ins (repeatable; default: experiments/plugins and plugins, where they are there)",
    )


def plugin_folders(options: argparse.Namespace) -> list[Path]:
    """The folders that were named, or the usual ones that are there."""
    if options.plugins is not None:
        return list(options.plugins)
    return [folder for folder in _PLUGIN_FOLDERS if folder.is_dir()]


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
    """Where trainings are kept; `open_at` opens it."""
    parser.add_argument(
        "--store",
        type=_store,
        default=os.environ.get("FER_AUDIT_STORE", ".fer-audit"),
        metavar="DIR",
        help="where finished trainings are kept, a folder or an fsspec address such as s3://bucket/folder (default: "
        "$FER_AUDIT_STORE or .fer-audit)",
    )


def _store(text: str) -> Path | str:
    """A folder or an address; raises FerAuditError for what would be neither, or gone with this process."""
    if not text.strip():
        raise FerAuditError("--store is empty; expected a folder, or an address such as s3://bucket/folder")
    scheme, separator, rest = text.partition("://")
    if separator and scheme != "file" and not rest.strip("/"):
        raise FerAuditError(f"--store {text} names no place; expected an address such as {scheme}://bucket/folder")
    if scheme == "memory" and separator:
        raise FerAuditError(f"--store {text} would be gone with this process; expected a folder, or an address")
    return store_address(text)


def check_watched(store: Path | str) -> None:
    """Raises FerAuditError where the store can't be watched: what others finish shows in a folder alone."""
    if isinstance(store, str):
        raise FerAuditError(
            f"a run is watched by the folder of its store, and {store} is none; leave --watch out, or name a folder "
            f"with --store"
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
