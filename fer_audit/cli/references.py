"""Plug-ins on the command line: `name`, or `name(parameter=value, ...)`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fer_audit.errors import PluginError

if TYPE_CHECKING:
    from fer_audit.grid import PluginRef

_REFERENCE = re.compile(r"\s*([^\s()=]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def parse_reference(item: str, place: str) -> PluginRef:
    """The plug-in that `item` names, as `PluginRef.label` writes it; raises PluginError, saying at which `place`."""
    from fer_audit.grid import PluginRef

    found = _REFERENCE.fullmatch(item)
    if found is None:
        raise PluginError(f"{place}: expected a name or name(parameter=value, ...), received {item.strip()!r}")
    name, inside = found.groups()
    params: dict[str, Any] = {}
    for part in split_references(inside, f"{place}: {name}") if (inside or "").strip() else ():
        key, sign, value = part.partition("=")
        if not sign or not key.strip() or key.strip() in params:
            raise PluginError(f"{place}: {name}: expected parameter=value, each once, received {part.strip()!r}")
        params[key.strip()] = _value(value.strip(), f"{place}: {name}: {key.strip()}")
    return PluginRef(name=name, params=params)


def _value(text: str, place: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, OverflowError, RecursionError):
        raise PluginError(f"{place}: expected a YAML value, received {text!r}") from None
    return None if value == "None" else value  # as a label writes it


def split_references(text: str, place: str) -> list[str]:
    """The parts between commas that stand outside brackets and quotes; raises PluginError."""
    parts, closing, quote = [""], [], ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in _BRACKETS:
            closing.append(_BRACKETS[sign])
        elif closing and sign == closing[-1]:
            closing.pop()
        elif sign in _BRACKETS.values():
            raise PluginError(f"{place}: a {sign!r} closes nothing, received {text!r}")
        elif sign == "," and not closing:
            parts.append("")
            continue
        parts[-1] += sign
    if quote or closing:
        raise PluginError(f"{place}: {quote or closing[-1]!r} is missing, received {text!r}")
    if not all(part.strip() for part in parts):
        raise PluginError(f"{place}: a name is missing between commas, received {text!r}")
    return parts
