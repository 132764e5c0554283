"""Early stopping: training rows that are held out, and the weights of the epoch that fits them best."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fer_audit.training.answers import cross_entropy, finite_logits
from fer_audit.training.program import Program
from fer_audit.training.weights import Weights


class HeldOut:
    """Judges a network after each epoch by rows that it is not trained on (Prechelt 1998)."""

    def __init__(self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], patience: int) -> None:
        """Rows (H,) with their given labels; `patience` is how many epochs may bring no improvement."""
        self._images = images
        self._labels = labels
        self._patience = patience
        self._least = math.inf
        self.since = 0  #: epochs since the one with the least loss
        self.weights: Weights = {}  #: of the epoch with the least loss, the first of equals

    def judge(self, program: Program) -> float:
        """The mean loss on the rows after one more epoch; remembers the weights where it is the least so far."""
        loss = float(cross_entropy(finite_logits(program, self._images), self._labels).mean())
        self.since += 1
        if loss < self._least:
            self._least, self.since, self.weights = loss, 0, program.weights()
        return loss

    @property
    def out_of_patience(self) -> bool:
        """Whether training should end."""
        return self.since >= self._patience
