"""`fer-audit cost MODEL ...`: what models cost, and whether a claimed saving is one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fer_audit.cli.claim import Claim, claim_json, parse_claim, show_claim, structured_claim
from fer_audit.cli.options import add_plugins, plugin_folders
from fer_audit.cli.references import parse_reference
from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.models.model import Model
    from fer_audit.training.costs import ModelCost

#: Version of the JSON: `format`, `size`, `classes`, `device`, `models` (`ModelCost.as_json`), `claim` (`claim_json`).
FORMAT = "fer-audit-cost-1"

_MOST_PIXELS = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cost`."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model, such as ghostface or 'name(param=value)'")
    parser.add_argument("--size", type=int, default=224, metavar="PX", help="pixels a side of an image (default: 224)")
    parser.add_argument("--classes", type=int, default=7, metavar="N", help="classes to tell apart (default: 7)")
    add_plugins(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything, each layer too, to FILE")
    parser.add_argument("--layers", action="store_true", help="show every layer, of every model")
    parser.add_argument("--no-latency", action="store_true", help="do not measure speed")
    parser.add_argument(
        "--claim", metavar="TEXT", help="check a saving that was published, such as '12.66%% vs efficientface'"
    )
    parser.add_argument("--claim-value", metavar="PERCENT", help="the saving alone; needs --against")
    parser.add_argument("--against", metavar="MODEL", help="the model that is said to cost more")


def execute(options: argparse.Namespace) -> int:
    """Prints costs, or the finding about a claim."""
    from rich.console import Console

    claim = _asked_claim(options)
    models = _models(_references(options, claim), plugin_folders(options))
    console = Console(highlight=False)
    device, costs = _measured(models, options, console, speed=claim is None and not options.no_latency)
    finding = None
    if claim is None:
        _show(costs, device, options, console)
    else:
        finding = _show_claim(claim, costs, console)
    if options.json:
        _write(options, device, costs, finding)
    return 0


def _asked_claim(options: argparse.Namespace) -> Claim | None:
    """The claim of the options, which are checked along the way."""
    if not 1 <= options.size <= _MOST_PIXELS:
        raise FerAuditError(f"--size must be 1 to {_MOST_PIXELS} pixels, received {options.size}")
    if options.classes < 1:
        raise FerAuditError(f"--classes must be at least 1, received {options.classes}")
    if options.json and not options.json.absolute().parent.is_dir():
        raise FerAuditError(f"--json: the folder of {options.json} does not exist; make it first")
    if options.json and options.json.is_dir():
        raise FerAuditError(f"--json: expected a file such as cost.json, received the folder {options.json}")
    if (options.claim_value is None) != (options.against is None):
        raise FerAuditError("--claim-value and --against belong together: a percentage, and the other model")
    if options.claim is not None and options.against is not None:
        raise FerAuditError("expected either --claim or --claim-value with --against, received both")
    if options.claim is not None:
        return parse_claim(options.claim)
    return structured_claim(options.claim_value, options.against) if options.against is not None else None


def _references(options: argparse.Namespace, claim: Claim | None) -> Sequence[tuple[str, str]]:
    """What is to be measured, and where on the command line it stands; of a claim, its own model comes first."""
    named = [(model, "MODEL") for model in options.models]
    if claim is None:
        if not named:
            raise FerAuditError("no model named; expected fer-audit cost MODEL; fer-audit list models shows them")
        return named
    if claim.ours is not None:
        named.append((claim.ours, "--claim"))
    if len(named) != 1:
        raise FerAuditError(
            f"a claim is about one model, in front of --claim or inside it: "
            f"fer-audit cost ghostface-origin --claim '12.66% vs efficientface'; received {len(named)} models"
        )
    return [*named, (claim.theirs, "--claim" if options.claim is not None else "--against")]


def _models(references: Sequence[tuple[str, str]], folders: Sequence[Path]) -> Sequence[tuple[str, Model]]:
    from fer_audit.registry import Registry

    refs = [parse_reference(item, place) for item, place in references]
    registry = Registry.load(folders)
    return [(ref.label, cast("Model", registry.create("model", ref.name, ref.params))) for ref in refs]


def _measured(
    models: Sequence[tuple[str, Model]], options: argparse.Namespace, console: Console, *, speed: bool
) -> tuple[str, list[ModelCost]]:
    """What it runs on, and the cost of each model."""
    from fer_audit.training.one_thread import start_on_one_thread

    with console.status("starting TensorFlow") as status:
        device = start_on_one_thread()
        from fer_audit.training.costs import measure_cost

        costs = []
        for label, model in models:
            status.update(f"measuring {label}")
            costs.append(measure_cost(model, label, options.size, options.classes, speed=speed))
    return device, costs


def _show(costs: Sequence[ModelCost], device: str, options: argparse.Namespace, console: Console) -> None:
    from fer_audit.cli.cost_tables import show_layers, show_totals

    show_totals(costs, device, console)
    if options.layers or len(costs) == 1:
        for cost in costs:
            show_layers(cost, console, everything=options.layers)


def _show_claim(claim: Claim, costs: Sequence[ModelCost], console: Console) -> dict[str, Any]:
    from fer_audit.metrics.claims import check_claim

    ours, theirs = costs
    check = check_claim(claim.percent, claim.digits, ours.counts(), theirs.counts())
    show_claim(check, ours, theirs, console, claim.unit)
    return claim_json(check, ours, theirs)


def _write(
    options: argparse.Namespace, device: str, costs: Sequence[ModelCost], finding: dict[str, Any] | None
) -> None:
    content = {
        "format": FORMAT,
        "size": options.size,
        "classes": options.classes,
        "device": device,
        "models": [cost.as_json() for cost in costs],
        "claim": finding,
    }
    options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
