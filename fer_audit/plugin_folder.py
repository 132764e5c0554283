"""Folders of plug-ins: which files are imported, and how."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from fer_audit.broken_plugin import BrokenPlugin, blamed_line, reason_of
from fer_audit.imported_files import Scope, imported_files, misled
from fer_audit.sources import FOLDER_MODULE

#: Files of a plug-in folder that pytest runs, and the registry does not.
_TESTS = ("test_*.py", "*_test.py", "conftest.py")

#: A plug-in's name, in the text of a file that breaks the grammar.
_NAMED = re.compile(r"""^[ \t]+name\b[^=\n]*=[ \t]*["']([^"'\n]+)["']""", re.MULTILINE)

#: What each file that plug-ins share was when this process imported it: path -> SHA-256.
_imported: dict[Path, str] = {}

#: The folders that this process has put on Python's path.
_opened: set[Path] = set()


def plugin_files(folder: Path) -> list[Path]:
    """The Python files of a plug-in folder, sorted, without its tests."""
    tests = set(test_files(folder))
    found = (path for path in folder.resolve().glob("*.py") if path not in tests)
    return sorted(path for path in found if path.is_file() or _leads_nowhere(path))


def _leads_nowhere(path: Path) -> bool:
    """Whether a link has lost its file, which is told; a pipe, or a link to itself, is no file of Python."""
    try:
        return path.is_symlink() and not path.resolve().exists()
    except (OSError, RuntimeError):
        return False


def test_files(folder: Path) -> list[Path]:
    """The files of a plug-in folder that are taken for tests."""
    return sorted({path for pattern in _TESTS for path in folder.resolve().glob(pattern)})


def open_folder(folder: Path, beside: Collection[Path] = ()) -> None:
    """Makes sibling imports (`from my_layers import Gate`) work as they would for a script in that folder.

    Folders of earlier studies of this process make room where both have a module of one name, those `beside` never do.
    """
    for other in [path for path in _opened if path != folder and path not in beside]:
        if _modules_in(other) & _modules_in(folder):
            _opened.remove(other)
            sys.path[:] = [place for place in sys.path if place != str(other)]
            _forget({other})
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        _opened.add(folder)
    files = imported_files(plugin_files(folder), Scope(folder))
    now = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    if any(_imported.get(path, digest) != digest for path, digest in now.items()):
        # What was edited since a notebook or a test imported it is imported anew, with all that may build on it.
        _forget({*now})
    _imported.update(now)
    importlib.invalidate_caches()


def _modules_in(folder: Path) -> set[str]:
    """First names of what can be imported from a folder."""
    found = list(folder.iterdir()) if folder.is_dir() else []
    return {path.stem for path in found if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")}


def _forget(places: set[Path]) -> None:
    """Lets modules of these files and folders be imported anew, but for plug-ins and the script itself."""
    for name, module in list(sys.modules.items()):
        if name.startswith(FOLDER_MODULE) or name == "__main__":
            continue
        known = getattr(module, "__dict__", {})  # asking a lazy module for more would import it
        files = (known.get("__file__"), *known.get("__path__", ()))
        if any(isinstance(file, str) and not places.isdisjoint((Path(file), *Path(file).parents)) for file in files):
            del sys.modules[name]


def import_file(path: Path) -> Any:
    """The module of a plug-in file, run anew; raises what the file raises."""
    # The name holds a digest of the folder, so that two folders may each have a `mine.py`.
    unique = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    name = f"{FOLDER_MODULE}{unique}_{path.stem}"
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


def misled_file(path: Path) -> BrokenPlugin | None:
    """What is wrong with a plug-in file that imports another module than the one beside it; None where nothing is."""
    folder = path.parent
    for importer, module, found in misled(imported_files([path], Scope(folder)), folder):
        reason = (
            f"{importer.name} imports {module!r} from {found} and not from {folder}, as both have a module of that "
            "name; rename one of them"
        )
        return BrokenPlugin(path, 0, reason, tuple(declared_names(path)))
    return None


def failed_file(path: Path, error: BaseException) -> BrokenPlugin:
    """A plug-in file that raised `error` when it was imported."""
    place, line = blamed_line(error, path) or (path, 1)
    own = isinstance(error, SyntaxError) and blamed_line(error, path.parent)
    if own and own[0] != path:  # a sibling that breaks the grammar
        return BrokenPlugin(path, line, f"{reason_of(error)} in {own[0].name}", tuple(declared_names(path)))
    return BrokenPlugin(place, line, reason_of(error), tuple(declared_names(path)))


def declared_names(path: Path) -> Iterator[str]:
    """Plug-in names that a file declares, read from its text."""
    try:
        tree = ast.parse(path.read_bytes())
    except OSError:
        return
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Broken grammar is the commonest mistake; the name that is asked for most likely stands there all the same.
        yield from _NAMED.findall(path.read_text(encoding="utf-8", errors="replace"))
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign):
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    named = any(isinstance(target, ast.Name) and target.id == "name" for target in targets)
                    if named and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
                        yield statement.value.value
