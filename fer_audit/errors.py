"""The errors that a user can cause; each is one plain sentence and ends the command with its exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class FerAuditError(Exception):
    """Base of every expected error; the command line prints it without a traceback and exits with `exit_code`."""

    exit_code: ClassVar[int] = 2


class GridError(FerAuditError):
    """A grid that can't be read, or that asks for something that does not exist."""


class PluginError(FerAuditError):
    """A plug-in that is unknown, fails to import, or was given parameters that it does not take."""


class DataError(FerAuditError):
    """A dataset that is missing, unreadable, or breaks its own format."""


class SignalsError(FerAuditError):
    """Signals whose shapes, values or membership matrix can't be audited."""


class AccountingError(FerAuditError):
    """A privacy guarantee that nothing can give, or that is none."""


class ModelFileError(FerAuditError):
    """A model file that can't be read, that asks to run code of its own, or whose answers can't be audited."""


class StoreError(FerAuditError):
    """A store that can't be read or written."""


class ResultsError(FerAuditError):
    """A results file that can't be read, or that another schema version wrote."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The tail of an error about an unknown name: the nearest known name, or else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "expected one of: " + ", ".join(names) if names else "there are none"
