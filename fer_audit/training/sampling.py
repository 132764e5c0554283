"""Which rows are in which step: shuffled, or each by a coin of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fer_audit.errors import FerAuditError
from fer_audit.metrics.accounting import steps_of

Places = npt.NDArray[np.int64]

#: Tags of the random streams; a seed sequence ends in implied zeros, so no tag may be zero.
_ORDER, _COINS = 1, 3


class Sampling(ABC):
    """Draws the rows of each step, epoch after epoch."""

    def __init__(self, rows: int, batch_size: int, nominal_rows: int | None = None) -> None:
        """Samples of `rows` rows.

        Steps are counted for `nominal_rows`, or else for `rows`: the number of the rows is private where coins decide
        which are among them, and privacy is accounted for a number of steps that says nothing of it.
        """
        self._rows = rows
        self._batch_size = batch_size
        self._nominal = rows if nominal_rows is None else nominal_rows

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return steps_of(self._nominal, self._batch_size, epochs=1)

    @abstractmethod
    def epoch(self, seed: int, epoch: int) -> Iterator[Places]:
        """Places, out of 0 .. rows - 1, of the rows of each step of an epoch of the training with that seed."""


class Shuffled(Sampling):
    """Every row once an epoch, in random order; there are no more rows than nominal ones."""

    def epoch(self, seed: int, epoch: int) -> Iterator[Places]:
        """A permutation of the nominal rows, cut into batches; raises FerAuditError where there are more rows.

        Nominal rows that are missing leave gaps, so that no row moves to another step because one is there or not.
        """
        if self._rows > self._nominal:
            raise FerAuditError(
                f"rows can't be shuffled into steps that are counted for fewer: expected at most {self._nominal}, "
                f"received {self._rows}"
            )
        order = np.random.default_rng([seed, epoch, _ORDER]).permutation(self._nominal)
        for number in range(self.steps):
            dealt = order[number * self._batch_size : (number + 1) * self._batch_size]
            yield dealt[dealt < self._rows]


class PoissonSampled(Sampling):
    """Each row is in each step by a coin of its own, with probability batch size / nominal rows; steps may be empty.

    Source: Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, section 3.1, whose "lots" these are. It
    is what makes the accounting under Poisson sampling hold.
    """

    def epoch(self, seed: int, epoch: int) -> Iterator[Places]:
        """The rows whose coins fell for each step; a row may be in several steps of an epoch, or in none."""
        probability = min(1.0, self._batch_size / self._nominal)
        for number in range(self.steps):
            rng = np.random.default_rng([seed, epoch, _COINS, number])
            yield np.flatnonzero(rng.random(self._rows) < probability)
