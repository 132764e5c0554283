"""The one registry that knows plug-ins by name: built-in ones, those of folders, and those of installed packages.

A package offers plug-ins through entry points of the group `fer_audit`, each of a module (all plug-ins in it) or of a
class. They are called `package/name`, where `package` is what pip knows it by, and the package is imported when one of
them is asked for, or all are listed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_audit.errors import PluginError, did_you_mean
from fer_audit.plugins import KINDS, Plugin
from fer_audit.sources import FOLDER_MODULE

#: The group of entry points by which installed packages offer plug-ins.
GROUP = "fer_audit"

#: Files of a plug-in folder that pytest runs, and the registry does not.
_TESTS = ("test_*.py", "*_test.py", "conftest.py")


@dataclass(frozen=True)
class BrokenPlugin:
    """A plug-in file, or an installed package, that failed to import: where and why, and the names it would offer."""

    path: Path
    line: int
    reason: str
    names: tuple[str, ...]
    package: str = ""  #: the installed package

    def __str__(self) -> str:
        package = f"package {self.package}: " if self.package else ""
        return f"{package}{self.path}:{self.line}: {self.reason}"


@dataclass
class Registry:
    """All known plug-ins: the built-in ones, those of the folders that a grid names, and those of packages."""

    classes: dict[str, dict[str, type[Plugin]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    broken: list[BrokenPlugin] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)  #: of folders, that were imported or failed to
    _packages: set[str] = field(default_factory=set)  #: that were imported, or failed to

    @classmethod
    def load(cls, folders: Iterable[Path] = ()) -> Registry:
        """Built-ins and the plug-ins of `folders`; a file that fails to import is kept in `broken`, not raised."""
        registry = cls()
        for package in dict.fromkeys(KINDS.values()):
            registry._add_package(package)
        for folder in folders:
            registry._add_folder(Path(folder))
        return registry

    def load_packages(self) -> None:
        """Imports every installed package that offers plug-ins; one that fails is kept in `broken`."""
        for package in _entry_points():
            self._load_installed(package)

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
        for path in plugin_files(folder):
            self.files.append(path)
            try:
                module = _import_file(path)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken file must not hide the others
                self.broken.append(_describe_failure(path, error))
            else:
                self._add_module(module)

    def _add_module(self, module: Any) -> None:
        for value in _plugins_of(module):
            if value.__module__ == module.__name__:
                self._add(value)

    def _add(self, cls: type[Plugin]) -> None:
        """Takes a class up, or notes what is wrong with it."""
        if inspect.isabstract(cls):
            # A named plug-in that misses its method is a mistake (`aply`), not a base class.
            missing = ", ".join(sorted(cls.__abstractmethods__))
            self._refuse(cls, f"{cls.kind} {cls.name!r} does not write the method {missing}")
        elif "/" in cls.name:
            self._refuse(cls, f"{cls.kind} {cls.name!r}: a name can't hold a '/', which follows the name of a package")
        else:
            self._add_class(cls)

    def _refuse(self, cls: type[Plugin], reason: str) -> None:
        line = inspect.getsourcelines(cls)[1]
        self.broken.append(BrokenPlugin(Path(inspect.getfile(cls)), line, reason, (cls.name,), cls.package))

    def _add_class(self, cls: type[Plugin]) -> None:
        known = self.classes[cls.kind].setdefault(cls.address(), cls)
        if known is not cls and (cls.package or inspect.getfile(known) != inspect.getfile(cls)):
            raise PluginError(
                f"two plug-ins are called {cls.kind} {cls.address()!r}: {inspect.getfile(known)} and "
                f"{inspect.getfile(cls)}; rename one of them"
            )

    def _load_installed(self, package: str) -> None:
        """Imports the installed package of that name, once."""
        if package in self._packages:
            return
        self._packages.add(package)
        for entry in _entry_points()[package]:
            try:
                for cls in _offered(entry):
                    cls.package = package
                    self._add(cls)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken package must not hide the others
                self.broken.append(_broken_package(package, entry, error))

    def names(self, kind: str) -> list[str]:
        """Sorted names of all plug-ins of `kind`; of packages only after `load_packages`."""
        return sorted(self.classes[kind])

    def get(self, kind: str, name: str) -> type[Plugin]:
        """The class called `name`; raises PluginError with the nearest name, or with the failure of its file."""
        package, _, short = name.rpartition("/")
        if package:
            name = f"{_normalised(package)}/{short}"
            self._load_named(kind, name)
        found = self.classes[kind].get(name)
        if found is not None:
            return found
        for broken in self.broken:
            if broken.package:
                if package and broken.package == _normalised(package):
                    raise PluginError(f"{kind} {name!r} can't be used, its package fails to import: {broken}")
            elif name in broken.names:
                raise PluginError(f"{kind} {name!r} can't be used, its file fails to import: {broken}")
        hint = did_you_mean(name, self.classes[kind])
        failures = "".join(f" (not loaded: {broken})" for broken in self.broken)
        raise PluginError(f"unknown {kind} {name!r}: {hint}{failures}")

    def _load_named(self, kind: str, name: str) -> None:
        package = name.partition("/")[0]
        if package not in _entry_points():
            raise PluginError(
                f"{kind} {name!r} can't be found: expected an installed package with plug-ins for fer-audit, received "
                f"{package!r}; install it (`pip install {package}`), or name one of: "
                f"{', '.join(sorted(_entry_points())) or 'none is installed'}"
            )
        self._load_installed(package)

    def create(self, kind: str, name: str, params: Mapping[str, Any] | None = None) -> Plugin:
        """The plug-in called `name` with `params`; raises PluginError."""
        return self.get(kind, name)(**(params or {}))


def plugin_files(folder: Path) -> list[Path]:
    """The Python files of a plug-in folder, sorted, without its tests."""
    tests = {path for pattern in _TESTS for path in folder.resolve().glob(pattern)}
    return sorted(path for path in folder.resolve().glob("*.py") if path not in tests)


def _plugins_of(module: Any) -> Iterator[type[Plugin]]:
    """All named plug-ins among the values of `module`."""
    for value in list(vars(module).values()):
        if inspect.isclass(value) and issubclass(value, Plugin) and "name" in vars(value):
            yield value


def _entry_points() -> dict[str, list[metadata.EntryPoint]]:
    """Packages with plug-ins, by the name that pip knows them by, and what each offers."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for entry in metadata.entry_points(group=GROUP):
        if entry.dist is not None:
            found.setdefault(_normalised(entry.dist.name), []).append(entry)
    return found


def _normalised(package: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _offered(entry: metadata.EntryPoint) -> list[type[Plugin]]:
    """The plug-ins of an entry point; raises PluginError where there is none."""
    value = entry.load()
    if inspect.isclass(value):
        found = [value] if issubclass(value, Plugin) and "name" in vars(value) else []
    else:
        # What is imported from the package's own modules is meant, what is imported from ours is not.
        top = entry.module.partition(".")[0]
        found = [cls for cls in _plugins_of(value) if cls.__module__.partition(".")[0] == top]
    if not found:
        raise PluginError(f"entry point {entry.value!r} holds no plug-in; expected a module or a class that is one")
    return found


def _broken_package(package: str, entry: metadata.EntryPoint, error: BaseException) -> BrokenPlugin:
    """The failure where the package's own code shows it, or else at its entry point."""
    top = entry.module.partition(".")[0]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"/{top}/" in f"/{frame.filename}"]
    path, line = (Path(frames[-1].filename), frames[-1].lineno) if frames else (Path(f"{entry.value} (entry point)"), 1)
    return BrokenPlugin(path, line or 1, f"{type(error).__name__}: {error}", (), package)


def _import_file(path: Path) -> Any:
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
