"""The table of promises and of the lower bounds that audits hold against them."""

from __future__ import annotations

from dataclasses import replace

from fer_audit.report.audited import Audited, audited
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import UNKNOWN, decimal, loss, share
from fer_audit.report.table import Column, Entry, Table, field, identified, linked, measured, without, words
from fer_audit.results import CanaryAudit, Results

_OF_CANARIES = ("Guesses", "Correct", "AUC", "File")
_COLUMNS = (
    Column("Cell", numeric=False),
    Column("The promise", "refuted where a bound lies above it; that none does is no proof of it", numeric=False),
    Column("Audit", "what the bound comes from", numeric=False),
    Column("Epsilon \u2265", "lower bound on the privacy loss; the cap is the most that so few decisions could show"),
    Column("Epsilon \u2264", "promised of the very trainings that were audited, for the same unit"),
    Column("Confidence", "that the bound holds"),
    Column("Guesses", "canaries that the rule with the largest bound says something of"),
    Column("Correct", "of the guesses"),
    Column("AUC", "of canaries that were trained on against those that were not; 0.5 is chance"),
    Column("Decisions", "independent ones, of many trainings"),
    Column("File", "one line for every canary: its coin, label, score and guess", numeric=False),
)


def promises_table(results: Results) -> Table:
    """Every bound against its promise, those above it first."""
    seeds, found = several_seeds(results), sorted(audited(results), key=lambda one: not one.refuted)
    rows = [(identified(one.cell, seeds), *_row(one)) for one in found]
    table = Table("promises", "Promises and what audits show", _COLUMNS, tuple(rows), tools=True)
    canaries = sum(isinstance(one.audit, CanaryAudit) for one in found)
    table = table if canaries else without(table, *_OF_CANARIES)
    return table if canaries < len(found) else without(table, "Decisions")


def _row(one: Audited) -> tuple[Entry, ...]:
    audit = one.audit
    about = f"for {one.unit}\ndelta {audit.delta:g}, cap {loss(audit.cap)}"
    bound = replace(field(audit, "lower_bound", loss), note=about)
    sure = field(audit, "confidence", share)
    return (_word(one), words(one.by, audit.method), bound, field(audit, "promised", loss), sure, *_counts(one))


def _word(one: Audited) -> Entry:
    if one.audit.promised is None:
        return words(one.word)
    if one.refuted or one.could_refute:
        return Entry(one.word, sort=one.word, tone="bad" if one.refuted else "good")
    return Entry(one.word, sort=one.word, note="the cap lies below it: no such audit could refute it", tone="open")


def _counts(one: Audited) -> tuple[Entry, ...]:
    """What canaries have, and what many trainings have."""
    audit = one.audit
    if isinstance(audit, CanaryAudit):
        counts = field(audit, "guesses"), field(audit, "correct"), measured(audit.auc, decimal)
        return *counts, Entry(UNKNOWN), linked(audit.file)
    return *(Entry(UNKNOWN),) * 3, field(audit, "decisions"), Entry(UNKNOWN)
