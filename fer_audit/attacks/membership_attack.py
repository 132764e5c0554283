"""The contract of a membership attack: it scores, from what models answered, which rows a target was trained on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from fer_audit.attacks.signals import Labels, Mask, Signals, read_only
from fer_audit.errors import PluginError, SignalsError
from fer_audit.plugins import Parameters, Plugin

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Needs:
    """What an attack can't do without."""

    references: int = 0  #: reference models; an attack that needs none is shown none
    population: bool = False  #: rows that no model trained on
    queries: int = 1  #: queries to each model
    loss_trace: bool = False  #: the loss of every row after every epoch


@dataclass(frozen=True, eq=False)
class TargetView:
    """What an attack sees: one target and its references. Which rows the target trained on is not in it.

    Logits are float64 and hold the chosen queries only; nothing may be written into the arrays.
    """

    logits: Floats  #: (N, Q, C) of the target
    references: Floats  #: (R, N, Q, C)
    reference_keep: Mask  #: (R, N), whether reference r trained on row i
    labels: Labels  #: (N,)
    subjects: npt.NDArray[Any] | None  #: (N,)
    population: Floats | None  #: (Z, Q, C) of the target
    reference_population: Floats | None  #: (R, Z, Q, C)
    population_labels: Labels | None  #: (Z,)
    #: (N, E), loss of the target on each row after each epoch, for an attack that needs it
    loss_trace: Floats | None = None
    reference_loss_trace: Floats | None = None  #: (R, N, E)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Declares a fallback that the attack took; it is shown beside the results."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of one target, and the fallbacks that were taken to get them."""

    scores: Floats  #: (N,), larger means more likely a member
    notes: tuple[str, ...]


class AttackParameters(Parameters):
    """Parameters that every membership attack has."""

    queries: Literal["all"] | tuple[int, ...] = Field("all", description="indices of the queries to use, or all")

    @field_validator("queries")
    @classmethod
    def _some_queries(cls, queries: Literal["all"] | tuple[int, ...]) -> Literal["all"] | tuple[int, ...]:
        if queries != "all" and (not queries or min(queries) < 0 or len(set(queries)) < len(queries)):
            raise ValueError("expected 'all' or one or more different indices from 0")
        return queries


