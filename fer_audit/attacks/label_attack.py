"""The contract of a label attack: it corrupts the labels of the train split before anything is trained."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

from fer_audit.errors import FerAuditError, PluginError
from fer_audit.plugins import Plugin, raised_in

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelContext:
    """What a label attack may know beside the labels."""

    classes: tuple[str, ...]
    rng: np.random.Generator
    images: npt.NDArray[np.uint8] | None = None  #: (N, H, W, 3)
    names: tuple[str, ...] = ()  #: (N,)


@dataclass(frozen=True)
class Corruption:
    """Corrupted labels and what was really done, which need not be what was asked for."""

    labels: Labels  #: (N,)
    corrupted: npt.NDArray[np.bool_]  #: (N,), where the given label differs from the true one
    rate: float  #: share of corrupted rows
    matrix: npt.NDArray[np.float64]  #: (C, C), realised P(given | true), one row a true class; zero rows where empty


class LabelAttack(Plugin):
    """A rule that replaces labels of the train split. Authors write `corrupt`."""

    kind: ClassVar[str] = "label-attack"

    @final
    def __call__(self, labels: Labels, context: LabelContext) -> Corruption:
        """Corrupts a copy of `labels` (N,) and records the realised rate and matrix; raises PluginError."""
        try:
            given = self.corrupt(labels.copy(), context)
        except FerAuditError:
            raise
        except Exception as error:
            raise PluginError(raised_in(self, error)) from error
        classes = len(context.classes)
        if given.shape != labels.shape or given.dtype != np.int64 or not np.all((given >= 0) & (given < classes)):
            raise PluginError(
                f"label attack {self.name!r} must return int64 labels of shape {labels.shape} within 0..{classes - 1}, "
                f"received {given.dtype} {given.shape}"
            )
        counts = np.zeros((classes, classes))
        np.add.at(counts, (labels, given), 1)
        matrix = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        corrupted = given != labels
        return Corruption(given, corrupted, float(corrupted.mean()) if len(labels) else 0.0, matrix)

    @abstractmethod
    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,), all randomness from `context.rng`."""
