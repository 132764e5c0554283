"""Promises of privacy that were audited: which lower bounds lie above what training promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fer_audit.report.finding import counted
from fer_audit.report.naming import cell_name, several_seeds
from fer_audit.report.numbers import loss, share
from fer_audit.report.table import Origin
from fer_audit.results import CanaryAudit, Cell, Guarantee, ManyRunAudit, Results


@dataclass(frozen=True)
class Audited:
    """A lower bound on the privacy loss of a cell, and what training promises of it."""

    cell: Cell
    name: str  #: of the cell
    audit: CanaryAudit | ManyRunAudit

    @property
    def refuted(self) -> bool:
        """Whether the bound lies above the promise."""
        return self.audit.broken

    @property
    def word(self) -> str:
        """What became of the promise: refuted, not refuted, not testable, or nothing promised."""
        if self.audit.promised is None:
            return "nothing promised"
        if self.refuted:
            return "refuted"
        return "not refuted" if self.could_refute else "not testable"

    @property
    def by(self) -> str:
        """What the bound comes from, such as `256 mislabelled canaries of one training`."""
        if isinstance(self.audit, CanaryAudit):
            return f"{self.audit.count:,} {self.audit.kind} canaries of one training"
        return f"{self.audit.attack.name if self.audit.attack else 'no attack'} on many trainings"

    @property
    def unit(self) -> str:
        """Whose presence the promise hides, such as `one image`."""
        if isinstance(self.audit, CanaryAudit):
            return "one image" if self.audit.unit == "image" else f"{self.audit.copies:,} copies of an image"
        return "one image" if self.audit.unit == "row" else person(self.audit.guarantee)

    @property
    def could_refute(self) -> bool:
        """Whether so many decisions could have given a bound above the promise."""
        return self.audit.promised is not None and self.audit.cap > self.audit.promised

    @property
    def text(self) -> str:
        """Which bound and which promise, in a sentence."""
        bound = f"{self.by} show a privacy loss of at least {loss(self.audit.lower_bound)}"
        sure = f"with {share(self.audit.confidence)} confidence"
        if self.audit.promised is None:
            return f"{self.name}: {bound} for {self.unit} {sure}; nothing is promised."
        told = f"epsilon {loss(self.audit.promised)} (delta {self.audit.delta:g}) is promised for {self.unit}"
        return f"{self.name}: {told}, and {bound} {sure}."

    @property
    def of(self) -> tuple[Origin, ...]:
        """Where the bound and the promise stand."""
        return (self.audit, "lower_bound"), (self.audit, "promised")


def person(guarantee: Guarantee | None) -> str:
    """A person as a promise about people calls them."""
    group = guarantee.group if guarantee else None
    return f"a person with up to {counted(group.images, 'image')}" if group else "a person"


def audited(results: Results) -> list[Audited]:
    """Every lower bound that canaries or many trainings give, cell by cell."""
    seeds = several_seeds(results)
    return [Audited(cell, cell_name(cell, seeds), audit) for cell in results.cells for audit in _audits(cell)]


def _audits(cell: Cell) -> Iterator[CanaryAudit | ManyRunAudit]:
    yield from filter(None, (cell.canaries, cell.many_runs))


def refuted(results: Results) -> list[Audited]:
    """The promises of privacy that a bound refutes, that with the bound furthest above it first.

    A run with one of them ends as one that breaks a gate.
    """
    return sorted((one for one in audited(results) if one.refuted), key=lambda one: -_beyond(one))


def _beyond(one: Audited) -> float:
    return one.audit.lower_bound - (one.audit.promised or 0.0)
