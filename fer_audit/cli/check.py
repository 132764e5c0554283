"""`fer-audit check KIND PLUGIN`: tells whether a plug-in is right, check by check."""

from __future__ import annotations

import argparse
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.options import add_plugins, plugin_folders

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.testing import Subject, Verdict

_FAILED = 1
_MARKS = {"ok": ("ok  ", "green"), "failed": ("FAIL", "bold red"), "skipped": ("-   ", "dim")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    parser.add_argument("kind", metavar="KIND", help="attack, model, augmentation, label-attack or dataset")
    parser.add_argument(
        "plugin",
        metavar="PLUGIN",
        help="its name, also with parameters as in 'my-attack(k=3)', or package/name; or a file or folder of plug-ins",
    )
    add_plugins(parser)
    parser.add_argument(
        "--skip", action="append", default=[], metavar="CHECK", help="leave this check out (repeatable)"
    )


def execute(options: argparse.Namespace) -> int:
    """Prints one line a check; 0 when all hold, 1 when some do not."""
    # On toy data threads wait for each other longer than they work.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from rich.console import Console

    from fer_audit.testing import checks_of, run_checks
    from fer_audit.testing.kit import refuse_unknown
    from fer_audit.testing.subjects import broken_in

    console = Console(highlight=False)
    path, failed = _path(options.plugin), False
    subjects = _subjects(options, path)
    for subject in subjects:
        refuse_unknown(options.skip, checks_of(subject))
    for subject in subjects:
        began = time.perf_counter()
        _say(console, f"{subject.kind} {subject.label}  {_shown(subject.file)}", style="bold")
        verdicts: list[Verdict] = []
        for verdict in run_checks(subject, options.skip):
            _show(verdict, verdicts, subject, console)
            verdicts.append(verdict)
        counts = {status: sum(each.status == status for each in verdicts) for status in _MARKS}
        seconds = time.perf_counter() - began
        told = f"{counts['ok']} hold, {counts['failed']} fail, {counts['skipped']} skipped, in {seconds:.1f} s"
        _say(console, told, style="red" if counts["failed"] else "green")
        failed = failed or counts["failed"] > 0
    for broken in broken_in(path) if path is not None and path.is_dir() else ():
        _say(console, f"not loaded: {broken}", style="red")
        failed = True
    return _FAILED if failed else 0


def _path(plugin: str) -> Path | None:
    """The file or folder that is meant, also where the ending was left out; None for a name."""
    path = Path(plugin)
    if path.suffix == ".py" or path.is_dir():
        return path
    file = path.with_name(f"{path.name}.py") if path.name else path
    return file if len(path.parts) > 1 and file.is_file() else None


def _subjects(options: argparse.Namespace, path: Path | None) -> list[Subject]:
    """What is to be checked; raises PluginError where there is nothing."""
    from fer_audit.cli.references import parse_reference
    from fer_audit.errors import PluginError
    from fer_audit.plugins import kinds_called
    from fer_audit.testing import load_subject, load_subjects

    kinds = kinds_called(options.kind)
    if path is not None:
        return load_subjects(path, kinds=kinds)
    ref = parse_reference(options.plugin, "PLUGIN")
    subject = load_subject(ref.name, kinds=kinds, folders=plugin_folders(options), params=ref.params)
    if ref.params or not subject.folders:
        try:
            subject.make()  # what does not fit, or lacks, is the user's mistake and not the plug-in's
        except PluginError as error:
            example = f"fer-audit check {options.kind} '{ref.name}(parameter=value)'"
            raise PluginError(f"{error}; parameters are given as in `{example}`") from None
    return [subject]


def _show(verdict: Verdict, earlier: list[Verdict], subject: Subject, console: Console) -> None:
    """One line of what was found; where a check failed, the reason and where to look."""
    mark, style = _MARKS[verdict.status]
    console.print(mark, style=style, end="  ", markup=False)
    said = f": {verdict.said}" if verdict.said and verdict.status != "failed" else ""
    _say(console, f"{verdict.check.name}{said}", style="dim" if verdict.status == "skipped" else None)
    if verdict.status != "failed":
        return
    if any(each.status == "failed" and _alike(each.said) == _alike(verdict.said) for each in earlier):
        _say(console, "      for the same reason as above")
        return
    _say(console, f"      {verdict.said}", style="red")
    if verdict.advice:
        _say(console, f"      must hold: {verdict.check.about}")
    _say(console, f"      look: {verdict.advice or 'the plug-in raised it'} ({_shown_place(subject)})")


def _alike(reason: str) -> str:
    """A reason but for its numbers and its place: one fault shows in worlds of different sizes."""
    return re.sub(r"\d+", "N", re.sub(r" \(\S+:\d+\)$", "", reason)).rpartition("must return")[2]


def _shown(path: Path) -> str:
    """A path as a person in this folder would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _shown_place(subject: Subject) -> str:
    path, _, line = subject.place().rpartition(":")
    return f"{_shown(Path(path))}:{line}"


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, soft_wrap=True)
