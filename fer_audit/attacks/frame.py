"""What is a member or not in an audit, rows or subjects, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.answers import Labels
from fer_audit.attacks.signals import Mask, Signals
from fer_audit.errors import SignalsError

Unit = Literal["row", "subject"]
#: Smallest number of rows of each group of subjects.
_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True, eq=False)
class Frame:
    """U units, which are rows or subjects."""

    unit: Unit
    first: npt.NDArray[np.intp]  #: (U,), the unit's first row: an attack on subjects gives all their rows one score
    keep: Mask  #: (M, U); a subject is a member where any of its rows is
    labels: Labels  #: (U,)
    clusters: npt.NDArray[np.intp]  #: (U,), 0..S-1, what is independent of one another: subjects, or rows without them
    families: Mapping[str, npt.NDArray[np.str_]]  #: what units are grouped by: name -> (U,) groups

    @property
    def clustered(self) -> bool:
        """Whether units of one cluster may depend on each other, or a unit is a whole subject."""
        return self.unit == "subject" or len(np.unique(self.clusters)) < len(self.clusters)


def make_frame(signals: Signals, unit: Unit, families: Mapping[str, Sequence[Any]]) -> Frame:
    """The units of `signals`, grouped by class, by subject size and by `families` (N,); raises SignalsError."""
    rows, subjects = np.arange(signals.rows), signals.subjects
    clusters = rows if subjects is None else np.unique(subjects, return_inverse=True)[1]
    groups = {"class": signals.labels.astype(np.str_)}
    for name, values in families.items():
        if len(values) != signals.rows:
            raise SignalsError(
                f"slices: {name!r} must have one value for each of the {signals.rows} rows, received {len(values)}"
            )
        groups[name] = np.array([str(value) for value in values], np.str_)
    if subjects is not None:
        groups["subject size"] = _size_groups(np.bincount(clusters))[clusters]
    if unit == "row":
        return Frame(unit, rows, signals.keep, signals.labels, clusters, groups)
    first = np.unique(clusters, return_index=True)[1]
    keep = np.stack([np.bincount(clusters, model) > 0 for model in signals.keep])
    if keep.all(axis=1).any():
        model = int(np.flatnonzero(keep.all(axis=1))[0])
        raise SignalsError(
            f"attacks on subjects need people without any photograph in the training data; model {model} trained on "
            "some photograph of every person, so draw members by subject"
        )
    sizes = {name: groups[name][first] for name in ("subject size",)}
    return Frame(unit, first, keep, signals.labels[first], np.arange(len(first)), sizes)


def _size_groups(sizes: npt.NDArray[np.intp]) -> npt.NDArray[np.str_]:
    """Names of the groups (S,) that subjects with `sizes` rows (S,) belong to."""
    ends = [*(low - 1 for low in _SIZES[1:]), None]
    names = [
        str(low) if low == high else f"{low}-{high}" if high else f"{low}+"
        for low, high in zip(_SIZES, ends, strict=True)
    ]
    return np.asarray(np.array(names)[np.searchsorted(_SIZES, sizes, side="right") - 1], np.str_)
