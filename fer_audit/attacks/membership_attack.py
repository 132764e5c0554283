"""The contract of a membership attack: it scores, from what models answered, which rows a target was trained on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from pydantic import Field, field_validator

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.signals import Signals
from fer_audit.attacks.target_view import TargetView
from fer_audit.errors import PluginError, SignalsError
from fer_audit.plugins import Parameters, Plugin

__all__ = ["AttackParameters", "Floats", "MembershipAttack", "Needs", "Scored", "TargetView"]


@dataclass(frozen=True)
class Needs:
    """What an attack can't do without."""

    references: int = 0  #: reference models; an attack that needs none is shown none
    population: bool = False  #: rows that no model trained on
    queries: int = 1  #: queries to each model
    loss_trace: bool = False  #: the loss of every row after every epoch
    subjects: bool = False  #: who is on each row

    def __str__(self) -> str:
        found = [f"{self.references} or more references"] if self.references else []
        found += [f"{self.queries} or more queries"] if self.queries > 1 else []
        flags = {"a population": self.population, "losses of every epoch": self.loss_trace, "subjects": self.subjects}
        return ", ".join([*found, *(name for name, wanted in flags.items() if wanted)]) or "nothing"


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
    #: What is a member or not: each row, or each subject, whose rows then all have one score.
    unit: ClassVar[Literal["row", "subject"]] = "row"

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
        chosen, needed = self._references(signals, target, references), self.needed()
        queries = self._queries(signals)
        asked = 0 if signals.population is None else sum(q < signals.population.logits.shape[2] for q in queries)
        self._check(
            references=len(chosen),
            population=asked > 0,
            queries=len(queries),
            loss_trace=signals.loss_trace is not None,
            subjects=signals.subjects is not None,
        )
        view = TargetView(
            signals,
            target,
            references=chosen if needed.references else [],
            queries=queries,
            trace=needed.loss_trace,
        )
        return Scored(self._checked(self.infer(view), signals.rows), tuple(view.notes))

    def needed(self) -> Needs:
        """`needs`, unless they depend on the parameters."""
        return self.needs

    def thresholds_by_class(self) -> bool:
        """Whether an audit sets one decision threshold a class instead of one for all."""
        return False

    @final
    def _check(self, *, references: int, population: bool, queries: int, loss_trace: bool, subjects: bool) -> None:
        """Raises SignalsError with everything that is missing."""
        needed, missing = self.needed(), []
        if references < needed.references:
            missing.append(f"at least {needed.references} reference models besides the target, has {references}")
        if needed.population and not population:
            missing.append("a population: rows that no model trained on, has none")
        if queries < needed.queries:
            missing.append(f"at least {needed.queries} queries, has {queries}")
        if needed.loss_trace and not loss_trace:
            missing.append("loss_trace, the loss of every row after every epoch; the signals have none")
        if needed.subjects and not subjects:
            missing.append("subjects, which say who is on each row; there are none")
        if missing:
            raise SignalsError(f"membership attack {self.name!r} needs {'; and '.join(missing)}")

    @final
    def check_plan(self, *, references: int, population: bool, queries: int, subjects: bool) -> None:
        """Raises SignalsError where signals of this kind would not do, before any are made."""
        if self.params.queries != "all" and max(self.params.queries) >= queries:
            raise SignalsError(
                f"membership attack {self.name!r}: queries must lie within 0..{queries - 1}, received "
                f"{list(self.params.queries)}"
            )
        asked = queries if self.params.queries == "all" else len(self.params.queries)
        self._check(references=references, population=population, queries=asked, loss_trace=True, subjects=subjects)

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
