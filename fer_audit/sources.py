"""The files that a plug-in's code lies in, and their digests: what a content key holds of code."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from importlib import metadata
from pathlib import Path
from weakref import WeakKeyDictionary

from fer_audit.errors import PluginError
from fer_audit.imported_files import SHELVES, Scope, imported_files

#: The module names of files that lie in plug-in folders begin with it.
FOLDER_MODULE = "fer_audit_plugin_"

_pinned: WeakKeyDictionary[type, str] = WeakKeyDictionary()


def source_files(cls: type) -> list[Path]:
    """The file that defines `cls` and those of its own package or folder that it imports, sorted.

    Those of fer_audit's own layers that it builds on are with them, and after them those of the plug-ins of packages
    that it derives from. Of an archive it is the archive. Raises PluginError where the class comes from no file.
    """
    first = _file(cls)
    found = imported_files([first], scope_of(cls)) if first.is_file() else [_archive(first, cls)]
    for base in cls.__mro__[1:]:
        if vars(base).get("package"):
            found += [path for path in source_files(base) if path not in found]
    return found


def source_digest(cls: type) -> str:
    """SHA-256 (hex) of `source_files(cls)`, names and contents, as they are now or were when `cls` was pinned."""
    known = _pinned.get(cls)
    if known is not None:
        return known
    digest = hashlib.sha256()
    for path in source_files(cls):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def pin_source(cls: type) -> None:
    """Keeps the digest of a class that was just imported: an edit during a run changes its file, not what runs."""
    _pinned[cls] = source_digest(cls)


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


def scope_of(cls: type) -> Scope:
    """Where the code of `cls` lies: its plug-in folder, its package, or the folder of its script."""
    file, name = _file(cls), tuple(cls.__module__.split("."))
    place = file.parent.parts if file.stem == "__init__" else file.with_suffix("").parts
    if name[0].startswith(FOLDER_MODULE) or place[-len(name) :] != name:
        return Scope(file.parent)
    root = Path(*place[: -len(name)])
    home = _regular_package(name)
    brought = _brought(getattr(cls, "package", ""))
    if home == name and len(name) == 1 and file.stem != "__init__" and not brought and root.name not in SHELVES:
        return Scope(root)
    return Scope(root, (home, *sorted((top,) for top in brought - {home[0]})))


def home_of(module: str) -> tuple[str, ...]:
    """The outermost package that is no namespace of the module, which is imported: whose code it is."""
    return _regular_package(tuple(module.split(".")))


def _regular_package(name: tuple[str, ...]) -> tuple[str, ...]:
    for end in range(1, len(name)):
        if getattr(sys.modules.get(".".join(name[:end])), "__file__", None):
            return name[:end]
    return name


def _brought(package: str) -> set[str]:
    """First names of the modules that an installed package brings, as far as its record tells."""
    if not package:
        return set()
    try:
        files = metadata.distribution(package).files or []
    except metadata.PackageNotFoundError:
        return set()
    return {file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py" and ".." not in file.parts}


def _file(cls: type) -> Path:
    """The file that `cls` comes from, which may lie in an archive; raises PluginError."""
    try:
        return Path(inspect.getfile(cls))
    except (TypeError, OSError):
        raise PluginError(_no_file(cls)) from None


def _archive(place: Path, cls: type) -> Path:
    """The archive that `place` lies in; raises PluginError where there is neither."""
    found = next((parent for parent in place.parents if parent.is_file()), None)
    if found is None:
        raise PluginError(_no_file(cls))
    return found


def _no_file(cls: type) -> str:
    return (
        f"the source of the plug-in class {cls.__qualname__} can't be read; expected a class in a file, received one "
        f"of the module {cls.__module__!r}; write it to a file in a plug-in folder"
    )
