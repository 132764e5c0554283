"""Which checks a plug-in has to pass, and how they are run."""

from __future__ import annotations

import importlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fer_audit.errors import PluginError, did_you_mean
from fer_audit.testing.check import Check, CheckFailed, Crashed, NotApplicable, Subject

#: The module with the checks of each kind: `CHECKS`, and `result_digest(plugin)` of what it makes of a toy input.
MODULES: Mapping[str, str] = {
    "membership-attack": "fer_audit.testing.membership_attack_checks",
    "label-attack": "fer_audit.testing.label_attack_checks",
    "augmentation": "fer_audit.testing.augmentation_checks",
    "model": "fer_audit.testing.model_checks",
    "dataset": "fer_audit.testing.dataset_checks",
}

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Verdict:
    """What a check came to."""

    check: Check
    status: Status
    said: str  #: what was measured, what is wrong, or why it was skipped
    seconds: float
    advice: str = ""  #: where to look, where what the check looks at was reached


def module_of(kind: str) -> Any:
    """The module with the checks of a kind of plug-in."""
    return importlib.import_module(MODULES[kind])


def checks_of(subject: Subject) -> list[Check]:
    """All checks of a plug-in: those of every plug-in, then those of its kind."""
    from fer_audit.testing import plugin_checks

    return [Check(rule, subject) for rule in (*plugin_checks.CHECKS, *module_of(subject.kind).CHECKS)]


def refuse_unknown(names: Collection[str], checks: Collection[Check]) -> None:
    """Raises PluginError where a name is that of no check."""
    known = {check.name for check in checks}
    for name in names:
        if name not in known:
            raise PluginError(f"there is no check {name!r}: {did_you_mean(name, known)}")


def run_checks(subject: Subject, skip: Collection[str] = ()) -> Iterator[Verdict]:
    """Runs all checks of a plug-in but those named in `skip`, one after another; raises PluginError for other names."""
    checks = checks_of(subject)
    refuse_unknown(skip, checks)
    for check in checks:
        if check.name in skip:
            yield Verdict(check, "skipped", "as you asked", 0.0)
        else:
            yield _judged(check)


def _judged(check: Check) -> Verdict:
    began = time.perf_counter()
    status: Status = "ok"
    advice = ""
    try:
        said = check()
    except CheckFailed as error:
        status, said = "failed", str(error)
        advice = "" if isinstance(error, Crashed) else check.advice
    except NotApplicable as reason:
        status, said = "skipped", str(reason)
    return Verdict(check, status, said, time.perf_counter() - began, advice)
