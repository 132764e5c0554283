"""`fer-audit audit`: audits a model that was trained elsewhere, or its answers alone, and writes the report."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.attack import parse_attacks
from fer_audit.cli.attack_table import say, show_attacks
from fer_audit.cli.audit_grid import audit_grid, audit_name, grid_of, with_attacks
from fer_audit.cli.opened_store import opened_store
from fer_audit.cli.options import add_plugins, add_reports, add_store
from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.grid import GridFile
    from fer_audit.results import AttackResult, Cell, Results
    from fer_audit.runner.model_audit.run import Prepared
    from fer_audit.store import Store

_GRID = "audit.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `audit`."""
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help=".keras, .h5, a SavedModel folder, .onnx, .tflite, weights.npz of a training, or file.py:function; "
        "repeatable; left out, the lists below are files of answers (.npz, .parquet, .csv), see the README",
    )
    lists = parser.add_argument_group("rows", "a csv with image,label[,subject,...], or a folder with one a class")
    lists.add_argument("--members", type=Path, required=True, metavar="A", help="images that it was trained on")
    lists.add_argument("--nonmembers", type=Path, required=True, metavar="B", help="images that it was not trained on")
    lists.add_argument(
        "--population",
        type=Path,
        metavar="C",
        help="more such images, which are not scored (default: a third of B, whole people)",
    )
    lists.add_argument("--test", type=Path, metavar="T", help="images to measure accuracy on (default: the rest of B)")
    _add_preprocessing(parser)
    _add_attacks(parser)
    parser.add_argument("--name", metavar="NAME", help="of the report (default: that of the model)")
    parser.add_argument("--include-images", action="store_true", help="show images of real people in the report")
    parser.add_argument("--bundle", type=Path, metavar="ZIP", help="also write results, page and digests into one file")
    add_plugins(parser)
    add_store(parser)
    add_reports(parser, "NAME")


def _add_preprocessing(parser: argparse.ArgumentParser) -> None:
    # So that `--scaling -1..1` is a value, as `--scaling -1` would be, and no option.
    parser._negative_number_matcher = re.compile(r"^-\d")
    group = parser.add_argument_group("how the model wants its images")
    group.add_argument("--size", type=int, metavar="PX", help="pixels a side (default: what the file says)")
    group.add_argument("--colour", choices=("rgb", "bgr", "grey"), help="order of the channels (default: rgb)")
    group.add_argument(
        "--scaling",
        metavar="HOW",
        help="0..255, 0..1, -1..1, imagenet, or 'mean=.5,.5,.5 std=.5,.5,.5' of 0..1 (default: 0..255)",
    )
    group.add_argument("--layout", choices=("channels-last", "channels-first"), help="(default: what the file says)")
    group.add_argument("--outputs", choices=("logits", "probabilities"), help="what it answers (default: as it looks)")
    group.add_argument(
        "--classes", metavar="LIST", help="what its outputs stand for, in order (default: the classes of the rows)"
    )
    group.add_argument("--trust", action="store_true", help="let the file run code of its own, such as Lambda layers")


