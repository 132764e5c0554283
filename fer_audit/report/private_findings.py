"""What the results say of promises of privacy, and of other cells against private training that is as accurate."""

from __future__ import annotations

from collections.abc import Sequence

from fer_audit.report.audited import audited, refuted
from fer_audit.report.finding import Finding, Tone, counted, named
from fer_audit.report.matched import Matched, matched
from fer_audit.report.naming import attack_name
from fer_audit.report.numbers import loss, signed_decimal, with_interval
from fer_audit.report.table import Origin
from fer_audit.results import Results


def refuted_promises(results: Results) -> Finding | None:
    """The promise that a bound refutes most clearly, and how many others there are."""
    found = refuted(results)
    if not found:
        return None
    every = sum(one.audit.promised is not None for one in audited(results))
    text = (
        f"{found[0].text} The training, or its accounting, is then wrong, unless the bound is. {len(found):,} of "
        f"{counted(every, 'bound')} that are held against a promise lie above it."
    )
    return Finding("A promise of privacy is refuted", text, "bad", found[0].of)


def kept_promises(results: Results) -> Finding | None:
    """The bound that comes nearest to its promise, where none lies above it."""
    found = [one for one in audited(results) if one.audit.promised is not None]
    if not found or refuted(results):
        return None
    nearest = min(found, key=lambda one: (one.audit.promised or 0.0) - one.audit.lower_bound)
    able = sum(one.could_refute for one in found)
    text = (
        f"None of {counted(len(found), 'bound')} lies above its promise; nearest: {nearest.name}, where {nearest.by} "
        f"show at least {loss(nearest.audit.lower_bound)} of the {loss(nearest.audit.promised or 0.0)} promised for "
        f"{nearest.unit}. {able:,} could have: the caps of the others lie below. That is no proof of the promises."
    )
    return Finding("No promise of privacy is refuted", text, "plain" if able else "open", nearest.of)


def equal_accuracy(results: Results) -> Finding | None:
    """Whether cells leak more or less than private training that is as accurate."""
    found = [one for one in matched(results) if one.compared.difference.value is not None]
    if not found:
        return None
    more, less = (_furthest(found, sign) for sign in (1, -1))
    lead = f"Of {counted(len(found), 'comparison')} with private training of the same accuracy, "
    if not more and not less:
        widest = max(found, key=lambda one: abs(one.compared.difference.value or 0.0))
        text = f"{lead}none shows a difference in attack AUC. Largest: {_told(results, widest)}."
        title = "At equal accuracy no difference to private training can be shown"
        return Finding(title, text, "open", _of(widest))
    above, below = (sum(one.sign == sign for one in found) for sign in (1, -1))
    text = f"{lead}{above:,} show more leakage and {below:,} less."
    said = [(one, word) for one, word in ((more, "above"), (less, "below")) if one]
    text += "".join(f" Furthest {word}: {_told(results, one)}." for one, word in said)
    tone: Tone = "plain" if more and less else "bad" if more else "good"
    return Finding("Leakage at the accuracy of private training", text, tone, (*_of(more), *_of(less)))


def _furthest(found: Sequence[Matched], sign: int) -> Matched | None:
    """The one with the largest difference to that side among those that are shown."""
    shown = [one for one in found if one.sign == sign]
    return max(shown, key=lambda one: sign * (one.compared.difference.value or 0.0), default=None)


def _told(results: Results, one: Matched) -> str:
    difference = with_interval(one.compared.difference, signed_decimal)
    return f"{named(results, one.cell)}, by {attack_name(one.cell, one.attack)}, {difference} AUC"


def _of(one: Matched | None) -> tuple[Origin, ...]:
    return ((one.compared.difference, "value"),) if one else ()