class MembershipAttack(Plugin):
    """A score for "the target trained on this row". Authors declare `threat_model` and `needs` and write `infer`."""

    kind: ClassVar[str] = "membership-attack"
    threat_model: ClassVar[str]  #: what the attacker knows and may ask, in one sentence
    needs: ClassVar[Needs] = Needs()
    #: Whether a row's score depends on no other row. An attack that learns from other rows' membership must leave it
    #: False: its errors on the targets of an audit are then related, and intervals have to be wider.
    scores_rows_apart: ClassVar[bool] = False

    class Params(AttackParameters):
        """Parameters of an attack that has none of its own."""

    params: AttackParameters

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in vars(cls) and not getattr(cls, "threat_model", ""):
            raise PluginError(f"membership attack {cls.name!r} must declare its threat_model, one sentence")

    @final
    def score(self, signals: Signals, target: int = 0, *, references: Sequence[int] | None = None) -> Floats:
        """Scores float64 (N,) of the pool rows, larger meaning more likely a member of `target`.

        Args:
            signals: of the target and of the reference models.
            target: the audited model.
            references: models to use as references. None means all others; an audit leaves some of them out, see
                `fer_audit.attacks.audit.references_of`.

        Raises:
            SignalsError: the signals lack what the attack needs.
            PluginError: the attack returned something else than scores.
        """
        return self.scored(signals, target, references=references).scores

    @final
    def scored(self, signals: Signals, target: int = 0, *, references: Sequence[int] | None = None) -> Scored:
        """Like `score`, with the fallbacks that the attack declared."""
        chosen = self._references(signals, target, references)
        self.check_needs(len(chosen), self._population(signals) is not None, len(self._queries(signals)))
        if self.needs.loss_trace and signals.loss_trace is None:
            raise SignalsError(
                f"membership attack {self.name!r} needs loss_trace, the loss of every row after every epoch; the "
                f"signals have none"
            )
        view = self._view(signals, target, chosen if self.needs.references else [])
        return Scored(self._checked(self.infer(view), signals.rows), tuple(view.notes))

    @final
    def check_needs(self, references: int, population: bool, queries: int | None = None) -> None:
        """Raises SignalsError where there are fewer references or queries than needed, or no population."""
        missing = []
        if references < self.needs.references:
            missing.append(f"at least {self.needs.references} reference models besides the target, has {references}")
        if self.needs.population and not population:
            missing.append("a population: rows that no model trained on, has none")
        if queries is not None and queries < self.needs.queries:
            missing.append(f"at least {self.needs.queries} queries, has {queries}")
        if missing:
            raise SignalsError(f"membership attack {self.name!r} needs {'; and '.join(missing)}")

    @final
    def check_plan(self, references: int, population: bool, queries: int) -> None:
        """Raises SignalsError where signals of so many references and queries would not do, before any are made."""
        if self.params.queries != "all" and max(self.params.queries) >= queries:
            raise SignalsError(
                f"membership attack {self.name!r}: queries must lie within 0..{queries - 1}, received "
                f"{list(self.params.queries)}"
            )
        self.check_needs(references, population, queries if self.params.queries == "all" else len(self.params.queries))

    @abstractmethod
    def infer(self, view: TargetView) -> Floats:
        """Scores float64 (N,), larger meaning more likely a member; infinite ones are allowed, NaN is not."""

    def _references(self, signals: Signals, target: int, references: Sequence[int] | None) -> list[int]:
        if not 0 <= target < signals.models:
            raise SignalsError(f"expected a target within 0..{signals.models - 1}, received {target}")
        if references is None:
            return [model for model in range(signals.models) if model != target]
        chosen = list(references)
        if not all(0 <= model < signals.models for model in chosen):
            raise SignalsError(f"expected references within 0..{signals.models - 1}, received {chosen}")
        return chosen

    def _queries(self, signals: Signals) -> list[int]:
        if self.params.queries == "all":
            return list(range(signals.queries))
        chosen = list(self.params.queries)
        if max(chosen) >= signals.queries:
            raise SignalsError(
                f"membership attack {self.name!r}: queries must lie within 0..{signals.queries - 1}, received {chosen}"
            )
        return chosen

    def _population(self, signals: Signals) -> npt.NDArray[Any] | None:
        """The population's logits (M, Z, Q', C), or None where they lack one of the chosen queries."""
        population = signals.population_logits
        return None if population is None or max(self._queries(signals)) >= population.shape[2] else population

    def _view(self, signals: Signals, target: int, references: list[int]) -> TargetView:
        queries, population = self._queries(signals), self._population(signals)
        trace = signals.loss_trace if self.needs.loss_trace else None
        return TargetView(
            logits=_frozen(signals.logits[target][:, queries]),
            references=_frozen(signals.logits[np.ix_(references, range(signals.rows), queries)]),
            reference_keep=read_only(signals.keep[references]),
            labels=signals.labels,
            subjects=signals.subjects,
            population=None if population is None else _frozen(population[target][:, queries]),
            reference_population=(None if population is None else _frozen(population[references][:, :, queries])),
            population_labels=None if population is None else signals.population_labels,
            loss_trace=None if trace is None else _frozen(trace[target]),
            reference_loss_trace=None if trace is None else _frozen(trace[references]),
        )

    def _checked(self, scores: Floats, rows: int) -> Floats:
        if not isinstance(scores, np.ndarray) or scores.shape != (rows,) or scores.dtype != np.float64:
            given = f"{scores.dtype} {scores.shape}" if isinstance(scores, np.ndarray) else type(scores).__name__
            raise PluginError(
                f"membership attack {self.name!r} must return float64 scores of shape {(rows,)}, received {given}"
            )
        if np.isnan(scores).any():
            raise PluginError(
                f"membership attack {self.name!r} must not return NaN, received {np.isnan(scores).sum()} in {rows} rows"
            )
        return scores


def _frozen(logits: npt.NDArray[Any]) -> Floats:
    """A float64 copy that can't be written into."""
    return read_only(logits.astype(np.float64))
