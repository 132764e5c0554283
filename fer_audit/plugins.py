"""Plug-ins: what all kinds share, and the one registry that knows them by name.

A plug-in is a class with a `name`, a docstring that cites its source, a frozen `Params`, and one method that its author
writes. The grid holds names and parameters, never import paths; a worker rebuilds a plug-in from
`{name, params, source}`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import json
import pkgutil
import sys
import traceback
from abc import ABC
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from fer_audit.errors import PluginError, did_you_mean

#: Each kind of plug-in and the package that holds the built-in ones.
KINDS: Mapping[str, str] = {
    "dataset": "fer_audit.data",
    "model": "fer_audit.models",
    "augmentation": "fer_audit.augmentations",
    "label-attack": "fer_audit.attacks",
    "membership-attack": "fer_audit.attacks",
}


class Parameters(BaseModel):
    """Parameters of a plug-in: declared once, they are the YAML, the documentation, the cache key and the repr."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Plugin(ABC):
    """Base of the contract classes (`Model`, `Augmentation`, ...); authors subclass those, never this one."""

    kind: ClassVar[str]
    name: ClassVar[str]

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
        where = f"{cls.kind} {cls.name!r}"
        if first["type"] == "extra_forbidden":
            return f"{where} has no parameter {parameter!r}: {did_you_mean(parameter, cls.Params.model_fields)}"
        message, received = first["msg"].removeprefix("Value error, "), f"Received: {first['input']!r}"
        if not first["loc"]:
            return f"{where}: {message}. {received}"
        return f"{where}: parameter {parameter!r}: {message}. {received}"

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.params)
        return f"{type(self).__name__}({given})"

    def identity(self) -> dict[str, Any]:
        """What a content key holds of this plug-in: kind, name, parameters and source digest (JSON values)."""
        return {
            "kind": self.kind,
            "name": self.name,
            "params": self.params.model_dump(mode="json"),
            "source": source_digest(type(self)),
        }


def source_digest(cls: type) -> str:
    """SHA-256 (hex) of the source of the module that defines `cls` and of the siblings that it imports."""
    first = Path(inspect.getfile(cls))
    seen: dict[Path, bytes] = {}
    waiting = [first]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen[path] = path.read_bytes()
        waiting.extend(_imported_siblings(path, seen[path]))
    digest = hashlib.sha256()
    for path in sorted(seen):
        digest.update(path.name.encode() + b"\0" + seen[path] + b"\0")
    return digest.hexdigest()


def package_digest(package: str) -> str:
    """SHA-256 (hex) of all Python files of `package`, for what depends on a whole layer."""
    folder = Path(inspect.getfile(importlib.import_module(package))).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def module_digest(name: str) -> str:
    """SHA-256 (hex) of the source of the module called `name`, which is not imported."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ImportError(f"there is no module {name}")
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


def _imported_siblings(path: Path, source: bytes) -> Iterator[Path]:
    """Files of the same folder that the module at `path` imports, so that editing them changes the digest too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            dotted = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in dotted:
            parts = name.split(".")
            # `fer_audit.models.layers.gate` lies at `layers/gate.py` beside a file of fer_audit/models.
            for start in range(len(parts)):
                sibling = path.parent.joinpath(*parts[start:]).with_suffix(".py")
                if parts[start] and sibling != path and sibling.is_file():
                    yield sibling


@dataclass(frozen=True)
class BrokenPlugin:
    """A plug-in file that failed to import: where it failed and why, and the names it would have offered."""

    path: Path
    line: int
    reason: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass
