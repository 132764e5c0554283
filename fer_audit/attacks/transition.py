"""Label noise by a transition matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from pydantic import Field, field_validator, model_validator

from fer_audit.attacks.flips import class_flips, picked, whole_numbers
from fer_audit.attacks.label_attack import Floats, LabelAttack, LabelContext, Labels
from fer_audit.attacks.transition_presets import Preset, preset_rows
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters

Rows = tuple[tuple[float, ...], ...]
NamedRows = dict[str, dict[str, float]]

_TOLERANCE = 1e-6


class Transition(LabelAttack):
    """Each label of a class is replaced by the class that the matrix's row of its class picks.

    The matrix T holds T[true, given] = P(given | true). `human-ferplus` is how people confuse expressions: the votes of
    FERPlus by majority label, each row renormalised over the seven expressions. Happiness keeps .90 of its votes and
    the rest went to contempt and unknown, so it stays happiness wholly; surprise has no published row and stays too.
    `resup-us` flips .10 of surprise, .50 of fear, .30 of disgust, .40 of sadness, .20 of anger and nothing of happiness
    and neutral, to the six others alike. Classes beyond the seven, such as contempt, stay clean.

    With `rate` the chances to be flipped are scaled alike, T' = I + s (T - I), so that this share of the rows is
    expected to be; the rows of a lower rate are then among those of a higher one. `exact`: the nearest whole number of
    rows is flipped, shared out to the true classes by the largest remainder of n_c (1 - T[c, c]), and in each of them
    to the wrong classes by that of n_c T[c, k].

    Sources: Patrini et al., "Making Deep Neural Networks Robust to Label Noise", CVPR 2017; Barsoum et al., "Training
    Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution", ICMI 2016; Zhang et al.,
    "ReSup: Reliable Label Noise Suppression for Facial Expression Recognition", 2023.
    """

    name = "transition"

    class Params(Parameters):
        """Parameters of label noise by a matrix: either `matrix` or `preset`."""

        matrix: Rows | NamedRows | None = Field(
            None,
            description="P(given | true): rows that sum to 1 in the order of the classes, or {true: {given: share}}, "
            "where classes without a row stay clean",
        )
        preset: Preset | None = Field(None, description="a published matrix, by the names of the expressions")
        rate: float | None = Field(
            None, ge=0, le=1, description="expected share of corrupted rows, the matrix scaled to it; null: as it is"
        )
        exact: bool = Field(
            False, description="hit the rate with whole numbers of rows, and the matrix as nearly as these can"
        )

        @field_validator("matrix")
        @classmethod
        def _stochastic(cls, matrix: Rows | NamedRows | None) -> Rows | NamedRows | None:
            if matrix is not None and not matrix:
                raise ValueError("expected at least one row, and received none")
            if isinstance(matrix, dict):
                _check_sums({name: row.values() for name, row in matrix.items()})
            elif matrix is not None:
                uneven = [len(row) for row in matrix if len(row) != len(matrix)]
                if uneven:
                    raise ValueError(
                        f"expected {len(matrix)} numbers in each of the {len(matrix)} rows, not {uneven[0]}"
                    )
                _check_sums(dict(enumerate(matrix)))
            return matrix

        @model_validator(mode="after")
        def _one_of_two(self) -> Transition.Params:
            if (self.matrix is None) == (self.preset is None):
                raise ValueError("expected either matrix or preset")
            return self

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,)."""
        matrix = self._scaled(self._matrix(context), labels)
        draws, directions = context.rng.random((2, len(labels)))
        struck = class_flips(labels, draws, 1 - matrix.diagonal(), exact=self.params.exact)
        given = labels.copy()
        for true, row in enumerate(matrix):
            of_class = labels == true
            rows = np.flatnonzero(struck & of_class)
            if len(rows):
                others = np.where(np.arange(len(row)) == true, 0.0, row)
                given[rows] = self._destinations(others, int(of_class.sum()), directions[rows])
        return given

    def _destinations(self, others: Floats, count: int, directions: Floats) -> Labels:
        """Wrong classes (K,) for the K struck rows of a class of `count` rows, by the shares `others` (C,)."""
        if not self.params.exact:
            return picked(others, directions)
        counts = whole_numbers(others * count, len(directions))
        chosen = np.empty(len(directions), np.int64)
        chosen[np.argsort(directions, kind="stable")] = np.repeat(np.arange(len(others)), counts)
        return chosen

    def _matrix(self, context: LabelContext) -> Floats:
        """P(given | true) (C, C)."""
        classes = context.classes
        if self.params.preset is not None:
            rows = preset_rows(self.params.preset)
            missing = [name for name in rows if name not in classes]
            if missing:
                raise PluginError(
                    f"label attack {self.name!r}: preset {self.params.preset!r} needs the class {missing[0]!r}, which "
                    f"the dataset lacks: its classes are {', '.join(classes)}"
                )
            return _named(rows, context)
        if isinstance(self.params.matrix, dict):
            return _named(self.params.matrix, context)
        matrix = np.array(self.params.matrix, np.float64)
        if len(matrix) != len(classes):
            raise PluginError(
                f"label attack {self.name!r}: expected a matrix of {len(classes)} rows, one for each of "
                f"{', '.join(classes)}; received {len(matrix)}"
            )
        return matrix

    def _scaled(self, matrix: Floats, labels: Labels) -> Floats:
        """The matrix with its chances to flip scaled alike, so that `rate` of the labels (N,) is expected to be."""
        rate, chances = self.params.rate, 1 - matrix.diagonal()[labels]
        if rate is None or len(labels) == 0:
            return matrix
        most = chances.mean() / chances.max() if chances.any() else 0.0
        if rate > most + _TOLERANCE:
            raise PluginError(
                f"label attack {self.name!r}: this matrix can be scaled until a class loses all of its labels, which "
                f"corrupts {most:.3f} of the rows; expected a rate of at most that, received {rate}"
            )
        scale = rate / chances.mean() if most else 0.0
        unchanged = np.eye(len(matrix))
        scaled: Floats = unchanged + scale * (matrix - unchanged)
        return scaled


def _check_sums(rows: Mapping[int, Iterable[float]] | Mapping[str, Iterable[float]]) -> None:
    for name, shares in rows.items():
        row = list(shares)
        if not all(0 <= share <= 1 for share in row):
            raise ValueError(f"expected shares within 0..1, but row {name!r} holds {row}")
        if abs(sum(row) - 1) > _TOLERANCE:
            raise ValueError(f"expected rows of shares that sum to 1, but row {name!r} sums to {sum(row):.6g}")


def _named(rows: Mapping[str, Mapping[str, float]], context: LabelContext) -> Floats:
    """The matrix (C, C) of rows by the names of the classes; a class without a row keeps its labels."""
    matrix = np.eye(len(context.classes))
    for true, row in rows.items():
        matrix[context.index(true)] = 0.0
        for given, share in row.items():
            matrix[context.index(true), context.index(given)] = share
    return matrix
