"""The contract of a label attack: it corrupts the labels of the train split before anything is trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from fer_audit.errors import PluginError, did_you_mean
from fer_audit.plugins import Plugin, guest

Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelContext:
    """What a label attack may know beside the labels; its arrays are read-only in `corrupt`."""

    classes: tuple[str, ...]
    rng: np.random.Generator
    images: npt.NDArray[np.uint8] | None = None  #: (N, H, W, 3)
    names: tuple[str, ...] = ()  #: (N,)
    subjects: npt.NDArray[np.int64] | None = None  #: (N,), rows of one number belong together; None where unknown
    base: Path = Path()  #: the folder that relative paths start from
    test_names: tuple[str, ...] = ()  #: (T,), of the test rows, which are never attacked
    test_labels: Labels | None = None  #: (T,)
    population_names: tuple[str, ...] = ()  #: (Z,), of rows that nothing is trained on
    codes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)  #: label codes of datasets, by dataset
    remarks: list[str] = field(default_factory=list, init=False)  #: what the attack has to say, see `remark`

    def remark(self, text: str) -> None:
        """Notes what a reader of the results must know of this corruption."""
        self.remarks.append(text)

    def index(self, name: str) -> int:
        """Index of the class called `name`; raises PluginError."""
        if name not in self.classes:
            raise PluginError(f"the dataset has no class {name!r}: {did_you_mean(name, self.classes)}")
        return self.classes.index(name)

    def shown(self) -> npt.NDArray[np.uint8]:
        """The images (N, H, W, 3); raises PluginError where there are none."""
        if self.images is None:
            raise PluginError("this label attack depends on the images: expected uint8 (N, H, W, 3), received none")
        return self.images


@dataclass(frozen=True)
class Corruption:
    """Corrupted labels and what was really done, which need not be what was asked for."""

    labels: Labels  #: (N,)
    corrupted: Mask  #: (N,), where the given label differs from the true one
    rate: float  #: share of corrupted rows
    matrix: Floats  #: (C, C), realised P(given | true), one row a true class; zero rows where empty
    remarks: tuple[str, ...] = ()  #: what the attack had to say


class LabelAttack(Plugin):
    """A rule that replaces labels of the train split. Authors write `corrupt`."""

    kind: ClassVar[str] = "label-attack"

    #: Parameters that only say how much is corrupted: attacks that differ in these alone make one curve.
    varies: ClassVar[tuple[str, ...]] = ("rate",)

    @final
    def __call__(self, labels: Labels, context: LabelContext) -> Corruption:
        """Corrupts a copy of `labels` (N,) and records the realised rate and matrix; raises PluginError."""
        # Remarks of this attack alone, wherever else the context is used.
        context = replace(
            context,
            images=_read_only(context.images),
            subjects=_read_only(context.subjects),
            test_labels=_read_only(context.test_labels),
        )
        with guest(self):
            given = self.corrupt(labels.copy(), context)
        classes = len(context.classes)
        self._check(given, labels, classes)
        corrupted = given != labels
        rate = float(corrupted.mean()) if len(labels) else 0.0
        return Corruption(given, corrupted, rate, realised_matrix(labels, given, classes), tuple(context.remarks))

    def _check(self, given: Any, labels: Labels, classes: int) -> None:
        wanted = f"label attack {self.name!r} must return int64 labels of shape {labels.shape} within 0..{classes - 1}"
        if not isinstance(given, np.ndarray):
            raise PluginError(f"{wanted}, received a {type(given).__name__}")
        if given.shape != labels.shape or given.dtype != np.int64:
            raise PluginError(f"{wanted}, received {given.dtype} {given.shape}")
        outside = given[(given < 0) | (given >= classes)]
        if len(outside):
            raise PluginError(f"{wanted}, received {outside[0]} and {len(outside) - 1} more outside")

    @abstractmethod
    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,), all randomness from `context.rng`; `labels` is a copy that may be changed."""


def realised_matrix(labels: Labels, given: Labels, classes: int) -> Floats:
    """P(given | true) (C, C), one row a true class; a row of zeros where a class has no rows."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, given), 1)
    found: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return found


def _read_only(array: Any) -> Any:
    if array is None:
        return None
    view = array.view()
    view.flags.writeable = False
    return view
