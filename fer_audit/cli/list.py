"""`fer-audit list [KIND]`: shows the plug-ins and their parameters."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fer_audit.cli.options import add_plugins, plugin_folders

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.plugins import Plugin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    parser.add_argument(
        "kind", nargs="?", metavar="KIND", help="models, augmentations, attacks, datasets, measures, ..."
    )
    add_plugins(parser)


def execute(options: argparse.Namespace) -> int:
    """Prints name, first line of the docstring, and every parameter with type and default."""
    from rich.console import Console

    from fer_audit.registry import Registry

    if options.kind == "measures":
        _show_measures(Console(highlight=False))
        return 0
    kinds = _kinds(options.kind)
    registry = Registry.load(plugin_folders(options))
    registry.load_packages()
    console = Console(highlight=False)
    for kind in kinds:
        console.print(f"{kind}s", style="bold", markup=False)
        for name in registry.names(kind):
            _show(registry.get(kind, name), console)
    for broken in registry.broken:
        console.print(f"not loaded: {broken}", style="red", markup=False, soft_wrap=True)
    return 0


def _kinds(asked: str | None) -> list[str]:
    """The kinds that a word on the command line stands for: `models`, `attack`, `label-attacks`, ..."""
    from fer_audit.errors import PluginError, did_you_mean
    from fer_audit.plugins import KINDS

    if asked is None:
        return list(KINDS)
    word = asked.removesuffix("s")
    found = [kind for kind in KINDS if kind == word or kind.endswith(f"-{word}")]
    if not found:
        raise PluginError(f"unknown kind of plug-in {asked!r}: {did_you_mean(word, [*KINDS, 'attack'])}")
    return found


def _show_measures(console: Console) -> None:
    """The measures of a grid with their parameters, which are no plug-ins."""
    from fer_audit.measures_section import MEASURES

    console.print("measures, each `true` or with parameters under `measures:` of a grid", style="bold", markup=False)
    for name, section in MEASURES.items():
        summary = (inspect.getdoc(section) or "").partition("\n")[0]
        console.print(f"  {name}", style="cyan", end="", markup=False)
        console.print(f"  {summary}", markup=False, soft_wrap=True)
        for parameter, info in section.model_fields.items():
            default = info.get_default()
            shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
            console.print(f"      {parameter} = {shown}", style="dim", markup=False)


def _said_of(cls: type[Plugin]) -> Iterator[tuple[str, str]]:
    """What a membership attack says of itself beside its docstring."""
    from fer_audit.attacks.membership_attack import MembershipAttack

    if issubclass(cls, MembershipAttack):
        yield "threat model", cls.threat_model
        yield "needs", str(cls.needs)


def _show(cls: type[Plugin], console: Console) -> None:
    from fer_audit.plugins import parameter_table

    summary = (inspect.getdoc(cls) or "").partition("\n")[0]
    console.print(f"  {cls.name}", style="cyan", end="", markup=False)
    console.print(f"  {summary}", markup=False, soft_wrap=True)
    for word, text in _said_of(cls):
        console.print(f"      {word}: {text}", markup=False)
    for parameter, type_name, default, description in parameter_table(cls):
        console.print(f"      {parameter}: {type_name} = {default}  {description}", style="dim", markup=False)
