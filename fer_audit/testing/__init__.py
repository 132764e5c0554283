"""The conformance kit: checks that tell the author of a plug-in whether it is right, not only whether it runs.

On the command line it is `fer-audit check`; in a test file:

    from fer_audit.testing import Check, parametrize_checks

    @parametrize_checks(Path(__file__).with_name("my_attack.py"))
    def test_my_attack_conforms(check: Check) -> None:
        check()
"""

from __future__ import annotations

from fer_audit.testing.check import Check, CheckFailed, NotApplicable, Subject
from fer_audit.testing.kit import Verdict, checks_of, run_checks
from fer_audit.testing.parametrize import parametrize_checks
from fer_audit.testing.subjects import load_subject, load_subjects
from fer_audit.testing.toy_signals import toy_signals

__all__ = [
    "Check",
    "CheckFailed",
    "NotApplicable",
    "Subject",
    "Verdict",
    "checks_of",
    "load_subject",
    "load_subjects",
    "parametrize_checks",
    "run_checks",
    "toy_signals",
]
