"""`fer-audit prepare SRC OUT`: finds, aligns and crops the faces of a dataset."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.data.faces.prepare import Prepared
    from fer_audit.data.listing import Listing

_NAMED = 10  #: images without a face that the terminal shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `prepare`."""
    parser.add_argument(
        "source",
        metavar="SRC",
        help="a csv manifest, a folder of class folders, or a dataset such as 'rafdb(root=/data/RAF-DB)'",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write; its manifest.csv is a dataset")
    parser.add_argument(
        "--detector",
        choices=("retinaface", "mtcnn", "haar", "none"),
        default="mtcnn",
        help="what finds the faces; none only scales the images (default: mtcnn)",
    )
    parser.add_argument(
        "--on-missing",
        choices=("keep", "skip", "error"),
        default="keep",
        help="without a face: keep the whole image, skip it, or stop after all is tried (default: keep)",
    )
    parser.add_argument("--size", type=int, default=112, metavar="PX", help="of the output (default: 112)")
    parser.add_argument(
        "--margin", type=float, default=0.25, metavar="SHARE", help="room around the face (default: 0.25)"
    )
    parser.add_argument(
        "--choose",
        choices=("largest", "nearest-centre"),
        default="largest",
        help="which of several faces (default: largest; the nearer to the centre of equals)",
    )
    parser.add_argument("--no-align", action="store_true", help="cut out the box, without turning by the eyes")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--overwrite", action="store_true", help="start anew where OUT was prepared otherwise")


def execute(options: argparse.Namespace) -> int:
    """Prepares what is not prepared yet, and says how many faces were found."""
    from rich.console import Console
    from rich.progress import Progress

    from fer_audit.data.faces.prepare import Prepared, Settings, prepare

    console = Console()
    if not 16 <= options.size <= 1024:
        raise DataError(f"--size must be 16 to 1024 pixels, received {options.size}")
    if not 0 <= options.margin <= 2:
        raise DataError(f"--margin must be a share of 0 to 2, received {options.margin}")
    workers = options.workers if options.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise DataError(f"--workers must be at least 1, received {workers}")
    listing = _listing(options.source)
    settings = Settings(
        detector=options.detector,
        size=options.size,
        margin=options.margin,
        align=not options.no_align,
        choose=options.choose,
    )
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("finding faces", total=len(listing))
        steps = prepare(
            listing, options.out, settings, options.on_missing, workers=workers, overwrite=options.overwrite
        )
        for step in steps:
            if isinstance(step, Prepared):
                outcome = step
            else:
                bars.advance(bar)
    _show(outcome, options, console)
    return 0


def _listing(source: str) -> Listing:
    from fer_audit.cli.references import parse_reference
    from fer_audit.data.listed import ListedDataset
    from fer_audit.grid import PluginRef
    from fer_audit.registry import Registry

    path = Path(source)
    if path.is_dir():
        ref = PluginRef(name="folders", params={"root": source})
    elif path.suffix.lower() == ".csv":
        ref = PluginRef(name="manifest", params={"path": source})
    elif "/" in source.partition("(")[0]:
        raise DataError(f"no folder and no csv at {source!r}: expected class folders, a manifest, or name(root=...)")
    else:
        ref = parse_reference(source, "SRC")
    dataset = Registry.load().create("dataset", ref.name, ref.params)
    if not isinstance(dataset, ListedDataset):
        raise DataError(f"dataset {ref.name!r} is drawn and has no files to prepare: expected images on disk")
    return dataset.listing(Path())


def _show(outcome: Prepared, options: argparse.Namespace, console: Console) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    new = outcome.total - outcome.done_before
    say(f"{outcome.total} images: {new} done now, {outcome.done_before} before")
    if options.detector != "none":
        found = sum(outcome.found.values())
        say(f"faces found by {options.detector}: {found} of {outcome.total} ({found / outcome.total:.1%})")
        for name, count in outcome.counts.items():
            say(f"  {name}: {outcome.found.get(name, 0)} of {count}")
    if outcome.missing:
        done = "kept whole, marked face=missing" if options.on_missing == "keep" else "left out of the manifest"
        say(f"{len(outcome.missing)} without a face, {done}; all are listed in {outcome.folder / 'missing.txt'}")
        for name in outcome.missing[:_NAMED]:
            say(f"  {name}")
    say(f"dataset: {outcome.folder / 'manifest.csv'}")
