"""The one registry that knows plug-ins by name: built-in ones, those of folders, and those of installed packages.

A package offers plug-ins through entry points of the group `fer_audit`, each of a module (all plug-ins in it) or of a
class. They are called `package/name`, where `package` is what pip knows it by, and the package is imported when one of
them is asked for, or all are listed.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fer_audit.broken_plugin import BrokenPlugin
from fer_audit.errors import PluginError, did_you_mean
from fer_audit.installed import InstalledPackage, installed_packages, normalised, offered, plugins_of
from fer_audit.plugin_folder import (
    declared_names,
    failed_file,
    import_file,
    misled_file,
    open_folder,
    plugin_files,
    test_files,
)
from fer_audit.plugins import KINDS, Parameters, Plugin
from fer_audit.sources import pin_source

#: What a plug-in may be called: a grid puts names together with `/`, `+`, `(`, `=` and `,`.
_NAME = re.compile(r"\w[\w.-]*")


@dataclass
class Registry:
    """All known plug-ins: the built-in ones, those of the folders that a grid names, and those of packages."""

    classes: dict[str, dict[str, type[Plugin]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    broken: list[BrokenPlugin] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)  #: that plug-ins were imported from, resolved
    _packages: set[str] = field(default_factory=set)  #: that were imported, or failed to
    _ambiguous: set[tuple[str, str]] = field(default_factory=set)  #: kind and address that a package gives twice

    @classmethod
    def load(cls, folders: Iterable[Path] = ()) -> Registry:
        """Built-ins and the plug-ins of `folders`; a file that fails to import is kept in `broken`, not raised."""
        registry = cls()
        for package in dict.fromkeys(KINDS.values()):
            registry._add_built_in(package)
        for folder in folders:
            registry._add_folder(Path(folder))
        return registry

    def load_packages(self) -> None:
        """Imports every installed package that offers plug-ins; one that fails is kept in `broken`."""
        packages, unreadable = self._installed
        self.broken += [one for one in unreadable if one not in self.broken]
        for package in packages.values():
            self._load_installed(package)

    @cached_property
    def _installed(self) -> tuple[dict[str, InstalledPackage], list[BrokenPlugin]]:
        return installed_packages()

    def _add_built_in(self, package: str) -> None:
        module = importlib.import_module(package)
        for info in pkgutil.iter_modules(module.__path__):
            if not info.ispkg:
                self._add_module(importlib.import_module(f"{package}.{info.name}"))

    def _add_folder(self, folder: Path) -> None:
        if not os.path.isdir(folder):  # noqa: PTH112 - also of a name that no file can have, where `Path` raises
            wrong = "is not a folder" if os.path.exists(folder) else "does not exist"  # noqa: PTH110 - likewise
            raise PluginError(f"plug-in folder {str(folder)!r} {wrong}; expected a folder of Python files")
        folder = folder.resolve()
        if folder in self.folders:
            return
        open_folder(folder, self.folders)
        self.folders.append(folder)
        for path in plugin_files(folder):
            module, failed = _tried(import_file, path)
            broken = failed_file(path, failed) if failed else misled_file(path)
            if broken is not None:
                self.broken.append(broken)
            else:
                self._add_module(module)

    def _add_module(self, module: Any) -> None:
        for value in plugins_of(list(vars(module).values())):
            if value.__module__ == module.__name__:
                if value.package:
                    value.package = ""  # that of the class that it derives from
                self._add(value)

    def _add(self, cls: type[Plugin]) -> None:
        """Takes a class up, or notes what is wrong with it."""
        wrong = _wrong(cls)
        if wrong:
            self._refuse(cls, wrong)
            return
        if cls.package or not cls.__module__.startswith(f"{__package__}."):
            pin_source(cls)
        known = self.classes[cls.kind].setdefault(cls.address(), cls)
        if known is cls:
            return
        said = (
            f"two plug-ins are called {cls.kind} {cls.address()!r}: {inspect.getfile(known)} and "
            f"{inspect.getfile(cls)}; rename one of them"
        )
        if not cls.package:
            raise PluginError(said)
        self._ambiguous.add((cls.kind, cls.address()))
        self._refuse(cls, said)

    def _refuse(self, cls: type[Plugin], reason: str) -> None:
        try:
            line = inspect.getsourcelines(cls)[1]
        except (OSError, TypeError):  # a class whose source is not at hand
            line = 0
        names = (cls.name,) if isinstance(cls.name, str) else ()
        version = self._installed[0][cls.package].version if cls.package else ""
        self.broken.append(BrokenPlugin(Path(inspect.getfile(cls)), line, reason, names, cls.package, version))

    def _load_installed(self, package: InstalledPackage) -> None:
        """Imports an installed package, once."""
        if package.name in self._packages:
            return
        self._packages.add(package.name)
        for entry in package.entries:
            found, failed = _tried(offered, entry)
            if failed is None:
                _, failed = _tried(self._add_offered, package.name, found)
            if failed is not None:
                self.broken.append(package.broken(entry, failed))
        for kind, address in self._ambiguous:
            self.classes[kind].pop(address, None)

    def _add_offered(self, package: str, found: list[type[Plugin]]) -> None:
        for cls in found:
            if vars(cls).get("package") not in (None, package):
                raise PluginError(f"{cls.__name__} is offered by two packages: {cls.package} and {package}")
            cls.package = package
            self._add(cls)

    def names(self, kind: str) -> list[str]:
        """Sorted names of all plug-ins of `kind`; of packages only after `load_packages`."""
        return sorted(self.classes[kind])

    def get(self, kind: str, name: str) -> type[Plugin]:
        """The class called `name`; raises PluginError with the nearest name, or with the failure of its file."""
        package, _, short = name.rpartition("/")
        if package:
            return self._of_package(kind, package, short)
        found = self.classes[kind].get(name)
        if found is not None:
            return found
        own = [broken for broken in self.broken if not broken.package]
        for broken in own:
            if name in broken.names:
                raise PluginError(f"{kind} {name!r} can't be used, its file fails to import: {broken}")
        for path in (path for folder in self.folders for path in test_files(folder)):
            if name in declared_names(path):
                raise PluginError(
                    f"{kind} {name!r} can't be used, {path.name} is taken for a test by its name and not imported; "
                    "rename the file"
                )
        raise _unknown(kind, name, self.classes[kind], own)

    def _of_package(self, kind: str, given: str, short: str) -> type[Plugin]:
        packages, unreadable = self._installed
        package = normalised(given)
        address = f"{package}/{short}"
        if package not in packages:
            known = did_you_mean(package, packages) if packages else "none is installed here"
            raise PluginError(
                f"{kind} {f'{given}/{short}'!r} can't be found: expected an installed package with plug-ins for "
                f"fer-audit, received {given!r}, {known}{''.join(f' (not read: {each})' for each in unreadable)}"
            )
        self._load_installed(packages[package])
        found = self.classes[kind].get(address)
        if found is not None:
            return found
        failed = [broken for broken in self.broken if broken.package == package]
        named = next((broken for broken in failed if short in broken.names), None)
        if named is not None:
            raise PluginError(f"{kind} {address!r} can't be used: {named}")
        whole = next((broken for broken in failed if not broken.names), None)
        if whole is not None:
            raise PluginError(f"{kind} {address!r} can't be used, its package fails to import: {whole}")
        offers = [name for name in self.classes[kind] if name.startswith(f"{package}/")]
        raise _unknown(kind, address, offers, failed)

    def create(self, kind: str, name: str, params: Mapping[str, Any] | None = None) -> Plugin:
        """The plug-in called `name` with `params`; raises PluginError."""
        return self.get(kind, name)(**(params or {}))


def _unknown(kind: str, name: str, known: Iterable[str], broken: Iterable[BrokenPlugin]) -> PluginError:
    failures = "".join(f" (not loaded: {one})" for one in broken)
    return PluginError(f"unknown {kind} {name!r}: {did_you_mean(name, known)}{failures}")


def _tried(work: Callable[..., Any], *given: Any) -> tuple[Any, BaseException | None]:
    """What foreign code returns, or what it raises; what it prints is no part of our output."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return work(*given), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - one broken file or package must not hide the others
        return None, error


def _wrong(cls: type[Plugin]) -> str:
    """Why a named plug-in can't be taken up; empty where nothing is wrong."""
    if getattr(cls, "kind", None) not in KINDS:
        return f"{cls.__name__} derives from none of the contracts, such as fer_audit.models.model.Model"
    if not isinstance(cls.name, str) or not _NAME.fullmatch(cls.name):
        return f"{cls.kind}: a name is letters, digits, '-', '_' and '.', received {cls.name!r}"
    if not (isinstance(cls.Params, type) and issubclass(cls.Params, Parameters)):
        return f"{cls.kind} {cls.name!r}: its Params must derive from fer_audit.plugins.Parameters"
    if inspect.isabstract(cls):
        # A named plug-in that misses its method is a mistake (`aply`), not a base class.
        missing = ", ".join(sorted(cls.__abstractmethods__))
        return f"{cls.kind} {cls.name!r} does not write the method {missing}"
    return ""
