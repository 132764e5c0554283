"""Finding the plug-ins to check: by name, by file or by folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_audit.broken_plugin import BrokenPlugin
from fer_audit.errors import PluginError, did_you_mean
from fer_audit.plugin_folder import test_files
from fer_audit.plugins import KINDS, Plugin
from fer_audit.registry import Registry
from fer_audit.testing.check import Subject


def load_subjects(
    path: Path, *, kinds: Iterable[str] = tuple(KINDS), params: Mapping[str, Any] | None = None
) -> list[Subject]:
    """The plug-ins of some kinds in a file, or in a folder of files, where `broken_in` tells of those that fail.

    Raises PluginError where there is none, or the file can't be imported.
    """
    if not path.exists():
        raise PluginError(f"can't check {path}: there is no such file or folder")
    folder, place = (path if path.is_dir() else path.parent), path.resolve()
    if place in test_files(folder):
        raise PluginError(f"can't check {path}: by its name it is a test, and no plug-in file; rename it")
    registry = Registry.load([folder])
    broken = [each for each in registry.broken if _lies_in(each.path, place)]
    found = [cls for kind in kinds for cls in _classes(registry, kind) if _lies_in(Path(inspect.getfile(cls)), place)]
    if broken and not (found and path.is_dir()):
        raise PluginError(f"can't check {path}: {broken[0]}")
    if not found:
        raise PluginError(
            f"{path} holds no plug-in of the kind {' or '.join(kinds)}; expected a class with a `name` that derives "
            "from one of fer-audit's contracts"
        )
    return [Subject(cls, dict(params or {})) for cls in found]


def broken_in(folder: Path) -> list[BrokenPlugin]:
    """The files of a plug-in folder that can't be used, and why."""
    return [each for each in Registry.load([folder]).broken if _lies_in(each.path, folder.resolve())]


def load_subject(
    name: str, *, kinds: Sequence[str], folders: Iterable[Path] = (), params: Mapping[str, Any] | None = None
) -> Subject:
    """The plug-in called `name` of one of `kinds`; raises PluginError with the nearest name."""
    registry = Registry.load(folders)
    known = sorted({each for kind in kinds for each in registry.names(kind)})
    for kind in kinds:
        if name in registry.classes[kind]:
            return Subject(registry.get(kind, name), dict(params or {}))
    if "/" in name:
        return _of_package(registry, name, kinds, params)
    for broken in registry.broken:
        if name in broken.names:
            raise PluginError(f"{name!r} can't be checked, its file fails to import: {broken}")
    others = [kind for kind in registry.classes if kind not in kinds and name in registry.classes[kind]]
    if others:
        raise PluginError(f"{name!r} is no {' or '.join(kinds)}: it is a {others[0]}")
    raise PluginError(f"unknown {' or '.join(kinds)} {name!r}: {did_you_mean(name, known)}")


def _of_package(registry: Registry, name: str, kinds: Sequence[str], params: Mapping[str, Any] | None) -> Subject:
    """A plug-in of an installed package; of several kinds with that name the first."""
    error: PluginError | None = None
    for kind in kinds:
        try:
            return Subject(registry.get(kind, name), dict(params or {}))
        except PluginError as refused:
            error = error or refused
    raise error or PluginError(f"unknown plug-in {name!r}")


def _classes(registry: Registry, kind: str) -> list[type[Plugin]]:
    return [registry.classes[kind][name] for name in registry.names(kind)]


def _lies_in(file: Path, place: Path) -> bool:
    """Whether a file is the file `place`, or lies below the folder `place`."""
    file = file.resolve()
    return file == place or place in file.parents
