"""The files that a plug-in's code lies in, and their digests: what a content key holds of code."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

#: The module names of files that lie in plug-in folders begin with it.
FOLDER_MODULE = "fer_audit_plugin_"


def source_files(cls: type) -> list[Path]:
    """The file that defines `cls` and those beside it, or in its package, that it imports, sorted.

    Imports are read from the text, also those inside functions; what is imported by a computed name is not seen.
    """
    first = Path(inspect.getfile(cls))
    return imported_files(first, _root(cls.__module__, first))


def imported_files(first: Path, root: Path | None = None) -> list[Path]:
    """`first` and all files that its imports lead to, sorted; names start from each file's folder and from `root`."""
    seen: set[Path] = set()
    waiting = [first]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imported(path, root))
    return sorted(seen)


def source_digest(cls: type) -> str:
    """SHA-256 (hex) of `source_files(cls)`, names and contents."""
    digest = hashlib.sha256()
    for path in source_files(cls):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
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


def _root(module: str, file: Path) -> Path | None:
    """The folder that absolute imports of a plug-in's own code start from; None for the built-in ones."""
    top = module.partition(".")[0]
    if top == __name__.partition(".")[0]:
        return None  # names of neighbours are enough, and what all plug-ins share has schema numbers
    package = list(getattr(sys.modules.get(top), "__path__", ()))
    return Path(package[0]).parent if package else file.parent


def _imported(path: Path, root: Path | None) -> Iterator[Path]:
    """Files that the module at `path` imports, as far as they are found beside it or below `root`."""
    for level, parts in _imports(path):
        folder = path.parents[level - 1] if level else path.parent
        # `fer_audit.models.layers.gate` lies at `layers/gate.py` beside a file of fer_audit/models.
        for start in range(1 if level else len(parts)):
            yield from _module_files(folder, parts[start:], path)
        if root is not None and not level:
            yield from _module_files(root, parts, path)


def _imports(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Level (0: absolute, 1: `from .`, ...) and dotted name of all that is imported, names that may be modules too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            yield from ((node.level, [*base, alias.name]) for alias in node.names)


def _module_files(folder: Path, parts: list[str], importer: Path) -> Iterator[Path]:
    """The files that run when the module of that name below `folder` is imported, or what it is imported from."""
    for end in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:end])
        for found in (place.with_suffix(".py"), place / "__init__.py"):
            if found != importer and found.is_file() and _does_something(found):
                yield found


def _does_something(path: Path) -> bool:
    """Whether a file is more than the docstring of a package, which can't change a result."""
    if path.name != "__init__.py":
        return True
    body = ast.parse(path.read_bytes()).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)