def _add_attacks(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is done")
    group.add_argument(
        "--attacks", metavar="LIST", help="such as loss-threshold,attack-p (default: all that can be run)"
    )
    group.add_argument(
        "--references", type=Path, metavar="DIR", help="a folder of models like it, with references.csv, see the README"
    )
    group.add_argument("--recipe", type=Path, metavar="GRID", help="train references as this grid trains its one model")
    group.add_argument("--workers", type=int, metavar="N", help="processes that train references (default: one a core)")
    group.add_argument(
        "--queries",
        metavar="LIST",
        help="what is asked of each image (default: identity,flip)",
    )
    group.add_argument(
        "--measures",
        metavar="LIST",
        help="batch-invariance (default), corruptions, adversarial, explanations",
    )
    group.add_argument(
        "--epochs", metavar="5,10,...", help="what each --model is trained for: checkpoints of one training"
    )
    group.add_argument(
        "--calibration",
        type=float,
        metavar="SHARE",
        help="of the rows, to choose thresholds on where there are no references (default: 0.25)",
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn (default: 0)")


def execute(options: argparse.Namespace) -> int:
    """Audits; 0 when everything is done, 3 when some failed."""
    from rich.console import Console

    console = Console(highlight=False)
    name = audit_name(options)
    folder = options.reports / name
    _check(options, folder)
    if not options.model:
        from fer_audit.cli.audit_answers import audit_answers

        return audit_answers(options, name, folder, console)
    with _folder(folder):
        return _audit(options, folder, console)


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """The folder of the report, from which the paths of its grid lead; gone again where nothing came of it."""
    from fer_audit.runner.run import make_folder

    made = [place for place in (folder, *folder.parents) if not place.exists()]
    make_folder(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for place in made:
                place.rmdir()  # fails, as it should, where there is something in it


def _audit(options: argparse.Namespace, folder: Path, console: Console) -> int:
    """Audits model files, by all attacks that can be run where none is named."""
    values = audit_grid(options, folder)
    path = folder / _GRID
    with opened_store(options, console) as store:
        file = grid_of(values, path)
        prepared = _prepared(file, store, console)
        if options.attacks is None:
            from fer_audit.runner.model_audit.choice import runnable

            chosen, left_out = runnable(prepared.registry, prepared.audited[0], file.grid, prepared.references)
            tell_left_out(left_out, console)
        else:
            chosen = parse_attacks(options.attacks)
        file = grid_of(with_attacks(values, chosen), path)
        return run_prepared(file, prepared, store, folder, options.workers, console, options.bundle)


def tell_left_out(reasons: Sequence[str], console: Console) -> None:
    """Attacks that can't be run, those of one reason together; a reason begins with the name in quotes."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        name, _, rest = reason.removeprefix("'").partition("' ")
        alike.setdefault(rest, []).append(name)
    for rest, names in alike.items():
        say(console, f"left out: {', '.join(names)}: {rest}")


def _check(options: argparse.Namespace, folder: Path) -> None:
    """Raises FerAuditError where options don't go together, or the folder holds what took long to make."""
    if options.references is not None and options.recipe is not None:
        raise FerAuditError("expected either --references or --recipe, received both")
    if options.bundle is not None:
        from fer_audit.report.bundle import check_target

        check_target(options.bundle)
    try:
        known = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"][0]["audited"]
    except (OSError, ValueError, LookupError, TypeError):
        known = None if (folder / "results.json").exists() else {}
    if known is None:
        raise FerAuditError(f"{folder} holds the results of a grid; choose another --name or --reports")


def _prepared(file: GridFile, store: Store, console: Console) -> Prepared:
    from fer_audit.training.one_thread import start_on_one_thread

    with console.status("starting TensorFlow"):
        start_on_one_thread()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # that it traces again, file by file, is meant
    from fer_audit.runner.model_audit.run import prepare_audit

    return prepare_audit(file, store, console)


def audit_file(file: GridFile, store: Store, folder: Path, workers: int | None, console: Console) -> int:
    """Audits the models of a grid that has an `audit`, as `fer-audit run` does."""
    return run_prepared(file, _prepared(file, store, console), store, folder, workers, console, None)


def run_prepared(
    file: GridFile,
    prepared: Prepared,
    store: Store,
    folder: Path,
    workers: int | None,
    console: Console,
    bundle: Path | None,
) -> int:
    """Runs the audit, shows what it found, and writes page and bundle; returns the exit code."""
    from fer_audit.report.gates import exit_code, judge
    from fer_audit.report.page import render
    from fer_audit.results import write_text
    from fer_audit.runner.model_audit.run import run_audit
    from fer_audit.runner.worker_count import worker_count

    outcome = run_audit(
        file,
        prepared,
        store,
        folder,
        workers=worker_count(file.grid.resources, workers),
        console=console,
        command=" ".join(sys.argv),
    )
    if file.path.parent == folder:
        write_text(file.path, file.text)
    page = render(folder)
    _show(outcome.results, console)
    for cell, reason in outcome.failed.items():
        say(console, f"failed: {cell}: {reason}", style="red")
    judged = judge(outcome.results, outcome.record, outcome.results.gates)
    for one in judged:
        broken = one.outcome == "fail" and one.gate.level == "error"
        say(console, f"gate {one.word}: {one.text}", style="red" if broken else None)
    if bundle is not None:
        from fer_audit.report.bundle import write_bundle

        write_bundle(folder, bundle)
        say(console, f"bundle: {bundle}")
    say(console, f"report: {page}")
    return exit_code(judged, outcome.results)


def _show(results: Results, console: Console) -> None:
    """Accuracy and attacks of each model."""
    from fer_audit.report.numbers import percent

    for cell in results.cells:
        if cell.utility is not None:
            accuracy = cell.utility.accuracy
            told = [f"accuracy {percent(accuracy.value or 0.0)} on {accuracy.n or 0:,} test images"]
            told.append(f"{percent(cell.utility.train_accuracy)} on the members")
            say(console, f"{cell.model}: {', '.join(told)}".replace("\u202f", " "))
        if cell.privacy is not None:
            show_attacked(cell, cell.privacy.attacks, console)
            if cell.privacy.invalid:
                say(console, f"not to be trusted: {cell.privacy.invalid}", style="red")


def show_attacked(cell: Cell, attacks: Sequence[AttackResult], console: Console) -> None:
    """The attacks on one model, in a table, and where their thresholds come from."""
    from fer_audit.report.naming import attack_name

    held = cell.audited.calibration if cell.audited else None
    split = f"{held.members:,} members and {held.nonmembers:,} non-members set, which were not scored" if held else ""
    if attacks:
        named = [(attack_name(cell, attack), attack) for attack in attacks]
        show_attacks(named, console, thresholds=split or "reference models chose")