class Registry:
    """All known plug-ins: the built-in ones and those of the folders that a grid names."""

    classes: dict[str, dict[str, type[Plugin]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    broken: list[BrokenPlugin] = field(default_factory=list)

    @classmethod
    def load(cls, folders: Iterable[Path] = ()) -> Registry:
        """Built-ins and the plug-ins of `folders`; a file that fails to import is kept in `broken`, not raised."""
        registry = cls()
        for package in dict.fromkeys(KINDS.values()):
            registry._add_package(package)
        for folder in folders:
            registry._add_folder(Path(folder))
        return registry

    def _add_package(self, package: str) -> None:
        module = importlib.import_module(package)
        for info in pkgutil.iter_modules(module.__path__):
            if not info.ispkg:
                self._add_module(importlib.import_module(f"{package}.{info.name}"))

    def _add_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            raise PluginError(f"plug-in folder {str(folder)!r} does not exist; expected a folder of Python files")
        # Sibling imports (`from my_layers import Gate`) work as they would for a script in that folder.
        if str(folder.resolve()) not in sys.path:
            sys.path.append(str(folder.resolve()))
        for path in sorted(folder.resolve().glob("*.py")):
            try:
                module = _import_file(path)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken file must not hide the others
                self.broken.append(_describe_failure(path, error))
            else:
                self._add_module(module)

    def _add_module(self, module: Any) -> None:
        for value in vars(module).values():
            if (
                inspect.isclass(value)
                and issubclass(value, Plugin)
                and value.__module__ == module.__name__
                and "name" in vars(value)
            ):
                if inspect.isabstract(value):
                    self._refuse_abstract(value)
                else:
                    self._add_class(value)

    def _refuse_abstract(self, cls: type[Plugin]) -> None:
        """A named plug-in that misses its method is a mistake (`aply`), not a base class."""
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        reason = f"{cls.kind} {cls.name!r} does not write the method {missing}"
        line = inspect.getsourcelines(cls)[1]
        self.broken.append(BrokenPlugin(Path(inspect.getfile(cls)), line, reason, (cls.name,)))

    def _add_class(self, cls: type[Plugin]) -> None:
        known = self.classes[cls.kind].setdefault(cls.name, cls)
        if known is not cls and inspect.getfile(known) != inspect.getfile(cls):
            raise PluginError(
                f"two plug-ins are called {cls.kind} {cls.name!r}: {inspect.getfile(known)} and "
                f"{inspect.getfile(cls)}; rename one of them"
            )

    def names(self, kind: str) -> list[str]:
        """Sorted names of all plug-ins of `kind`."""
        return sorted(self.classes[kind])

    def get(self, kind: str, name: str) -> type[Plugin]:
        """The class called `name`; raises PluginError with the nearest name, or with the failure of its file."""
        found = self.classes[kind].get(name)
        if found is not None:
            return found
        for broken in self.broken:
            if name in broken.names:
                raise PluginError(f"{kind} {name!r} can't be used, its file fails to import: {broken}")
        hint = did_you_mean(name, self.classes[kind])
        failures = "".join(f" (not loaded: {broken})" for broken in self.broken)
        raise PluginError(f"unknown {kind} {name!r}: {hint}{failures}")

    def create(self, kind: str, name: str, params: Mapping[str, Any] | None = None) -> Plugin:
        """The plug-in called `name` with `params`; raises PluginError."""
        return self.get(kind, name)(**(params or {}))


def _import_file(path: Path) -> Any:
    # The name holds a digest of the folder, so that two folders may each have a `mine.py`.
    unique = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    name = f"fer_audit_plugin_{unique}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _describe_failure(path: Path, error: BaseException) -> BrokenPlugin:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    if line is None:
        line = frames[-1].lineno if frames else 1
    return BrokenPlugin(path, line or 1, f"{type(error).__name__}: {error}", tuple(_declared_names(path)))


def _declared_names(path: Path) -> Iterator[str]:
    """Plug-in names that a file that can't be imported declares, read from its text."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign):
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    named = any(isinstance(target, ast.Name) and target.id == "name" for target in targets)
                    if named and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
                        yield statement.value.value


def raised_in(plugin: Plugin, error: Exception) -> str:
    """One sentence about an exception that the code of `plugin` raised: which plug-in, where, and what."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{plugin.kind} {plugin.name!r} failed at {frame.filename}:{frame.lineno}: {type(error).__name__}: {error}"


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
