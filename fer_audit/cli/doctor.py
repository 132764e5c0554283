"""`fer-audit doctor [GRID]`: checks the environment, and says how to mend what is wrong."""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fer_audit.cli.options import add_store
from fer_audit.errors import FerAuditError
from fer_audit.store_address import local_copy

if TYPE_CHECKING:
    from fer_audit.registry import Registry

_SOME_WRONG = 3
_LEAST_DISK, _LEAST_MEMORY = 2.0, 2.0  #: GiB
_GIB = 2**30

#: Packages that must be there, with the versions that were tried together.
_NEEDED = {
    "tensorflow": "2.21",
    "keras": "3.15",
    "numpy": "1.",
    "scipy": "",
    "scikit-learn": "",
    "imgaug": "0.4.0",
    "opencv-python": "",
    "opencv-contrib-python-headless": "",
    "pillow": "",
    "plotly": "7.",
    "mtcnn": "1.",
    "retina-face": "",
    "onnxruntime": "",
}
_OPENCV = ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python-headless")


@dataclass(frozen=True)
class Check:
    """One line of the doctor's: what was looked at, and the fix where something is wrong."""

    what: str
    state: Literal["OK", "note", "wrong"]
    said: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    parser.add_argument("grid", type=Path, nargs="?", metavar="GRID", help="check its dataset and plug-ins too")
    add_store(parser)


def execute(options: argparse.Namespace) -> int:
    """Prints one line a check; 0 where nothing is wrong, 3 otherwise."""
    from rich.console import Console

    console, wrong = Console(), 0
    for check in checks(options.grid, options.store):
        style = {"OK": "green", "note": "yellow", "wrong": "red"}[check.state]
        console.print(f"{check.state:5}", style=style, end=" ", highlight=False)
        console.print(f"{check.what}: {check.said}", markup=False, highlight=False, soft_wrap=True)
        wrong += check.state == "wrong"
    return _SOME_WRONG if wrong else 0


def checks(grid: Path | None, store: Path | str) -> Iterator[Check]:
    """All checks, in the order in which they are shown."""
    yield _python()
    yield from (_package(name, wanted) for name, wanted in _NEEDED.items())
    yield from _conflicts()
    yield _detector_weights()
    yield _disk(store)
    yield _memory()
    yield from _plugin_packages()
    if grid is not None:
        yield from _grid(grid)


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info[:2] != (3, 11):
        return Check("Python", "wrong", f"{version}; make the environment with Python 3.11")
    return Check("Python", "OK", version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str, wanted: str) -> Check:
    version, fix = _version(name), f"pip install --constraint constraints.txt '{name}'"
    if version is None:
        return Check(name, "wrong", f"not installed; {fix}")
    if not version.startswith(wanted):
        return Check(name, "wrong", f"{version}, but {wanted} was tried; {fix}")
    return Check(name, "OK", version)


def _conflicts() -> Iterator[Check]:
    found = {name: version for name in _OPENCV if (version := _version(name)) is not None}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name} {version}" for name, version in found.items())
        yield Check("OpenCV", "wrong", f"{told} share one folder; install one version of all of them")
    else:
        yield Check("OpenCV", "OK", f"{len(found)} packages of one version")
    for name, reason in (
        ("tf-keras", "nothing here needs it, and it can switch a process to legacy Keras; pip uninstall tf-keras"),
        ("tensorflow-metal", "it was not tried; uninstall it if trainings fail"),
    ):
        if _version(name) is not None:
            yield Check(name, "note", reason)
    if importlib.util.find_spec("torch") is not None and _version("tensorflow") is not None:
        yield Check("torch", "note", "beside TensorFlow it takes memory; workers never import it")


def _detector_weights() -> Check:
    from fer_audit.data.faces.retinaface_detector import check_weights, weights_path

    try:
        check_weights()
    except FerAuditError as error:
        return Check("RetinaFace weights", "note", f"{error} (mtcnn and haar bring their own)")
    return Check("RetinaFace weights", "OK", str(weights_path()))


def _disk(store: Path | str) -> Check:
    folder = (local_copy(store) if isinstance(store, str) else store).absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free / _GIB
    if free < _LEAST_DISK:
        return Check("disk", "wrong", f"{free:.1f} GiB free at {place}; make room, or name another place with --store")
    return Check("disk", "OK", f"{free:.1f} GiB free at {place}")


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / _GIB, memory.total / _GIB
    if free < _LEAST_MEMORY:
        said = f"{free:.1f} of {total:.1f} GiB free; close other programs, or run with --workers 1"
        return Check("memory", "wrong", said)
    return Check("memory", "OK", f"{free:.1f} of {total:.1f} GiB free, {psutil.cpu_count()} cores")


def _plugin_packages() -> Iterator[Check]:
    """The installed packages that offer plug-ins; a broken one is wrong only for a grid that names it."""
    from fer_audit.registry import Registry

    registry = Registry()
    registry.load_packages()
    offered: dict[str, list[str]] = {}
    for cls in (cls for classes in registry.classes.values() for cls in classes.values()):
        offered.setdefault(cls.package, []).append(f"{cls.kind} {cls.name}")
    for package, plugins in sorted(offered.items()):
        yield Check(package, "OK", f"{_version(package) or 'of unknown version'} offers {', '.join(plugins)}")
    for broken in registry.broken:
        yield Check("plug-ins", "note", f"not loaded: {broken}")


def _grid(path: Path) -> Iterator[Check]:
    from fer_audit.data.listed import ListedDataset
    from fer_audit.grid import read_grid
    from fer_audit.grid_plugins import named_plugins
    from fer_audit.registry import Registry

    try:
        file = read_grid(path)
    except FerAuditError as error:
        yield Check("grid", "wrong", str(error))
        return
    yield Check("grid", "OK", f"{path} is well formed")
    try:
        registry = Registry.load(file.plugin_folders)
    except FerAuditError as error:
        yield Check("plug-ins", "wrong", str(error))
        return
    for broken in registry.broken:
        yield Check("plug-ins", "wrong", f"not loaded: {broken}")

    def dataset() -> str:
        made = registry.create("dataset", file.grid.dataset.name, file.grid.dataset.params)
        if not isinstance(made, ListedDataset):
            return f"{made.name} is drawn"
        listing = made.listing(file.base)
        return f"{made.name}, {len(listing)} images listed from {listing.source}"

    yield _tried("dataset", dataset)
    for kind, name in named_plugins(file.grid):
        if "/" in name:
            yield _tried(f"{kind} {name}", partial(_found, registry, kind, name))


def _found(registry: Registry, kind: str, name: str) -> str:
    return f"found in {inspect.getfile(registry.get(kind, name))}"


def _tried(what: str, work: Callable[[], str]) -> Check:
    try:
        return Check(what, "OK", work())
    except FerAuditError as error:
        return Check(what, "wrong", str(error))
