"""Signals: what models answered, and which rows each of them was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.answers import Answers, Labels, Logits
from fer_audit.attacks.mapped import read_arrays, release
from fer_audit.errors import SignalsError

Mask = npt.NDArray[np.bool_]

_REQUIRED = ("logits", "keep", "labels")
_OPTIONAL = ("subjects", "population_logits", "population_labels", "loss_trace")


@dataclass(frozen=True, eq=False)
class Signals:
    """Logits of M models on N pool rows, for Q queries and C classes; raises SignalsError where they can't be audited.

    The arrays are checked once and read-only afterwards.
    """

    logits: Logits  #: (M, N, Q, C)
    keep: Mask  #: (M, N), whether model m trained on row i
    labels: Labels  #: (N,), the labels that were trained on
    subjects: npt.NDArray[Any] | None = None  #: (N,) integers or strings, the person of each row
    #: (M, Z, Q', C), rows that no model trained on and that are not scored, for the first Q' of the queries
    population_logits: Logits | None = None
    population_labels: Labels | None = None  #: (Z,)
    #: (M, N, E), cross-entropy of model m on row i with its label after each of E epochs of training
    loss_trace: npt.NDArray[np.float32] | npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name in (*_REQUIRED, *_OPTIONAL):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name)))
        self._check_logits("logits", self.logits)
        models, rows, _, classes = self.logits.shape
        self._check_keep(models, rows)
        self._take_labels("labels", rows, classes)
        if self.subjects is not None and (self.subjects.shape != (rows,) or self.subjects.dtype.kind not in "iuU"):
            raise SignalsError(
                f"subjects must be integers or strings of shape {(rows,)}, one a row of logits; "
                f"received {self.subjects.dtype} {self.subjects.shape}"
            )
        if (self.population_logits is None) != (self.population_labels is None):
            raise SignalsError("population_logits and population_labels must be given together; received only one")
        if self.population_logits is not None:
            self._check_population(self.population_logits)
        if self.loss_trace is not None:
            self._check_loss_trace(self.loss_trace)
        for name in (*_REQUIRED, *_OPTIONAL):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_only(getattr(self, name)))

    def _check_logits(self, name: str, logits: Logits) -> None:
        if logits.ndim != 4 or logits.dtype not in (np.float32, np.float64) or 0 in logits.shape or logits.shape[3] < 2:
            raise SignalsError(
                f"{name} must be float32 or float64 of shape (models, rows, queries, classes) with at least 2 classes; "
                f"received {logits.dtype} {logits.shape}"
            )
        wrong = [_not_finite(model) for model in logits]
        if any(wrong):
            model = next(model for model, count in enumerate(wrong) if count)
            row = int(np.argwhere(~np.isfinite(logits[model]))[0, 0])
            raise SignalsError(
                f"{name} must be finite; received {sum(wrong)} of {logits.size} that are NaN or infinite, the first in "
                f"model {model}, row {row}"
            )

    def _check_loss_trace(self, trace: npt.NDArray[Any]) -> None:
        expected, known = self.logits.shape[:2], trace.dtype in (np.float32, np.float64)
        if trace.ndim != 3 or trace.shape[:2] != expected or 0 in trace.shape or not known:
            raise SignalsError(
                f"loss_trace must be float32 or float64 of shape {(*expected, 'epochs')}, models and rows as in "
                f"logits; received {trace.dtype} {trace.shape}"
            )
        if np.isnan(trace).any():
            raise SignalsError(f"loss_trace must not hold NaN; received {np.isnan(trace).sum()} of {trace.size}")

    def _check_keep(self, models: int, rows: int) -> None:
        if self.keep.shape != (models, rows) or self.keep.dtype != np.bool_:
            raise SignalsError(
                f"keep must be bool of shape {(models, rows)}, one a model and row of logits; "
                f"received {self.keep.dtype} {self.keep.shape}"
            )
        one_sided = np.flatnonzero(self.keep.all(axis=1) | ~self.keep.any(axis=1))
        if one_sided.size:
            raise SignalsError(
                "every model needs members and non-members among the rows; "
                f"received a row of keep that is constant for {_first(one_sided, 'model')}"
            )
        fixed = np.flatnonzero(self.keep.all(axis=0) | ~self.keep.any(axis=0))
        if fixed.size and models > 1:
            raise SignalsError(
                "every row must be a member of at least one model and a non-member of at least one; "
                f"received a column of keep that is constant for {_first(fixed, 'row')}"
            )

    def _take_labels(self, name: str, rows: int, classes: int) -> None:
        """Checks the labels called `name` and holds them as int64."""
        labels = getattr(self, name)
        if labels.shape != (rows,) or labels.dtype.kind not in "iu":
            raise SignalsError(f"{name} must be integers of shape {(rows,)}; received {labels.dtype} {labels.shape}")
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        if wrong.size:
            raise SignalsError(
                f"{name} must lie within 0..{classes - 1}, the classes of logits; "
                f"received {labels[wrong[0]]} in {_first(wrong, 'row')}"
            )
        object.__setattr__(self, name, labels.astype(np.int64))

    def _check_population(self, population: Logits) -> None:
        self._check_logits("population_logits", population)
        models, _, queries, classes = population.shape
        if (models, classes) != (self.models, self.classes) or queries > self.queries:
            raise SignalsError(
                f"population_logits must have the {self.models} models and {self.classes} classes of logits, and at "
                f"most its {self.queries} queries; received {population.shape}"
            )
        self._take_labels("population_labels", population.shape[1], self.logits.shape[3])

    @property
    def models(self) -> int:
        """M."""
        return self.logits.shape[0]

    @property
    def rows(self) -> int:
        """N."""
        return self.logits.shape[1]

    @property
    def queries(self) -> int:
        """Q."""
        return self.logits.shape[2]

    @property
    def classes(self) -> int:
        """C."""
        return self.logits.shape[3]

    @cached_property
    def answers(self) -> Answers:
        """What the models said about the pool."""
        return Answers(self.logits, self.labels)

    @cached_property
    def population(self) -> Answers | None:
        """What the models said about the population, or None."""
        if self.population_logits is None or self.population_labels is None:
            return None
        return Answers(self.population_logits, self.population_labels)

    def take(self, models: Sequence[int]) -> Signals:
        """The signals of some models only, in the given order; raises SignalsError for a model that is not there."""
        chosen = list(models)
        if not chosen or not all(0 <= model < self.models for model in chosen):
            raise SignalsError(f"expected one or more models within 0..{self.models - 1}; received {chosen}")
        # A part of checked signals needs no check, and would fail one: few models can't balance every row.
        part = object.__new__(Signals)
        for name in (*_REQUIRED, *_OPTIONAL):
            value = getattr(self, name)
            if name in ("logits", "keep", "population_logits", "loss_trace") and value is not None:
                value = read_only(value[chosen])
            object.__setattr__(part, name, value)
        for name, logits in (("answers", part.logits), ("population", part.population_logits)):
            if isinstance(known := vars(self).get(name), Answers) and logits is not None:
                vars(part)[name] = known.take(chosen, logits)
        return part

    def take_rows(self, rows: Mask) -> Signals:
        """The signals on the chosen rows (N,) only, with the whole population; raises SignalsError for a lost side."""
        if rows.shape != (self.rows,) or rows.dtype != np.bool_:
            raise SignalsError(f"expected rows as bool of shape {(self.rows,)}, received {rows.dtype} {rows.shape}")
        part = object.__new__(Signals)  # as in `take`
        for name in (*_REQUIRED, *_OPTIONAL):
            value = getattr(self, name)
            if value is not None and name in ("labels", "subjects"):
                value = read_only(value[rows])
            elif value is not None and name in ("logits", "keep", "loss_trace"):
                value = read_only(value[:, rows])
            object.__setattr__(part, name, value)
        part._check_keep(part.models, part.rows)
        return part

    def save(self, path: str | Path) -> None:
        """Writes an .npz file with one array a field."""
        arrays = {name: getattr(self, name) for name in (*_REQUIRED, *_OPTIONAL)}
        with Path(path).open("wb") as file:
            np.savez(file, **{name: array for name, array in arrays.items() if array is not None})

    @classmethod
    def load(cls, path: str | Path) -> Signals:
        """Reads and checks an .npz file, which any program may have written; raises SignalsError.

        Large arrays that are not compressed stay in the file until they are needed, so signals may exceed the memory.
        """
        try:
            arrays = read_arrays(Path(path), (*_REQUIRED, *_OPTIONAL))
        except (OSError, ValueError) as error:
            said = (isinstance(error, OSError) and error.strerror) or error
            raise SignalsError(f"can't read signals from {path}: {said}; expected an .npz file of arrays") from None
        missing = [name for name in _REQUIRED if name not in arrays]
        if missing:
            raise SignalsError(f"{path} must hold {', '.join(_REQUIRED)}; {', '.join(missing)} missing")
        try:
            return cls(**arrays)
        except SignalsError as error:
            raise SignalsError(f"{path}: {error}") from None


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers, which can't be written into."""
    view = array.view()
    view.flags.writeable = False
    return view


def _not_finite(logits: Logits) -> int:
    """How many of the numbers are NaN or infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(logits, dtype=np.float64)
    release(logits)
    # A sum is finite only where every term is; large finite terms may still add up to infinity.
    return 0 if np.isfinite(total) else int(np.count_nonzero(~np.isfinite(logits)))


def _first(indices: npt.NDArray[np.intp], what: str) -> str:
    others = f" and {len(indices) - 1} more" if len(indices) > 1 else ""
    return f"{what} {indices[0]}{others}"
