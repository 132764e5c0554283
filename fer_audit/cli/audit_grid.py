"""The options of `fer-audit audit` as a grid, which says the same and can be run again."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fer_audit.cli.options import plugin_folders
from fer_audit.errors import FerAuditError, did_you_mean

if TYPE_CHECKING:
    from fer_audit.grid import GridFile, PluginRef

#: What a recipe gives: the family of the references and how they are trained.
_RECIPE = ("models", "augmentations", "defences", "training")

_NAME = r"\w[\w.-]*"

#: What is asked, and what is measured, where nothing else is said.
_QUERIES, _MEASURED = "identity,flip", "batch-invariance"


def audit_name(options: argparse.Namespace) -> str:
    """The name of the report: the option, or that of the last model or of the members; raises FerAuditError."""
    if options.name is None:
        last = Path(options.model[-1].partition(".py:")[0] if options.model else options.members)
        return re.sub(r"[^\w.-]+", "-", last.stem).strip("-.") or "audit"
    if not re.fullmatch(_NAME, options.name):
        raise FerAuditError(f"--name must be letters, digits, '-', '_' and '.', received {options.name!r}")
    return str(options.name)


def audit_grid(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The grid of the options as YAML has it, its paths relative to `folder`; raises FerAuditError."""
    grid: dict[str, Any] = {"name": audit_name(options)}
    lists = {name: getattr(options, name) for name in ("members", "nonmembers", "population", "test")}
    params: dict[str, Any] = {name: _relative(path, folder) for name, path in lists.items() if path is not None}
    if options.references is not None and options.population is None:
        params["population_fraction"] = 0  # references may have been trained on any of the non-members
    grid["dataset"] = {"name": "member-lists", "params": params}
    audit: dict[str, Any] = {"models": _models(options, folder)}
    if options.calibration is not None:
        audit["calibration"] = options.calibration
    if options.references is not None:
        audit["references"] = _relative(options.references, folder)
    grid["audit"] = audit
    recipe, theirs = _recipe(options)
    grid |= recipe
    queries = [query.strip() for query in (options.queries or _QUERIES).split(",")]
    grid["privacy"] = {**grid.get("privacy", {}), "queries": queries}
    measures = list(_measures(_MEASURED if options.measures is None else options.measures))
    if measures:
        grid["measures"] = dict.fromkeys(measures, True)
    grid["seeds"] = [options.seed]
    plugins = list(dict.fromkeys(_relative(plugin, folder) for plugin in [*plugin_folders(options), *theirs]))
    if plugins:
        grid["plugins"] = plugins
    if options.include_images:
        grid["include_images"] = True
    return grid


def with_attacks(grid: Mapping[str, Any], attacks: Sequence[PluginRef]) -> dict[str, Any]:
    """The same grid with membership attacks."""
    named = [{"name": ref.name, "params": ref.params} if ref.params else ref.name for ref in attacks]
    return {**grid, "attacks": {"membership": named}}


def grid_of(values: Mapping[str, Any], path: Path) -> GridFile:
    """The grid that would be read from `path`; raises GridError."""
    from fer_audit.grid import parse_grid

    head = "# What `fer-audit audit` was asked; `fer-audit run` on this file does the same again.\n"
    text = head + yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=110)
    return parse_grid(text, path)


def _measures(text: str) -> Iterator[str]:
    """The measures that are named, as a grid writes them; raises FerAuditError for others."""
    from fer_audit.measures_section import MEASURES

    known = sorted(name.replace("_", "-") for name in MEASURES)
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in known:
            raise FerAuditError(f"--measures: unknown measure {name!r}: {did_you_mean(name, known)}")
        yield name.replace("-", "_")


def _models(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    preprocessing = _preprocessing(options)
    models: list[dict[str, Any]] = []
    for address in options.model:
        path, code, function = address.partition(".py:")
        file = f"{_relative(path + '.py', folder)}:{function}" if code else _relative(address, folder)
        model: dict[str, Any] = {"file": file}
        if preprocessing:
            model["preprocessing"] = preprocessing
        models.append(model | ({"trust": True} if options.trust else {}))
    names = [Path(model["file"]).name for model in models]
    for model, name in zip(models, names, strict=True):
        if names.count(name) > 1:  # such as saved-model folders of one name in folders of several
            model["name"] = Path(model["file"]).as_posix().replace("../", "")
    for model, epochs in zip(models, _epochs(options), strict=False):
        model["checkpoint"] = epochs
    return models


def _epochs(options: argparse.Namespace) -> list[int]:
    if options.epochs is None:
        return []
    parts = [part.strip() for part in options.epochs.split(",")]
    if not all(part.isdecimal() for part in parts) or len(parts) != len(options.model):
        raise FerAuditError(
            f"--epochs must be a whole number for each of the {len(options.model)} models, such as 5,10,20, received "
            f"{options.epochs!r}"
        )
    return [int(part) for part in parts]


def _preprocessing(options: argparse.Namespace) -> dict[str, Any]:
    named = {name: getattr(options, name) for name in ("size", "colour", "layout", "outputs")}
    given = {name: value for name, value in named.items() if value is not None}
    if options.scaling is not None:
        given["scaling"] = _scaling(options.scaling)
    if options.classes is not None:
        given["classes"] = [name.strip() for name in options.classes.split(",")]
    return given


def _scaling(text: str) -> Any:
    """A named scaling, or `mean=.5,.5,.5 std=.5,.5,.5`."""
    found = re.fullmatch(r"mean=([^ ]+) +std=([^ ]+)", text.strip())
    if found is None:
        return text
    try:
        mean, std = ([float(number) for number in part.split(",")] for part in found.groups())
    except ValueError:
        raise FerAuditError(f"--scaling: expected 'mean=.5,.5,.5 std=.5,.5,.5', received {text!r}") from None
    return {"mean": mean, "std": std}


def _recipe(options: argparse.Namespace) -> tuple[dict[str, Any], list[Path]]:
    """What another grid says of how models are trained, for references in its likeness, and its plug-in folders."""
    if options.recipe is None:
        return {}, []
    from fer_audit.grid import read_grid

    file = read_grid(options.recipe)  # so that what is wrong in it is told of it, with its line
    values = yaml.safe_load(options.recipe.read_text(encoding="utf-8"))
    recipe = {name: values[name] for name in _RECIPE if name in values}
    privacy = values.get("privacy") or {}
    if "references" in privacy:
        recipe["privacy"] = {"references": privacy["references"]}
    return recipe, file.plugin_folders


def _relative(path: Path | str, folder: Path) -> str:
    """`path`, which is relative to here, as it is relative to `folder`."""
    return Path(os.path.relpath(path, folder)).as_posix()
