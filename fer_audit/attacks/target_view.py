"""What an attack sees of the signals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.answers import Answers, Floats, Labels, row_blocks
from fer_audit.attacks.signals import Mask, Signals, read_only
from fer_audit.errors import SignalsError


class TargetView:
    """One target and its references, for the chosen queries. Which rows the target trained on is not in it.

    Nothing may be written into the arrays. Logits come as float64; those of the references take much memory, which
    is why they are only made when they are asked for. Most attacks need no more than `phi`.
    """

    reference_keep: Mask  #: (R, N), whether reference r trained on row i
    labels: Labels  #: (N,)
    subjects: npt.NDArray[Any] | None  #: (N,)
    population_labels: Labels | None  #: (Z,)
    population_queries: list[int]  #: places, among the Q chosen queries, of the Q' that the population was asked
    loss_trace: Floats | None  #: (N, E), loss of the target on each row after each epoch, for an attack that needs it
    reference_loss_trace: Floats | None  #: (R, N, E)
    notes: list[str]

    def __init__(
        self, signals: Signals, target: int, *, references: Sequence[int], queries: Sequence[int], trace: bool = False
    ) -> None:
        """Shows `target` of checked `signals`; `trace` shows the losses along the way too."""
        self._pool: Answers = signals.answers
        self._population: Answers | None = signals.population
        self._target, self._references, self._queries = target, list(references), list(queries)
        asked = 0 if self._population is None else self._population.logits.shape[2]
        self.population_queries = [place for place, query in enumerate(self._queries) if query < asked]
        if not self.population_queries:
            self._population = None
        self.reference_keep = read_only(signals.keep[self._references])
        self.labels, self.subjects = signals.labels, signals.subjects
        self.population_labels = None if self._population is None else self._population.labels
        losses = signals.loss_trace if trace else None
        self.loss_trace = None if losses is None else _frozen(losses[target])
        self.reference_loss_trace = None if losses is None else _frozen(losses[self._references])
        self.notes = []

    def note(self, text: str) -> None:
        """Declares a fallback that the attack took; it is shown beside the results."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def rows(self) -> int:
        """N."""
        return len(self.labels)

    @cached_property
    def logits(self) -> Floats:
        """(N, Q, C) of the target."""
        return _frozen(self._pool.logits[self._target][:, self._queries])

    @cached_property
    def references(self) -> Floats:
        """(R, N, Q, C) logits of the references."""
        return _part(self._pool.logits, self._references, self._queries)

    def reference_logits(self, reference: int) -> Floats:
        """(N, Q, C) of one reference, which takes less memory than all."""
        return _frozen(self._pool.logits[self._references[reference]][:, self._queries])

    @cached_property
    def phi(self) -> Floats:
        """Logit-scaled confidence of the target (N, Q), see `probabilities.phi`."""
        return read_only(self._pool.phi[self._target][:, self._queries])

    @cached_property
    def reference_phi(self) -> Floats:
        """Logit-scaled confidence of the references (R, N, Q)."""
        return self.reference_phi_of(slice(None))

    def reference_phi_of(self, rows: slice) -> Floats:
        """Part of `reference_phi` (R, K, Q)."""
        return _part(self._pool.phi[:, rows], self._references, self._queries)

    @cached_property
    def log_probability(self) -> Floats:
        """Logarithm of the label's probability (N, Q) by the target, the negative loss."""
        return read_only(self._pool.log_probability[self._target][:, self._queries])

    def reference_log_probability_of(self, rows: slice) -> Floats:
        """The references' log-probabilities of some rows (R, K, Q)."""
        return _part(self._pool.log_probability[:, rows], self._references, self._queries)

    @cached_property
    def population_log_probability(self) -> Floats:
        """Log-probabilities of the target on the population (Z, Q'); no rows without one."""
        if self._population is None:
            return np.empty((0, 1))
        return read_only(self._population.log_probability[self._target][:, self._shared])

    @cached_property
    def reference_population_log_probability(self) -> Floats:
        """(R, Z, Q')."""
        if self._population is None:
            return np.empty((len(self._references), 0, 1))
        return _part(self._population.log_probability, self._references, self._shared)

    @cached_property
    def centred(self) -> Floats:
        """Centred logit of the label (N, Q) of the target, see `probabilities.centred_logit`."""
        return read_only(self._pool.centred[self._target][:, self._queries])

    def reference_centred_of(self, rows: slice) -> Floats:
        """The references' centred logits of some rows (R, K, Q)."""
        return _part(self._pool.centred[:, rows], self._references, self._queries)

    def row_blocks(self) -> Iterator[slice]:
        """Slices of rows of which `reference_phi_of` fits the processor's cache."""
        return row_blocks(self.rows, max(1, len(self._references) * len(self._queries)))

    @cached_property
    def population(self) -> Floats | None:
        """(Z, Q', C) logits of the target, or None where no row without a model is known for these queries."""
        return None if self._population is None else _frozen(self._population.logits[self._target][:, self._shared])

    @cached_property
    def reference_population(self) -> Floats | None:
        """(R, Z, Q', C)."""
        if self._population is None:
            return None
        return _part(self._population.logits, self._references, self._shared)

    @cached_property
    def population_phi(self) -> Floats | None:
        """(Z, Q')."""
        return None if self._population is None else read_only(self._population.phi[self._target][:, self._shared])

    @cached_property
    def reference_population_phi(self) -> Floats | None:
        """(R, Z, Q')."""
        return None if self._population is None else _part(self._population.phi, self._references, self._shared)

    def shared_phi(self) -> tuple[Floats, Floats]:
        """Confidence of the target on the rows (N, Q') and on the population (Z, Q'), for the queries that both have.

        Raises SignalsError where there is no population; an attack that needs one is never run without.
        """
        if self.population_phi is None:
            raise SignalsError("there is no population: rows that no model trained on")
        if len(self.population_queries) < len(self._queries):
            self.note("the population was asked fewer queries than the rows; only those that both have were used")
        return self.phi[:, self.population_queries], self.population_phi

    @property
    def _shared(self) -> list[int]:
        """The chosen queries that the population was asked."""
        return [self._queries[place] for place in self.population_queries]


def _part(array: npt.NDArray[Any], models: Sequence[int], queries: Sequence[int]) -> Floats:
    """The answers (M, K, Q, ...) of these models to these queries, as float64 that can't be written into."""
    part = np.empty((len(models), array.shape[1], len(queries), *array.shape[3:]))
    for place, model in enumerate(models):
        part[place] = array[model] if list(queries) == list(range(array.shape[2])) else array[model][:, list(queries)]
    return read_only(part)


def _frozen(logits: npt.NDArray[Any]) -> Floats:
    """A float64 copy that can't be written into."""
    return read_only(logits.astype(np.float64))
