"""`fer-audit attack SIGNALS`: attacks what models answered, whoever trained them, and writes the report."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fer_audit.cli.attack_table import say, show_attacks
from fer_audit.cli.options import add_plugins, add_reports, plugin_folders
from fer_audit.cli.references import parse_reference, split_references
from fer_audit.errors import FerAuditError, PluginError, SignalsError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.attacks.audit import Audited
    from fer_audit.attacks.membership_attack import MembershipAttack
    from fer_audit.grid import PluginRef
    from fer_audit.registry import Registry
    from fer_audit.results import SourceFile
    from fer_audit.runner.signals import SignalsAudit

_SOME_FAILED = 3
_KIND = "membership-attack"

Chosen = list[tuple[str, "MembershipAttack"]]  #: label and attack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `attack`."""
    parser.add_argument(
        "signals", type=Path, metavar="SIGNALS", help="an .npz file with logits, keep and labels, see the README"
    )
    parser.add_argument(
        "--attacks",
        metavar="LIST",
        help="such as loss-threshold,'shadow-mia(classifier=random-forest)' (default: all whose needs are met)",
    )
    add_plugins(parser)
    parser.add_argument("--name", metavar="NAME", help="of the report (default: the file's name)")
    parser.add_argument("--targets", type=_targets, metavar="0,1,...", help="models to audit (default: each in turn)")
    parser.add_argument(
        "--slices", type=Path, metavar="CSV", help="groups of rows: a header, a line for each row, a column a grouping"
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the bootstrap (default: 0)")
    parser.add_argument(
        "--confidence", type=_confidence, default=0.95, metavar="P", help="of all intervals (default: 0.95)"
    )
    parser.add_argument(
        "--records",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write the exposure of every row to records.csv (default: yes)",
    )
    add_reports(parser, "NAME")


def execute(options: argparse.Namespace) -> int:
    """Attacks, prints a table and writes the report; 0 when every attack is done, 3 when some failed."""
    from rich.console import Console

    from fer_audit.registry import Registry

    began, started = time.perf_counter(), datetime.now(UTC)
    console = Console(highlight=False)
    registry, audit = Registry.load(plugin_folders(options)), _audit(options)
    folder = options.reports / audit.name
    _check_folder(folder)
    attacks, left_out = _chosen(options.attacks, registry, audit)
    for line in left_out:
        say(console, line)
    found, failures = _attacked(audit, attacks, console)
    for failure in failures:
        say(console, failure, style="red")
    if not found:
        say(console, "no attack succeeded, so no report was written")
        return _SOME_FAILED
    targets = "1 target" if len(audit.targets) == 1 else f"{len(audit.targets)} targets"
    attacked = [(label, one.result) for label, one in found]
    show_attacks(attacked, console, thresholds=f"other models chose, over {targets}")
    seconds = round(time.perf_counter() - began, 1)
    code = _code(options, registry, attacks)
    page = _written(options, audit, found, folder, code, started=started, seconds=seconds)
    say(console, f"report: {page}")
    return _SOME_FAILED if failures else 0


def _audit(options: argparse.Namespace) -> SignalsAudit:
    """What is to be audited, checked."""
    from fer_audit.attacks.signals import Signals
    from fer_audit.runner.signals import SignalsAudit, read_families

    signals = Signals.load(options.signals)
    targets = list(range(signals.models)) if options.targets is None else options.targets
    families = read_families(options.slices, signals.rows) if options.slices else {}
    audit = SignalsAudit(_name(options), signals, targets, families, options.seed, options.confidence)
    try:
        audit.check()
    except SignalsError as error:
        raise SignalsError(f"{options.signals}: {error}") from None
    return audit


def _name(options: argparse.Namespace) -> str:
    if options.name is None:
        return re.sub(r"[^\w.-]+", "-", options.signals.stem).strip("-.") or "signals"
    if not re.fullmatch(r"\w[\w.-]*", options.name):
        raise FerAuditError(f"--name must be letters, digits, '-', '_' and '.', received {options.name!r}")
    return str(options.name)


def _check_folder(folder: Path) -> None:
    """Results of a grid took long to make; they are not overwritten."""
    from fer_audit.runner.signals import PLUGIN

    try:
        known = json.loads((folder / "results.json").read_text(encoding="utf-8"))["dataset"]["plugin"]["name"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if known != PLUGIN:
        raise FerAuditError(f"{folder} holds the results of a grid; choose another --name or --reports")


def _chosen(text: str | None, registry: Registry, audit: SignalsAudit) -> tuple[Chosen, list[str]]:
    """The attacks that were asked for, or all that can be run, and why the others can't."""
    if text is not None:
        attacks = [(ref.label, _created(registry, ref)) for ref in parse_attacks(text)]
        for _, attack in attacks:
            audit.check_attack(attack)
        return attacks, []
    attacks, left_out = [], []
    for name in registry.names(_KIND):
        try:
            attack = cast("MembershipAttack", registry.create(_KIND, name))
            audit.check_attack(attack)
        except FerAuditError as error:
            left_out.append(f"left out: {str(error).removeprefix('membership attack ')}")
        else:
            attacks.append((name, attack))
    if not attacks:
        raise SignalsError(f"no membership attack can be run on these signals; {'; '.join(left_out)}")
    return attacks, left_out


def _created(registry: Registry, ref: PluginRef) -> MembershipAttack:
    return cast("MembershipAttack", registry.create(_KIND, ref.name, ref.params))


def parse_attacks(text: str) -> list[PluginRef]:
    """Plug-ins as `PluginRef.label` writes them, separated by commas; raises PluginError."""
    refs = [parse_reference(item, "--attacks") for item in split_references(text, "--attacks")]
    labels = [ref.label for ref in refs]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise PluginError(f"--attacks names {twice!r} twice; each attack is run once")
    return refs


def _attacked(audit: SignalsAudit, attacks: Chosen, console: Console) -> tuple[list[tuple[str, Audited]], list[str]]:
    """What each attack found, and why others failed."""
    from fer_audit.runner.signals import AttackError

    found, failures = [], []
    for place, (label, attack) in enumerate(attacks, 1):
        try:
            with _status(console, f"{label} ({place} of {len(attacks)})"):
                found.append((label, audit.run(attack)))
        except AttackError as error:
            failures.append(f"failed: {label}: {error}")
    return found, failures


def _status(console: Console, text: str) -> Any:
    import contextlib

    from rich.text import Text

    return console.status(Text(text)) if console.is_terminal else contextlib.nullcontext()


def _code(options: argparse.Namespace, registry: Registry, attacks: Chosen) -> list[SourceFile]:
    """The files from outside fer-audit that the attacks lie in, or that were imported beside them."""
    from fer_audit.outside_code import outside_code

    named = {folder.resolve(): str(folder) for folder in plugin_folders(options)}
    return outside_code(registry, [type(attack) for _, attack in attacks], named)


def _written(
    options: argparse.Namespace,
    audit: SignalsAudit,
    found: Sequence[tuple[str, Audited]],
    folder: Path,
    code: list[SourceFile],
    *,
    started: datetime,
    seconds: float,
) -> Path:
    """Writes everything into `folder`; returns the page's path."""
    from fer_audit.report.page import render
    from fer_audit.results import RunRecord, write_results, write_run
    from fer_audit.runner.records import write_records
    from fer_audit.runner.signals import RECORDS, file_digest, row_columns

    digest = file_digest(options.signals)
    results = audit.results([one for _, one in found], digest, records=options.records, code=code)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FerAuditError(f"can't write the report to {folder}: {error.strerror}; choose another --reports") from None
    if options.records:
        write_records(folder / RECORDS, dict(found), row_columns(audit), digest)
    else:
        (folder / RECORDS).unlink(missing_ok=True)
    write_results(results, folder / "results.json")
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    record = RunRecord(started=started.isoformat(timespec="seconds"), finished=finished, seconds=seconds)
    write_run(record.model_copy(update={"command": " ".join(sys.argv)}), folder / "run.json")
    return render(folder)


def _targets(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise FerAuditError(f"--targets must be different models from 0, such as 0,1, received {text!r}")
    return [int(part) for part in parts]


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise FerAuditError(f"--seed must be a whole number from 0, received {text!r}")
    return int(text)


def _confidence(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.5 <= value < 1:
        raise FerAuditError(f"--confidence must be at least 0.5 and below 1, received {text!r}")
    return value
