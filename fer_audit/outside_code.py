"""The code from outside fer-audit that a run imports: plug-in folders, and installed packages that are named."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from fer_audit.imported_files import Scope, imported_files, is_ours, says_something
from fer_audit.plugin_folder import plugin_files
from fer_audit.plugins import Plugin
from fer_audit.registry import Registry
from fer_audit.results import SourceFile
from fer_audit.sources import scope_of, source_files


def outside_code(
    registry: Registry, used: Sequence[type[Plugin]], named: Mapping[Path, str] | None = None
) -> list[SourceFile]:
    """Every file outside fer-audit that is imported where the plug-ins `used` are asked for, and what each is part of.

    All files of the registry's folders are imported, also those that nothing uses, and of packages what `used` come
    from. `named` are the folders as the user calls them, by their resolved paths.
    """
    parts = _parts(used)
    failed = {broken.path for broken in registry.broken}
    called = {folder: _called(folder, named or {}) for folder in registry.folders}
    imported = (path for folder in registry.folders for path in imported_files(plugin_files(folder), Scope(folder)))
    found = [
        _described(path, _name(path, called), parts, loaded=path in parts or path not in failed)
        for path in dict.fromkeys(imported)
        if not is_ours(path)
    ]
    for package, classes in sorted(_packages(used).items()):
        title = f"{package} {metadata.version(package)}"
        for path, name in sorted(_of_package(classes).items(), key=lambda item: item[1]):
            found.append(_described(path, f"{title}: {name}", parts))
    return found


def _name(path: Path, called: Mapping[Path, str]) -> str:
    """A file as the user calls its folder, or below the folder on Python's path that it was found in."""
    folder = next((folder for folder in path.parents if folder in called), None)
    if folder is not None:
        return f"{called[folder]}/{path.relative_to(folder).as_posix()}"
    places = {Path(place).resolve() for place in sys.path}
    place = next((place for place in path.resolve().parents if place in places), path.parent)
    return f"{place.name}/{path.resolve().relative_to(place.resolve()).as_posix()}"


def _described(path: Path, name: str, parts: Mapping[Path, list[str]], *, loaded: bool = True) -> SourceFile:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SourceFile(path=name, sha256=digest, plugins=parts.get(path, []), loaded=loaded)


def _parts(used: Sequence[type[Plugin]]) -> dict[Path, list[str]]:
    """The plug-ins whose code each file is part of."""
    parts: dict[Path, list[str]] = {}
    for cls in dict.fromkeys(used):
        for path in source_files(cls):
            parts.setdefault(path, []).append(f"{cls.kind} {cls.address()}")
    return parts


def _called(folder: Path, named: Mapping[Path, str]) -> str:
    """A folder as the user calls it; of an absolute path only the name, as results tell nothing of the machine."""
    name = Path(named.get(folder, folder))
    return name.name if name.is_absolute() else name.as_posix()


def _packages(used: Sequence[type[Plugin]]) -> dict[str, list[type[Plugin]]]:
    """The plug-ins of each installed package, also of those that plug-ins derive from."""
    packages: dict[str, list[type[Plugin]]] = {}
    for cls in (base for each in dict.fromkeys(used) for base in each.__mro__):
        package = vars(cls).get("package")
        if package:
            packages.setdefault(package, []).append(cls)
    return packages


def _of_package(classes: Sequence[type[Plugin]]) -> dict[Path, str]:
    """The files of a package that are imported, now or by a function of `classes`, with their names below its root."""
    found: dict[Path, str] = {}
    for cls in classes:
        scope = scope_of(cls)
        for path in (*source_files(cls), *_imported(scope)):
            if not is_ours(path):
                found[path] = path.relative_to(scope.root).as_posix() if path.is_relative_to(scope.root) else path.name
    return found


def _imported(scope: Scope) -> Iterator[Path]:
    """The files of the modules of a package that were imported already."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) if scope.owns(tuple(name.split("."))) else None
        if file and Path(file).is_file() and says_something(Path(file)):
            yield Path(file)
