"""The description of a Keras network, read as data: what in it would run code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import reason
from fer_audit.model_files.limits import MOST_CONFIG_BYTES, check_bytes

#: Why each of these is refused, though it is of Keras itself.
_UNSAFE: Mapping[str, str] = {
    "Lambda": "Python code in the file",
    "__lambda__": "Python code in the file",
    "TFSMLayer": "a path to a further model, which would be loaded",
    "TorchModuleWrapper": "pickled code",
    "JaxLayer": "code from outside Keras",
    "FlaxLayer": "code from outside Keras",
    "StringLookup": "a path to a file, which would be read",
    "IntegerLookup": "a path to a file, which would be read",
    "TextVectorization": "a path to a file, which would be read",
    "__typespec__": "a class of TensorFlow's",
}

#: Where Keras 3 and Keras 2 keep what networks are made of; the rest of Keras downloads, unpacks and writes files.
_MODELLING = (
    "activations",
    "constraints",
    "dtype_policies",
    "engine",
    "initializers",
    "layers",
    "models",
    "ops",
    "quantizers",
    "regularizers",
)

#: A layer, and the precision of layers, that Keras keeps or kept elsewhere.
_SCATTERED = frozenset({("keras.src.applications.convnext", "LayerScale"), ("keras.mixed_precision", "Policy")})

#: What `fer_audit.models` registers with Keras.
_OURS: Mapping[str, str] = {"fer_audit>InputNormalization": "fer_audit.models.layers.input_normalization"}

_TRUST = "say `trust: true` (--trust) if the file is yours"


def parsed_config(text: str | bytes, what: str) -> dict[str, Any]:
    """The description of a network; raises ModelFileError where it is none."""
    check_bytes(len(text), what, MOST_CONFIG_BYTES)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what} is no JSON ({reason(error)}); expected a network; save the model again") from None
    if not isinstance(config, dict) or "class_name" not in config:
        raise ModelFileError(f"{what} describes no network; expected a `class_name`; save the whole model, not weights")
    return config


def check_config(config: Any) -> None:
    """Raises ModelFileError where a part of the network is not one of Keras' own, or one that runs code."""
    for part in _parts(config):
        found = _suspicious(part)
        if found:
            raise ModelFileError(f"{_called(part)} {found}; expected Keras' own layers, which run no code; {_TRUST}")


def register_ours(config: Any) -> None:
    """Makes layers of fer-audit that are in the network known to Keras."""
    import importlib

    for part in _parts(config):
        module = _OURS.get(str(part.get("registered_name") or part["class_name"]))
        if module:
            importlib.import_module(module)


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a description that names a class."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting.extend(inner for key, inner in value.items() if key != "compile_config")
        elif isinstance(value, list):
            waiting.extend(value)


def _suspicious(part: dict[str, Any]) -> str:
    """What about a part is refused; empty where nothing is."""
    kind, module, registered = str(part["class_name"]), part.get("module"), part.get("registered_name")
    if kind in _UNSAFE:
        return f"is a {kind}, which holds {_UNSAFE[kind]}"
    if "." in kind:
        return f"is of the class {kind!r}, and no file that Keras wrote names one so"
    ours = _OURS.get(str(registered or kind))
    if ours is not None:
        return "" if module in (None, ours, ours.rpartition(".")[0]) else f"is of the module {str(module)!r}"
    if ">" in kind or (registered is not None and ">" in str(registered)):
        return f"is of the class {str(registered or kind)!r}, which Keras does not have"
    if module is not None and not _is_modelling(str(module), kind):
        return f"is {kind!r} of the module {str(module)!r}, which builds no networks"
    return ""


def _is_modelling(module: str, kind: str) -> bool:
    if module == "builtins":
        return kind == "function" or kind.startswith("__")
    if (module, kind) in _SCATTERED:
        return True
    first, *rest = module.split(".")
    if rest[:1] == ["src"]:
        rest = rest[1:]
    return first in ("keras", "tf_keras") and (not rest or rest[0] in _MODELLING)


def _called(part: dict[str, Any]) -> str:
    inner = part.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return f"layer {str(name or part.get('name') or part['class_name'])[:80]!r}"
