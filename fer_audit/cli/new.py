"""`fer-audit new KIND NAME`: writes a plug-in to start from, with its test."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.options import plugin_folders

if TYPE_CHECKING:
    from fer_audit.scaffold.plugin_name import PluginName
    from fer_audit.scaffold.template import Template

#: The grid that is meant where none is named.
_GRID = Path("experiments/grid.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `new`."""
    parser.add_argument(
        "kind", metavar="KIND", help="attack (on membership), label-attack, model, augmentation or dataset"
    )
    parser.add_argument("name", metavar="NAME", help="what grids and reports call it, such as my-attack")
    parser.add_argument(
        "--in",
        type=Path,
        dest="folder",
        metavar="DIR",
        help="the folder of plug-ins (default: experiments/plugins where it is there, else plugins)",
    )
    parser.set_defaults(plugins=None)  # `--in` names one folder, not those that are read


def execute(options: argparse.Namespace) -> int:
    """Writes both files and prints what to do with them; raises PluginError, and has written nothing then."""
    from fer_audit.scaffold.new_files import write_new
    from fer_audit.scaffold.plugin_name import check_name
    from fer_audit.scaffold.template import template_of

    template = template_of(options.kind)
    folder = options.folder or next(iter(plugin_folders(options)), Path("plugins"))
    name = check_name(options.name, template.used(), _known(template.kind, folder))
    paths = write_new(folder, template.files(name))
    for line in _told(template, name, paths, named_by_default=folder in plugin_folders(options)):
        print(line)
    return 0


def _known(kind: str, folder: Path) -> set[str]:
    """Names that built-in plug-ins of the kind have, and those that files of the folder declare, which are not run."""
    from fer_audit.plugin_folder import declared_names, plugin_files
    from fer_audit.registry import Registry

    declared = (name for path in plugin_files(folder) for name in declared_names(path))
    return {*Registry.load().names(kind), *declared}


def _told(template: Template, name: PluginName, paths: list[Path], *, named_by_default: bool) -> Iterator[str]:
    plugin, test = paths
    checked = name.text if named_by_default else str(plugin)
    yield f"wrote {plugin}, which works as it is, and {test}"
    yield ""
    yield "Change it, and check it:"
    yield f"  {shlex.join(['fer-audit', 'check', template.word, checked])}"
    yield f"  {shlex.join(['pytest', str(test)])}"
    yield ""
    yield from _told_of_grid(template, name, plugin.parent)


def _told_of_grid(template: Template, name: PluginName, folder: Path) -> Iterator[str]:
    grid = _GRID if _GRID.is_file() else Path("grid.yaml")
    named = _names_folder(grid, folder)
    yield f"Name it in a grid, such as {grid}{', which knows the folder' if named else ''}, and run that:"
    yield from (f"  {line}" for line in template.grid_lines(name))
    if not named:
        yield f"  plugins: [{Path(os.path.relpath(folder, grid.parent)).as_posix()}/]  # relative to the grid's file"
    yield f"  {shlex.join(['fer-audit', 'run', str(grid)])}"


def _names_folder(grid: Path, folder: Path) -> bool:
    """Whether the grid has the folder among its `plugins`."""
    from fer_audit.errors import GridError
    from fer_audit.grid import read_grid

    try:
        return folder.resolve() in [named.resolve() for named in read_grid(grid).plugin_folders]
    except GridError:
        return False
