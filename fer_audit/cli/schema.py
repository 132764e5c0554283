"""`fer-audit schema [GRID]`: prints the JSON Schema of grids, by which editors complete and check them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_audit.cli.options import add_plugins, plugin_folders

if TYPE_CHECKING:
    from fer_audit.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `schema`."""
    parser.add_argument(
        "grid", nargs="?", type=Path, metavar="GRID", help="a grid, whose folders of plug-ins are read then"
    )
    add_plugins(parser)
    parser.add_argument(
        "--built-in", action="store_true", help="built-in plug-ins alone, so that the schema is the same everywhere"
    )
    parser.epilog = (
        "Write it beside the grid, `fer-audit schema GRID > grid.schema.json`, and begin the grid with the line "
        "`# yaml-language-server: $schema=grid.schema.json`."
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the schema alone; what could not be loaded is said on stderr."""
    from fer_audit.grid_schema import grid_schema

    registry = _registry(options)
    print_schema(grid_schema(registry), registry)
    return 0


def print_schema(schema: dict[str, Any], registry: Registry) -> None:
    """`schema` on stdout, in ASCII, which every shell passes on; the broken plug-ins, which it lacks, on stderr."""
    print(json.dumps(schema, indent=1))
    for broken in registry.broken:
        print(f"not loaded: {broken}", file=sys.stderr)


def _registry(options: argparse.Namespace) -> Registry:
    """The plug-ins that a grid may name; raises PluginError for options that contradict each other."""
    from fer_audit.errors import PluginError
    from fer_audit.registry import Registry

    if options.built_in:
        if options.grid is not None or options.plugins is not None:
            raise PluginError("--built-in leaves out all other plug-ins; give it without a grid and without --plugins")
        return Registry.load()
    registry = Registry.load(_folders(options))
    registry.load_packages()
    return registry


def _folders(options: argparse.Namespace) -> list[Path]:
    """The folders that the grid names and those of the command line, or else the usual ones."""
    from fer_audit.grid import read_grid

    if options.grid is None:
        return plugin_folders(options)
    return [*read_grid(options.grid).plugin_folders, *(options.plugins or [])]
