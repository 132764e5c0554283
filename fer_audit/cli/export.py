"""`fer-audit export RUN --cell ID --format ...`: writes a model in formats of others, and checks what it wrote."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.options import add_plugins, add_store, plugin_folders
from fer_audit.errors import FerAuditError, did_you_mean

if TYPE_CHECKING:
    from fer_audit.export.chosen import ChosenModel
    from fer_audit.export.formats import Format
    from fer_audit.store import Store

#: Exit code where a file of floats answers otherwise than the network.
_DISAGREES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run, such as reports/grid")
    parser.add_argument(
        "--cell",
        metavar="ID",
        help="the cell whose model is exported, by its id or a pattern that one cell has (default: the only cell)",
    )
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        dest="formats",
        metavar="FORMAT",
        help="saved-model, tflite, tflite-int8 or onnx; repeatable, or several with commas between them",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where files go (default: export/<cell> in the folder of the run)"
    )
    parser.add_argument(
        "--rows", type=int, metavar="N", help="compare on N test images, drawn by chance (default: all of them)"
    )
    add_store(parser)
    add_plugins(parser)


def execute(options: argparse.Namespace) -> int:
    """Writes and checks the files; 3 where a file of floats disagrees with the network."""
    from rich.console import Console

    from fer_audit.cli.export_tables import show_export
    from fer_audit.remote_store import open_at

    formats = _formats(options.formats)
    if options.rows is not None and options.rows < 1:
        raise FerAuditError(f"--rows must be at least 1, received {options.rows}")
    console, store = Console(highlight=False), open_at(options.store)
    with console.status("starting TensorFlow") as status:
        chosen, device = _chosen(options, store)
        out = options.out or _default_folder(chosen)
        from fer_audit.export.written import export_model

        record = export_model(chosen, store, formats, out, rows=options.rows, device=device, on_step=status.update)
    written = [one for one in record.exported if one.format in formats]
    show_export(record, written, out, console)
    return _DISAGREES if any(not one.agrees and not one.quantised for one in written) else 0


def _chosen(options: argparse.Namespace, store: Store) -> tuple[ChosenModel, str]:
    """The model, and what it runs on."""
    from fer_audit.export.chosen import chosen_model, exportable
    from fer_audit.report.finished_run import read_finished
    from fer_audit.training.one_thread import start_on_one_thread

    exportable(read_finished(options.run), options.cell)  # a mistyped id is told before TensorFlow starts
    device = start_on_one_thread()
    return chosen_model(options.run, options.cell, store, plugin_folders(options)), device


def _default_folder(chosen: ChosenModel) -> Path:
    """In the folder of the run, or beside its bundle; an id becomes the name of one folder."""
    name = re.sub(r"[^\w.()=,+-]+", "_", chosen.cell.id).lstrip(".")
    folder = chosen.folder
    return (folder / "export" if folder.is_dir() else folder.with_name(f"{folder.stem}-export")) / name


def _formats(given: Sequence[str]) -> list[Format]:
    """The formats that were asked for, each once; raises FerAuditError."""
    from fer_audit.export.formats import FORMATS

    named = list(dict.fromkeys(name.strip() for item in given for name in item.split(",") if name.strip()))
    if not named:
        raise FerAuditError(f"--format: no format named; expected one or more of {', '.join(FORMATS)}")
    for name in named:
        if name not in FORMATS:
            raise FerAuditError(f"--format: unknown format {name!r}: {did_you_mean(name, FORMATS)}")
    return [one for one in FORMATS if one in named]
