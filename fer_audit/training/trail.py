"""What a network says of the pool while it learns, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fer_audit.training.answers import cross_entropy
from fer_audit.training.program import Program

_Value = TypeVar("_Value")


class Trail:
    """Losses and predictions after each epoch, as far as they are wanted."""

    def __init__(
        self, images: npt.NDArray[np.uint8], traced_labels: Sequence[npt.NDArray[np.int64]], *, follow: bool
    ) -> None:
        """On `images` (N, H, W, 3): losses against each of `traced_labels`, each (N,), and predictions to `follow`."""
        self._images = images
        self._labels = traced_labels
        self._follow = follow
        self._losses: list[list[npt.NDArray[np.float64]]] = [[] for _ in traced_labels]
        self._predicted: list[npt.NDArray[np.int16]] = []

    def follow(self, program: Program) -> None:
        """Takes down one more epoch."""
        if not (self._labels or self._follow):
            return
        logits = program.logits(self._images)
        for trace, labels in zip(self._losses, self._labels, strict=True):
            trace.append(cross_entropy(logits, labels))
        if self._follow:
            self._predicted.append(logits.argmax(axis=1).astype(np.int16))

    def losses(self, kept: int, epochs: int) -> list[npt.NDArray[np.float32]]:
        """Losses (N, E) for each of the traced labels; those of epoch `kept`, 1 the first, stand for all later ones."""
        return [np.stack(_standing(trace, kept, epochs), axis=1).astype(np.float32) for trace in self._losses]

    def predictions(self, kept: int, epochs: int) -> npt.NDArray[np.int16]:
        """Predictions (N, E), likewise, or (N, 0) where they were not followed."""
        if not self._follow:
            return np.empty((len(self._images), 0), np.int16)
        return np.stack(_standing(self._predicted, kept, epochs), axis=1)


def _standing(values: Sequence[_Value], kept: int, epochs: int) -> list[_Value]:
    return [values[min(epoch, kept) - 1] for epoch in range(1, epochs + 1)]
