"""Plug-ins: what all kinds share.

A plug-in is a class with a `name`, a docstring that cites its source, a frozen `Params`, and one method that its author
writes. The grid holds names and parameters, never import paths; a worker rebuilds a plug-in from
`{name, params, source}`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import traceback
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from fer_audit.errors import FerAuditError, PluginError, did_you_mean
from fer_audit.sources import source_digest

#: Each kind of plug-in and the package that holds the built-in ones.
KINDS: Mapping[str, str] = {
    "dataset": "fer_audit.data",
    "model": "fer_audit.models",
    "augmentation": "fer_audit.augmentations",
    "label-attack": "fer_audit.attacks",
    "membership-attack": "fer_audit.attacks",
}


def kinds_called(word: str, besides: Sequence[str] = ()) -> list[str]:
    """The kinds that a word of a user stands for: `models`, `attack`, `label-attacks`, ...; raises PluginError.

    `besides` are other words that the user may have meant.
    """
    singular = word.removesuffix("s")
    found = [kind for kind in KINDS if kind == singular or kind.endswith(f"-{singular}")]
    if not found:
        raise PluginError(f"unknown kind of plug-in {word!r}: {did_you_mean(singular, [*KINDS, 'attack', *besides])}")
    return found


class Parameters(BaseModel):
    """Parameters of a plug-in: declared once, they are the YAML, the documentation, the cache key and the repr."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Plugin(ABC):
    """Base of the contract classes (`Model`, `Augmentation`, ...); authors subclass those, never this one."""

    kind: ClassVar[str]
    name: ClassVar[str]
    package: ClassVar[str] = ""  #: the installed package that it comes from; set by the registry, never by an author

    class Params(Parameters):
        """No parameters."""

    params: Parameters

    def __init__(self, **params: Any) -> None:
        """Validates `params` against `Params`; raises PluginError naming the parameter that does not fit."""
        try:
            self.params = self.Params(**params)
        except ValidationError as error:
            raise PluginError(self._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        # Of a union the branch that got furthest is what was meant; pydantic names branches, such as `dict[...]`.
        first = max(error.errors(), key=lambda one: len(one["loc"]))
        parameter = ".".join(str(part) for part in first["loc"] if "[" not in str(part)) or "parameters"
        where = f"{cls.kind} {cls.address()!r}"
        if first["type"] == "extra_forbidden":
            return f"{where} has no parameter {parameter!r}: {did_you_mean(parameter, cls.Params.model_fields)}"
        message, received = first["msg"].removeprefix("Value error, "), f"Received: {first['input']!r}"
        if not first["loc"]:
            return f"{where}: {message}. {received}"
        return f"{where}: parameter {parameter!r}: {message}. {received}"

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.params)
        return f"{type(self).__name__}({given})"

    @classmethod
    def address(cls) -> str:
        """What a grid calls it: its name, or `package/name` where an installed package brings it."""
        return f"{cls.package}/{cls.name}" if cls.package else cls.name

    def identity(self) -> dict[str, Any]:
        """What a content key holds of this plug-in: kind, name, parameters and source digest (JSON values)."""
        return {
            "kind": self.kind,
            "name": self.address(),
            "params": self.params.model_dump(mode="json"),
            "source": source_digest(type(self)),
        }


@contextlib.contextmanager
def guest(plugin: Plugin, refused: type[FerAuditError] = PluginError, advice: str = "") -> Iterator[None]:
    """Runs code of `plugin` in this process: whatever it raises, `SystemExit` included, is raised as `refused`.

    Ctrl-C stays what it is, and so does the working directory, by which relative places are found.
    """
    here = None
    with contextlib.suppress(OSError):  # one that is gone can't be come back to
        here = os.getcwd()  # noqa: PTH109 - as it is to be told to the system
    try:
        yield
    except (FerAuditError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise refused(raised_in(plugin, error) + advice) from error
    finally:
        if here is not None:
            os.chdir(here)


def raised_in(plugin: Plugin, error: BaseException) -> str:
    """One sentence about an exception that the code of `plugin` raised: which plug-in, where, and what."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    told = f"{type(error).__name__}: {error}"
    return f"{plugin.kind} {plugin.address()!r} failed at {frame.filename}:{frame.lineno}: {told}"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_key(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def parameter_table(cls: type[Plugin]) -> Sequence[tuple[str, str, str, str]]:
    """Rows (parameter, type, default, description) of a plug-in's parameters, for `fer-audit list`."""
    rows = []
    for name, info in cls.Params.model_fields.items():
        kind = _type_name(info.annotation)
        default = "required" if info.is_required() else repr(info.get_default(call_default_factory=True))
        rows.append((name, kind, default, info.description or ""))
    return rows


def _type_name(annotation: Any) -> str:
    """A type as a user would write it, choices as their values."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(repr(value) for value in inner)
    if origin in (Union, UnionType):
        return " | ".join(_type_name(part) for part in inner)
    if inner:
        parts = ", ".join("..." if part is Ellipsis else _type_name(part) for part in inner)
        return f"{getattr(origin, '__name__', origin)}[{parts}]"
    return "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
