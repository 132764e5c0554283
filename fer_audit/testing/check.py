"""A check on a plug-in, and how it says what is wrong."""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_audit.errors import FerAuditError
from fer_audit.plugins import Plugin
from fer_audit.sources import FOLDER_MODULE


class CheckFailed(AssertionError):  # noqa: N818 - it reads as what pytest shows
    """What a plug-in does that it must not, in one sentence."""


class Crashed(CheckFailed):
    """What a plug-in raised where it should have answered; what a check looks at was never reached."""


class NotApplicable(Exception):  # noqa: N818 - nothing went wrong
    """Why a check has nothing to check on a plug-in, in one sentence."""


def require(condition: bool, reason: str) -> None:
    """Raises CheckFailed with `reason` unless `condition` holds."""
    if not condition:
        raise CheckFailed(reason)


@dataclass(frozen=True)
class Subject:
    """A plug-in that is checked: its class, and the parameters that it is checked with."""

    cls: type[Plugin]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """One of `plugins.KINDS`."""
        return self.cls.kind

    @property
    def label(self) -> str:
        """Name and parameters, as a grid's results show them."""
        if not self.params:
            return self.cls.address()
        return f"{self.cls.address()}({', '.join(f'{key}={value}' for key, value in sorted(self.params.items()))})"

    @property
    def file(self) -> Path:
        """The file that defines the class."""
        return Path(inspect.getfile(self.cls))

    @property
    def folders(self) -> list[Path]:
        """The plug-in folders that a registry needs to know the class; none for built-in and installed ones."""
        return [self.file.parent] if self.cls.__module__.startswith(FOLDER_MODULE) else []

    def make(self, **changes: Any) -> Any:
        """A fresh plug-in with the parameters, some of them changed; raises PluginError."""
        return self.cls(**{**self.params, **changes})

    def place(self) -> str:
        """`file:line` of the method that the author wrote, or else of the class."""
        for name in _AUTHORS_METHODS.get(self.kind, ()):
            method = vars(self.cls).get(name)
            if method is not None:
                return f"{self.file}:{inspect.getsourcelines(method)[1]}"
        return f"{self.file}:{inspect.getsourcelines(self.cls)[1]}"


#: The method that an author writes, for each kind of plug-in.
_AUTHORS_METHODS: Mapping[str, tuple[str, ...]] = {
    "membership-attack": ("infer",),
    "label-attack": ("corrupt",),
    "augmentation": ("apply",),
    "model": ("build",),
    "dataset": ("read", "found", "listing"),
}

#: A rule returns what it measured in a few words, or nothing; it raises CheckFailed or NotApplicable.
Rule = Callable[[Subject], str | None]


@dataclass(frozen=True)
class Check:
    """A rule and the plug-in that it is applied to; the first line of the rule's docstring says what must hold."""

    rule: Rule
    subject: Subject

    @property
    def name(self) -> str:
        """What `expected_failures` and `--skip` call it."""
        return self.rule.__name__

    @property
    def about(self) -> str:
        """What must hold, in one sentence."""
        return (inspect.getdoc(self.rule) or "").partition("\n")[0]

    @property
    def advice(self) -> str:
        """Where to look when it does not hold, in one line."""
        return " ".join((inspect.getdoc(self.rule) or "").partition("\n")[2].split())

    def __call__(self) -> str:
        """What was measured, in a few words; raises CheckFailed, also where the plug-in raises, or NotApplicable."""
        try:
            # What a plug-in prints would run into the verdicts.
            with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
                warnings.simplefilter("ignore")  # numbers are judged by what comes out of them
                return self.rule(self.subject) or ""
        except (CheckFailed, NotApplicable):
            raise
        except FerAuditError as error:
            raise Crashed(str(error)) from error
        except (Exception, SystemExit) as error:
            raise Crashed(raised(error, self.subject.file)) from error


def raised(error: BaseException, file: Path) -> str:
    """What was raised, and where in `file`, or else where it was."""
    frames = list(traceback.extract_tb(error.__traceback__))
    frame = ([each for each in frames if Path(each.filename) == file] or frames)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
