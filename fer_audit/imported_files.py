"""Which files a file of code imports, read from its text and never by importing it.

Imports inside functions count too. Not seen are: what is imported by a computed name, what is opened as data, and
installed packages.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import machinery
from pathlib import Path
from typing import NamedTuple

#: Our own package, by name and by place.
_NAME = __name__.partition(".")[0]
_OURS = Path(__file__).parent

#: What a module may be a file of.
_SUFFIXES = (".py", *machinery.EXTENSION_SUFFIXES)

#: Folders that hold packages of many owners.
SHELVES = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Scope:
    """Where the modules of a plug-in's own code lie; imports of others are not followed."""

    root: Path  #: the folder that their names start from
    packages: tuple[tuple[str, ...], ...] | None = None  #: names of packages and modules; None: all that lie in `root`

    def owns(self, name: tuple[str, ...]) -> bool:
        """Whether an absolute import of `name` leads to the plug-in's own code."""
        if self.packages is None:
            # The folder comes last on Python's path: a file `random.py` in it is not what `import random` finds.
            return _found_in(self.root, name[0])
        return any(name[: len(package)] == package for package in self.packages)


def imported_files(first: Iterable[Path], scope: Scope) -> list[Path]:
    """The files `first` and all that their imports lead to, sorted by their names below the folder they start from.

    Imports are followed within `scope`; from a folder of plug-ins also to other folders on Python's path that are
    nobody's shelf, such as a second folder of plug-ins. An `__init__.py` counts where a name is imported from it, or
    where it does more than import.
    """
    found: dict[Path, tuple[tuple[str, ...], Path]] = {}
    waiting = [(path, scope.root) for path in first]
    while waiting:
        path, root = waiting.pop()
        if path.resolve() not in found and path.is_file():
            found[path.resolve()] = (_below(path, root), path)
            if is_ours(path):
                waiting.extend((file, root) for file in _neighbours(path))
            else:
                waiting.extend(_reached(path, Scope(root, scope.packages)))
    return [path for _, path in sorted(found.values())]


def is_ours(path: Path) -> bool:
    """Whether a file is part of fer_audit."""
    return _OURS in path.parents


def _below(path: Path, root: Path) -> tuple[str, ...]:
    """The parts of a file's name that do not depend on where things are installed."""
    base = _OURS.parent if is_ours(path) else root
    return path.relative_to(base).parts if path.is_relative_to(base) else path.parts


def _found_in(folder: Path, top: str) -> bool:
    """Whether Python finds the module called `top` in `folder`, if anywhere."""
    places = module_places(top)
    return places is not None and (not places or folder in places)


def module_places(top: str) -> list[Path] | None:
    """The folders in which Python finds the module called `top`, imported or not; None for one of Python's own."""
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ValueError, ImportError):  # a module without a specification, such as the script itself
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder).parent for folder in spec.submodule_search_locations]
    return [Path(spec.origin).parent] if spec.origin else []


def misled(files: Iterable[Path], root: Path) -> Iterator[tuple[Path, str, Path]]:
    """Imports by `files` of what lies in the folder `root`, where Python finds another module first: who, what, where.

    One of Python's own or of an installed package is what is meant, and is not told.
    """
    for path in files:
        for imported in _imports(path):
            if imported.level or not any(_files_at(root / imported.module[0])):
                continue
            places = module_places(imported.module[0]) or [root]
            if root not in places and not any(place.name in SHELVES for place in places):
                yield path, imported.module[0], places[0]


class _Import(NamedTuple):
    """`import module`, or `from module import names`; level 1 is `from .`, 2 `from ..`."""

    level: int
    module: tuple[str, ...]
    names: tuple[str, ...] = ()


