"""What models answered about the same rows, and what attacks compute from it, each once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.mapped import release
from fer_audit.attacks.probabilities import centred_logit, log_probability, phi

Logits = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Logits that one block of rows holds at a time: its float64 copies stay in the processor's cache.
_BLOCK = 1 << 17


class Answers:
    """Logits (M, K, Q, C) of M models on K rows with `labels` (K,). The rows' membership is not in it."""

    def __init__(self, logits: Logits, labels: Labels) -> None:
        """Takes checked arrays as they are; `logits` may be mapped from a file."""
        self.logits = logits
        self.labels = labels

    @cached_property
    def phi(self) -> Floats:
        """Logit-scaled confidence (M, K, Q), see `probabilities.phi`."""
        return self._statistic(phi)

    @cached_property
    def log_probability(self) -> Floats:
        """Logarithm of the label's probability (M, K, Q), the negative loss."""
        found = log_probability(self.phi)
        found.flags.writeable = False
        return found

    @cached_property
    def centred(self) -> Floats:
        """Centred logit of the label (M, K, Q), see `probabilities.centred_logit`."""
        return self._statistic(centred_logit)

    def _statistic(self, of: Callable[[Logits, Labels], Floats]) -> Floats:
        """(M, K, Q); every model's logits are read once."""
        found = np.empty(self.logits.shape[:3])

        def fill(model: int) -> None:
            for rows in row_blocks(len(self.labels), int(np.prod(self.logits.shape[2:]))):
                found[model, rows] = of(self.logits[model, rows], self.labels[rows])
            release(self.logits)

        # NumPy lets go of the interpreter lock while it computes, so threads do share the work.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            list(pool.map(fill, range(len(found))))
        found.flags.writeable = False
        return found

    def take(self, models: Sequence[int], logits: Logits) -> Answers:
        """Of some models only, whose `logits` are given."""
        part = Answers(logits, self.labels)
        for name in ("phi", "log_probability", "centred"):
            if name in vars(self):
                vars(part)[name] = vars(self)[name][list(models)]
        return part


def row_blocks(rows: int, numbers: int, block: int = _BLOCK) -> Iterator[slice]:
    """Slices of `rows` rows with `numbers` numbers each, so that a slice holds about `block` of them."""
    step = max(1, block // max(1, numbers))
    return (slice(start, min(rows, start + step)) for start in range(0, rows, step))
