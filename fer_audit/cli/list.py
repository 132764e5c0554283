"""`fer-audit list [KIND]`: shows the plug-ins and their parameters."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fer_audit.cli.options import add_plugins, plugin_folders

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.text import Text

    from fer_audit.plugins import Plugin
    from fer_audit.registry import Registry

#: What a grid has beside plug-ins.
_SECTIONS = ("measures", "defences", "canaries")

#: Columns that further lines of what is too long for a line are set in by.
_HANG = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    parser.add_argument(
        "kind",
        nargs="?",
        metavar="KIND",
        help="models, augmentations, attacks, datasets, measures, defences, canaries, ...",
    )
    add_plugins(parser)
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of what may stand in a grid for them"
    )


def execute(options: argparse.Namespace) -> int:
    """Prints name, first line of the docstring, and every parameter with type and default; or their JSON Schema."""
    from rich.console import Console

    from fer_audit.plugins import KINDS, kinds_called
    from fer_audit.registry import Registry

    if options.kind in _SECTIONS:
        return _sections(options.kind, as_schema=options.schema)
    kinds = list(KINDS) if options.kind is None else kinds_called(options.kind, besides=_SECTIONS)
    registry = Registry.load(plugin_folders(options))
    registry.load_packages()
    if options.schema:
        return _schema(registry, kinds)
    console = Console(highlight=False)
    for kind in kinds:
        _show_kind(registry, kind, console)
    for broken in registry.broken:
        console.print(f"not loaded: {broken}", style="red", markup=False, soft_wrap=True)
    return 0


def _schema(registry: Registry, kinds: list[str]) -> int:
    from fer_audit.cli.schema import print_schema
    from fer_audit.grid_schema import kinds_schema

    print_schema(kinds_schema(registry, kinds), registry)
    return 0


def _sections(kind: str, *, as_schema: bool) -> int:
    """The measures, defences or canaries of a grid with their parameters, which are no plug-ins."""
    from rich.console import Console

    from fer_audit.canary_section import Canaries
    from fer_audit.cli.schema import print_schema
    from fer_audit.defence_section import DEFENCES
    from fer_audit.grid_schema import DRAFT, canaries_schema, defences_schema, measures_schema
    from fer_audit.measures_section import MEASURES
    from fer_audit.registry import Registry

    schemas = {"measures": measures_schema, "defences": defences_schema, "canaries": canaries_schema}
    shown: Mapping[str, tuple[str, Mapping[str, type[BaseModel]]]] = {
        "measures": ("measures, each `true` or with parameters under `measures:` of a grid", MEASURES),
        "defences": ("defences, under `defences:` of a grid", DEFENCES),
        "canaries": ("canaries, under `canaries:` of a grid", {"canaries": Canaries}),
    }
    if as_schema:
        print_schema({"$schema": DRAFT, **schemas[kind]()}, Registry())
    else:
        _show_sections(*shown[kind], Console(highlight=False))
    return 0


def _show_sections(head: str, sections: Mapping[str, type[BaseModel]], console: Console) -> None:
    from fer_audit.grid_schema import summary

    console.print(head, style="bold", markup=False)
    for name, section in sections.items():
        _say(console, 2, (name, "cyan"), f"  {summary(section)}")
        for parameter, info in section.model_fields.items():
            default = info.get_default()
            shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
            _say(console, 4, (f"{parameter} = {shown}  {info.description or ''}".rstrip(), "dim"))


def _show_kind(registry: Registry, kind: str, console: Console) -> None:
    from fer_audit.grid_schema import PLACES

    console.print(f"{kind}s, under `{PLACES[kind]}:` of a grid", style="bold", markup=False)
    names = registry.names(kind)
    for name in names:
        _show(registry.classes[kind][name], console)
    if not names:
        console.print("  none")


def _show(cls: type[Plugin], console: Console) -> None:
    from fer_audit.grid_schema import said_of, summary
    from fer_audit.plugins import parameter_table

    _say(console, 2, (cls.address(), "cyan"), f"  {summary(cls)}")
    for word, text in [*_file(cls), *said_of(cls)]:
        _say(console, 4, f"{word}: {text}")
    for parameter, type_name, default, description in parameter_table(cls):
        _say(console, 4, (f"{parameter}: {type_name} = {default}  {description}".rstrip(), "dim"))


def _file(cls: type[Plugin]) -> Iterator[tuple[str, str]]:
    """The file of a plug-in of a folder."""
    from fer_audit.sources import FOLDER_MODULE

    if cls.__module__.startswith(FOLDER_MODULE):
        path, here = Path(inspect.getfile(cls)), Path.cwd()
        yield "file", str(path.relative_to(here) if path.is_relative_to(here) else path)


def _say(console: Console, indent: int, *parts: str | tuple[str, str]) -> None:
    """Prints styled parts: in a terminal what is too long hangs below its beginning; a program reads one line."""
    from rich.text import Text

    text = Text.assemble(*parts)
    if console.is_terminal:
        lines: list[Text] = list(text.wrap(console, max(console.width - indent - _HANG, _HANG)))
    else:
        lines = [text]
    for number, line in enumerate(lines):
        line.rstrip()
        console.print(Text(" " * (indent + _HANG * (number > 0))) + line, soft_wrap=True)
