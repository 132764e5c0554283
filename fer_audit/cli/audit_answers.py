"""`fer-audit audit` without a model: audits its answers alone."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fer_audit.cli.attack import parse_attacks
from fer_audit.cli.attack_table import say, show_attacks
from fer_audit.cli.options import plugin_folders
from fer_audit.errors import FerAuditError, SignalsError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.attacks.membership_attack import MembershipAttack
    from fer_audit.registry import Registry
    from fer_audit.runner.signals import SignalsAudit

#: Options that need images, or a model.
_OF_MODELS = (
    *("test", "references", "recipe", "workers", "queries", "measures", "epochs", "include_images"),
    *("size", "colour", "scaling", "layout", "outputs", "classes", "trust"),
)

_SHARE = 0.25
_SOME_FAILED = 3
_KIND = "membership-attack"


def audit_answers(options: argparse.Namespace, name: str, folder: Path, console: Console) -> int:
    """Attacks the answers and writes the report; 0 when every attack is done, 3 when some failed."""
    from fer_audit.registry import Registry
    from fer_audit.runner.signals import AttackError

    began, started = time.perf_counter(), datetime.now(UTC)
    audit, registry = _audit(options, name), Registry.load(plugin_folders(options))
    for warning in audit.audited.warnings if audit.audited else ():
        say(console, warning, style="yellow")
    found, failed = [], False
    for label, attack in _chosen(options, registry, audit, console):
        try:
            found.append((label, audit.run(attack)))
        except AttackError as error:
            failed = True
            say(console, f"failed: {label}: {error}", style="red")
    if not found:
        say(console, "no attack succeeded, so no report was written")
        return _SOME_FAILED
    held = audit.audited.calibration if audit.audited else None
    split = f"{held.members:,} members and {held.nonmembers:,} non-members set, which were not scored" if held else ""
    show_attacks([(label, one.result) for label, one in found], console, thresholds=split)
    from fer_audit.outside_code import outside_code
    from fer_audit.report.page import render
    from fer_audit.results import RunRecord, write_results, write_run
    from fer_audit.runner.records import write_records
    from fer_audit.runner.run import make_folder
    from fer_audit.runner.signals import RECORDS, row_columns

    named = {place.resolve(): str(place) for place in plugin_folders(options)}
    code = outside_code(registry, [registry.get(_KIND, one.result.attack.name) for _, one in found], named)
    digest = audit.audited.sha256 if audit.audited else ""
    make_folder(folder)
    write_records(folder / RECORDS, dict(found), row_columns(audit), digest)
    write_results(audit.results([one for _, one in found], digest, records=True, code=code), folder / "results.json")
    record = RunRecord(
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - began, 1),
        command=" ".join(sys.argv),
    )
    write_run(record, folder / "run.json")
    page = render(folder)
    if options.bundle is not None:
        from fer_audit.report.bundle import write_bundle

        write_bundle(folder, options.bundle)
        say(console, f"bundle: {options.bundle}")
    say(console, f"report: {page}")
    return _SOME_FAILED if failed else 0


def _audit(options: argparse.Namespace, name: str) -> SignalsAudit:
    from fer_audit.data.answer_files import read_answers
    from fer_audit.runner.model_audit.answers import answers_audit

    given = next((option for option in _OF_MODELS if getattr(options, option) not in (None, False)), None)
    if given is not None:
        raise FerAuditError(
            f"--{given.replace('_', '-')} is about a model or its images; without --model answers alone are audited"
        )
    share = _SHARE if options.calibration is None else options.calibration
    if not 0 < share < 1:
        raise FerAuditError(f"--calibration must lie between 0 and 1, received {share:g}")
    population = read_answers(options.population) if options.population else None
    audit = answers_audit(
        name,
        read_answers(options.members),
        read_answers(options.nonmembers),
        population,
        calibration=share,
        seed=options.seed,
    )
    audit.check()
    return audit


def _chosen(
    options: argparse.Namespace, registry: Registry, audit: SignalsAudit, console: Console
) -> list[tuple[str, MembershipAttack]]:
    """The attacks that were asked for, or all that can be run, telling why the others can't."""
    from fer_audit.cli.audit import tell_left_out
    from fer_audit.grid import PluginRef
    from fer_audit.runner.model_audit.without_references import WITHOUT_REFERENCES

    asked = parse_attacks(options.attacks) if options.attacks is not None else None
    names = registry.names(_KIND)
    refs = asked or [PluginRef(name=name, params=WITHOUT_REFERENCES.get(name, {})) for name in names]
    chosen, left_out = [], []
    for ref in refs:
        try:
            attack = cast("MembershipAttack", registry.create(_KIND, ref.name, ref.params))
            audit.check_attack(attack)
        except FerAuditError as error:
            if asked:
                raise
            left_out.append(str(error).removeprefix("membership attack "))
        else:
            chosen.append((ref.label, attack))
    tell_left_out(left_out, console)
    if not chosen:
        raise SignalsError("no membership attack can be run on these answers")
    return chosen
