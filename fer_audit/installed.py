"""Installed packages that offer plug-ins, by entry points of the group `fer_audit`."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_audit.broken_plugin import BrokenPlugin, blamed_line, reason_of
from fer_audit.errors import PluginError
from fer_audit.plugins import Plugin
from fer_audit.sources import home_of

#: The group of entry points by which installed packages offer plug-ins.
GROUP = "fer_audit"


@dataclass(frozen=True)
class InstalledPackage:
    """An installed package that offers plug-ins; nothing of it is imported yet."""

    name: str  #: as pip knows it, in the one spelling (PEP 503)
    version: str  #: empty where it is not known
    entries: tuple[metadata.EntryPoint, ...]

    def broken(self, entry: metadata.EntryPoint, error: BaseException) -> BrokenPlugin:
        """The failure of an entry point: where the package's own code shows it, or else at the entry point."""
        home = _folder(entry)
        place, line = (home and blamed_line(error, home)) or (Path(entry.value), 0)
        return BrokenPlugin(place, line, reason_of(error), (), self.name, self.version)


def installed_packages() -> tuple[dict[str, InstalledPackage], list[BrokenPlugin]]:
    """All packages with plug-ins by name, and those whose own description can't be read."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    versions: dict[str, str] = {}
    broken = list[BrokenPlugin]()
    for entry in _entries(broken):
        name, version = _said_by(entry)
        found.setdefault(name, []).append(entry)
        versions[name] = version
    return {name: InstalledPackage(name, versions[name], tuple(each)) for name, each in found.items()}, broken


def _entries(broken: list[BrokenPlugin]) -> Iterator[metadata.EntryPoint]:
    """The entry points of the group; of packages that can't be read, a word is added to `broken`."""
    try:
        yield from metadata.entry_points(group=GROUP)
    except Exception:  # noqa: BLE001 - one damaged package, of whatever kind, fails the whole question
        known = set[str]()
        for distribution in metadata.distributions():
            name = _name_of(distribution)
            if name in known:
                continue  # another of that name comes first on the path
            known.add(name)
            try:
                yield from distribution.entry_points.select(group=GROUP)
            except Exception as error:  # noqa: BLE001 - the others are read all the same
                broken.append(BrokenPlugin(Path("entry_points.txt"), 0, reason_of(error), (), name))


def _said_by(entry: metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the package of an entry point."""
    if entry.dist is None:
        return normalised(entry.value.partition(":")[0]), ""
    try:
        version = entry.dist.version or ""
    except Exception:  # noqa: BLE001 - a damaged description says nothing
        version = ""
    return _name_of(entry.dist) or normalised(entry.value.partition(":")[0]), version


def _name_of(distribution: metadata.Distribution) -> str:
    """The normalised name of a package; empty where its description does not tell it."""
    try:
        return normalised(distribution.metadata["Name"])
    except Exception:  # noqa: BLE001 - a damaged description says nothing
        return ""


def normalised(package: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def offered(entry: metadata.EntryPoint) -> list[type[Plugin]]:
    """The plug-ins of an entry point, which is imported; raises PluginError where there is none."""
    value = entry.load()
    home = home_of(entry.module)
    given = plugins_of(list(vars(value).values()) if inspect.ismodule(value) else [value])
    # What is imported from the package's own modules is meant, what is imported from ours is not.
    found = [cls for cls in given if _lies_in(cls, home) and not _lies_in(cls, (__package__,))]
    if not found:
        raise PluginError(
            f"the entry point {entry.value!r} holds no plug-in of its own; expected a class with a `name` that derives "
            "from one of fer-audit's contracts, or a module with such classes"
        )
    return found


def _lies_in(cls: type[Plugin], home: tuple[str, ...]) -> bool:
    return tuple(cls.__module__.split("."))[: len(home)] == home


def plugins_of(values: Iterable[Any]) -> Iterator[type[Plugin]]:
    """The named plug-ins among `values`."""
    for value in values:
        if inspect.isclass(value) and issubclass(value, Plugin) and "name" in vars(value):
            yield value


def _folder(entry: metadata.EntryPoint) -> Path | None:
    """The folder, or the file, of the package's own code, if any of it was found."""
    try:
        top = entry.module.partition(".")[0]
        spec = sys.modules[top].__spec__ if top in sys.modules else importlib.util.find_spec(top)
    except (AttributeError, ImportError, ValueError):  # an entry point that breaks the grammar, a module without one
        return None
    if spec is None or spec.origin is None:
        return None if spec is None else Path(next(iter(spec.submodule_search_locations or ("",))))
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
