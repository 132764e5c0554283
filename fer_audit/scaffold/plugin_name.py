"""The name of a plug-in: what its file and its class are called after it, and which names can't be had."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from fer_audit.errors import PluginError

_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40  #: characters; reports show names in tables and beside charts
#: Names of files that pytest runs, and the registry does not.
_TESTS = re.compile(r"test_.*|.*_test|conftest")


@dataclass(frozen=True)
class PluginName:
    """A name such as `my-attack`, as a grid holds it."""

    text: str

    @property
    def module(self) -> str:
        """`my_attack`, of the file."""
        return self.text.replace("-", "_")

    @property
    def cls(self) -> str:
        """`MyAttack`, of the class."""
        return "".join(part.capitalize() for part in self.text.split("-"))


def check_name(text: str, used: Collection[str], known: Collection[str]) -> PluginName:
    """`text` as a name; raises PluginError where it can't be one, with the nearest that can.

    Args:
        text: what was asked for.
        used: identifiers that the plug-in's file uses for something else.
        known: names that plug-ins of the kind have.
    """
    fault = _fault(text, used, known)
    if fault is None:
        return PluginName(text)
    near = next((name for name in _nearest(text) if _fault(name, used, known) is None), None)
    raise PluginError(f"{fault}; {f'try {near!r}' if near else 'choose another name'}")


def _fault(text: str, used: Collection[str], known: Collection[str]) -> str | None:
    """What is wrong with a name."""
    if text in known:
        return f"there is a plug-in of this kind called {text!r} already"
    if not _FORM.fullmatch(text) or len(text) > _LONGEST:
        return (
            f"a plug-in can't be called {text!r}: expected a letter, then letters, digits and single hyphens, all in "
            f"lower case, {_LONGEST} characters at most"
        )
    name = PluginName(text)
    if _TESTS.fullmatch(name.module):
        return f"a plug-in can't be called {text!r}, as {name.module}.py would be taken for a file of tests"
    if keyword.iskeyword(name.module) or keyword.iskeyword(name.cls):
        return f"a plug-in can't be called {text!r}, which is a word of Python's own"
    if name.cls in used or hasattr(builtins, name.cls):
        return f"a plug-in can't be called {text!r}, as its file has another use for the name {name.cls}"
    if name.module in sys.stdlib_module_names or name.module in _installed():
        return f"a plug-in can't be called {text!r}, as {name.module}.py would stand in for the module of that name"
    return None


@cache
def _installed() -> frozenset[str]:
    """The modules and packages that installed packages bring."""
    return frozenset(metadata.packages_distributions())


def _nearest(text: str) -> list[str]:
    """Names of the right form that are like `text`, the nearest first."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain).lower())
    joined = "-".join(words)
    return [name for name in (joined, f"my-{joined}") if _FORM.fullmatch(name)]
