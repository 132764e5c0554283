"""The kit in pytest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_audit.errors import PluginError
from fer_audit.plugins import Plugin
from fer_audit.testing.check import Check, CheckFailed, Crashed, NotApplicable, Subject
from fer_audit.testing.kit import checks_of, refuse_unknown
from fer_audit.testing.subjects import load_subjects

if TYPE_CHECKING:
    import pytest


def parametrize_checks(
    plugin: type[Plugin] | Path | Subject,
    *,
    params: Mapping[str, Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Runs a test once for each check of a plug-in, which it is given as `check` and calls.

    Args:
        plugin: its class, or the file that it lies in; all plug-ins of a file are checked.
        params: to check it with; none: its defaults.
        expected_failures: name of a check -> why the plug-in does not pass it. One that passes all the same is a
            failure of the test, so that reasons do not outlive what they excuse.

    Raises:
        PluginError: the file holds no plug-in or can't be imported, there is no such check, or a reason is empty.
    """
    import pytest

    if isinstance(plugin, Path):
        subjects = load_subjects(plugin, params=params)
    else:
        subjects = [plugin if isinstance(plugin, Subject) else Subject(plugin, params or {})]
    expected = expected_failures or {}
    for name, reason in expected.items():
        if not reason.strip():
            raise PluginError(f"expected_failures: {name!r} needs a reason, received none")
    checks = [check for subject in subjects for check in checks_of(subject)]
    refuse_unknown(expected, checks)
    rows = []
    for check in checks:
        told = check.name if len(subjects) == 1 else f"{check.subject.cls.name}-{check.name}"
        excuse = expected.get(check.name)
        marks = [] if excuse is None else [pytest.mark.xfail(reason=excuse, raises=CheckFailed, strict=True)]
        rows.append(pytest.param(_InPytest(check.rule, check.subject), id=told, marks=marks))
    return pytest.mark.parametrize("check", rows)


@dataclass(frozen=True)
class _InPytest(Check):
    """A check that skips the test where there is nothing to check."""

    def __call__(self) -> str:
        import pytest

        try:
            return super().__call__()
        except NotApplicable as reason:
            pytest.skip(str(reason))
        except Crashed:
            raise
        except CheckFailed as error:
            raise CheckFailed(f"{error}. {self.advice}") from error