def _imports(path: Path) -> Iterator[_Import]:
    """All that a file imports; nothing where it is no Python text, or breaks its grammar."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (_Import(0, tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            yield _Import(node.level, module, tuple(alias.name for alias in node.names))


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return ast.Module(body=[ast.Pass()], type_ignores=[])  # it is there all the same


def _neighbours(path: Path) -> Iterator[Path]:
    """Files beside a module of ours that it imports: what all plug-ins share has schema numbers."""
    for level, module, names in _imports(path):
        folder = path.parents[level - 1] if level else path.parent
        # `fer_audit.models.layers.gate` lies at `layers/gate.py` beside a file of fer_audit/models.
        for parts in [(*module, name) for name in names] or [module]:
            for start in range(1 if level else len(parts)):
                yield from _our_files(folder, parts[start:], path)


def _our_files(folder: Path, parts: tuple[str, ...], importer: Path | None = None) -> Iterator[Path]:
    """The files that run when the module of ours of that name below `folder` is imported, or a name from it."""
    for end in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:end])
        for found in (place.with_suffix(".py"), place / "__init__.py"):
            if found != importer and found.is_file() and (found.name != "__init__.py" or _statements(found)):
                yield found


def _reached(path: Path, scope: Scope) -> Iterator[tuple[Path, Path]]:
    """What the import of a file outside fer_audit runs beside it, and the folder that its name starts from.

    That is what it imports, and the packages that it lies in.
    """
    yield from ((file, scope.root) for file in _enclosing(path, scope.root))
    for imported in _imports(path):
        if imported.level == 0 and imported.module[0] == _NAME:
            yield from ((file, scope.root) for file in _of_ours(imported))
            continue
        owned = imported.level > 0 or scope.owns(imported.module)
        for root in [scope.root] if owned else _elsewhere(imported.module[0], scope):
            found = _named(imported, path, root)
            yield from ((file, root) for file in found if file != path and file.is_relative_to(root))


def _elsewhere(top: str, scope: Scope) -> list[Path]:
    """The folders on Python's path from which a folder of plug-ins imports `top`, but for those of installed packages.

    What lies elsewhere is the user's own, and may be edited any time.
    """
    if scope.packages is not None:
        return []
    return [place for place in module_places(top) or [] if not set(SHELVES) & set(place.parts)]


def _enclosing(path: Path, root: Path) -> Iterator[Path]:
    """The `__init__.py` of the packages around a file that do more than import, which alone changes no result."""
    for folder in path.parents:
        if folder == root or root not in folder.parents:
            return
        file = folder / "__init__.py"
        if file != path and file.is_file() and any(not _only_imports(node) for node in _statements(file)):
            yield file


def _of_ours(imported: _Import) -> Iterator[Path]:
    """The modules of our layers that are imported, not those that lie above the layers, which have schema numbers."""
    module = imported.module[1:]
    for parts in [(*module, name) for name in imported.names] or [module]:
        if len(parts) > 1:
            yield from _our_files(_OURS / parts[0], parts[1:])


def _named(imported: _Import, path: Path, root: Path) -> Iterator[Path]:
    """The files of the modules that an import names."""
    if imported.level > len(path.parents):
        return
    folder = path.parents[imported.level - 1] if imported.level else root
    place = folder.joinpath(*imported.module)
    if not imported.names:
        # `import a.b` binds `a`, of which anything may be used.
        ends = range(1, len(imported.module) + 1)
        yield from (file for end in ends for file in _files_at(folder.joinpath(*imported.module[:end])))
        return
    inside = {name: list(_files_at(place / name)) for name in imported.names}
    yield from (file for files in inside.values() for file in files)
    if not all(inside.values()):  # the others are names in the module itself
        yield from _files_at(place)


def _files_at(place: Path) -> Iterator[Path]:
    """The file of the module whose name ends in `place`, of a package that of `__init__`."""
    candidates = [place / "__init__.py", *(place.with_name(f"{place.name}{suffix}") for suffix in _SUFFIXES)]
    found = next((file for file in candidates if file.is_file()), None)
    if found is not None and (found.name != "__init__.py" or _statements(found)):
        yield found


def says_something(path: Path) -> bool:
    """Whether a file is more than a docstring, as the `__init__.py` of most packages is."""
    return bool(_statements(path))


def _statements(path: Path) -> list[ast.stmt]:
    """What a file does beside its docstrings, which can't change a result."""
    return [
        node for node in _tree(path).body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def _only_imports(node: ast.stmt) -> bool:
    """Whether a statement imports, or says something of the module itself, such as `__all__`."""
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name) and target.id.startswith("__") for target in node.targets)
    return isinstance(node, ast.Import | ast.ImportFrom)
