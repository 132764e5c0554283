"""The entry point: finds the command, runs it, and turns expected errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import re
import signal
import sys
from collections.abc import Sequence

import fer_audit

#: Commands in the order of `--help`: module, and what it does in one line.
COMMANDS = {
    "run": "train what is missing, attack it, and write the report",
    "watch": "keep the page of a run up to date while it lasts",
    "plan": "show what a run would do, without doing it",
    "data": "look at a dataset: counts, copies, and whether its splits can be trusted",
    "prepare": "find, align and crop the faces of a dataset",
    "doctor": "check the environment, and say how to mend what is wrong",
    "cost": "count what models cost, and check a claimed saving",
    "audit": "audit a model that was trained elsewhere, and write the report",
    "attack": "attack what models answered, whoever trained them, and write the report",
    "report": "write the report again from finished results",
    "gate": "judge finished results by limits, for scripts and CI",
    "export": "write a model of a finished run in another format, with its model card",
    "demo": "try a model of a finished run on a local web page",
    "list": "show the plug-ins and their parameters",
    "new": "write a plug-in of your own to start from, with its test",
    "check": "check that a plug-in is right, not only that it runs",
    "schema": "print the JSON Schema of grids, for editors",
    "store": "show, check and prune what finished runs have kept",
}

_INTERRUPTED = 130

#: Letters of an error that are shown of a line, and how many of them are its last ones, which say what mends it.
_LONGEST, _END = 5000, 500

#: An end of a line in a sentence, such as one in the name of a file.
_IN_A_LINE = re.compile(r"[\r\n]+(?!  )")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code.

    0 done, 1 a gate is broken, 2 bad input, 3 something failed, is damaged or can't be judged, 130 interrupted.
    """
    from fer_audit.errors import FerAuditError, did_you_mean

    if arguments is None:
        _prepare_letters()
        signal.signal(signal.SIGTERM, _terminated)
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = given[0] if given and not given[0].startswith("-") else None
    try:
        if command is not None and command not in COMMANDS:
            raise FerAuditError(f"unknown command {command!r}: {did_you_mean(command, COMMANDS)}")
        options = _parser(command).parse_args(given)
        return int(options.execute(options))
    except FerAuditError as error:
        print(f"fer-audit: {_sentence(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("fer-audit: interrupted; everything that was finished is kept, run again to go on", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone (`fer-audit list | head`); there is nobody left to tell.
        sys.stderr.close()
        return 0
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        said = _sentence(f"{error.strerror or error}:{place}; everything that was finished is kept")
        print(f"fer-audit: {said}", file=sys.stderr)
        return FerAuditError.exit_code


def _terminated(number: int, frame: object) -> None:
    """What schedulers send at the end of a job's time ends it as Ctrl-C does: workers are ended, and it is said."""
    raise KeyboardInterrupt


def _prepare_letters() -> None:
    """Starts anew in Python's UTF-8 mode (PEP 540) where the locale can't name all files; nothing was done yet.

    A terminal that can't show a letter shows its number.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})  # noqa: S606
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _sentence(text: str) -> str:
    """An error as a terminal may show it: without signs that would steer it, and not as long as a file.

    A list of problems stands below the sentence, each in a line of its own with two spaces before it.
    """
    text = _IN_A_LINE.sub(" ", text)
    lines = ("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line) for line in text.split("\n"))
    return "\n".join(
        line if len(line) <= _LONGEST else f"{line[: _LONGEST - _END]} ... {line[-_END:]}" for line in lines
    )


def _parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, so that `--help` answers at once."""
    parser = argparse.ArgumentParser(
        prog="fer-audit",
        description="What a facial-expression model leaks, and what it withstands.",
        epilog="Start with: fer-audit run experiments/grid.yaml",
    )
    parser.add_argument("--version", action="version", version=f"fer-audit {fer_audit.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name == command:
            module = importlib.import_module(f"fer_audit.cli.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(execute=module.execute)
    return parser
