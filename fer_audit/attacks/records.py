"""How exposed each single row is, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.attacked import Outcome
from fer_audit.attacks.frame import Frame
from fer_audit.attacks.signals import Mask
from fer_audit.metrics.intervals import auc_influence, placements
from fer_audit.metrics.membership import Scores

Counts = npt.NDArray[np.int64]

#: What of `Records` says nothing of how exposed a row is.
_NOT_OF_EXPOSURE = ("first", "influence")


@dataclass(frozen=True, eq=False)
class Records:
    """One attack's word on each unit, over all targets; NaN where a unit was never on that side.

    The exposure of a unit in one target is the share of that target's non-members that score below it, ties one half:
    what its membership test's p-value leaves to 1. It needs no scale that targets would have to share.
    """

    first: Counts  #: (U,), the row of the unit, or the first row of the subject
    member_targets: Counts  #: (U,), targets that trained on it
    exposure: Scores  #: (U,), mean over those targets; one half where it can't be told from non-members
    exposure_sd: Scores  #: (U,), standard deviation over those targets: how stable the exposure is
    true_positives: Counts  #: (U,), targets among them in which it was taken for a member
    nonmember_targets: Counts  #: (U,), targets that did not train on it
    nonmember_exposure: Scores  #: (U,), mean over those
    false_positives: Counts  #: (U,), targets among those in which it was taken for a member
    influence: Scores  #: (U,), how much the unit moves the AUC, mean over all targets; see `metrics.intervals`

    def csv_rows(self, columns: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
        """A row each with `columns` of its row, name -> (N,), and what is known of its exposure; NaN is left empty."""
        found = {name: values.tolist() for name, values in vars(self).items()}
        for unit, row in enumerate(self.first.tolist()):
            yield {
                "row": row,
                **{name: values[row] for name, values in columns.items()},
                **{name: _cell(values[unit]) for name, values in found.items() if name not in _NOT_OF_EXPOSURE},
            }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Its arrays by name, for a file."""
        return asdict(self)


def make_records(frame: Frame, outcomes: Sequence[Outcome]) -> Records:
    """The exposure of every unit over all targets."""
    keep, exposure = np.array([outcome.keep for outcome in outcomes]), _exposures(outcomes)
    flagged = np.array([outcome.flagged for outcome in outcomes])
    mean, deviation = _moments(exposure, keep)
    return Records(
        first=frame.first.astype(np.int64),
        member_targets=keep.sum(axis=0),
        exposure=mean,
        exposure_sd=deviation,
        true_positives=(keep & flagged).sum(axis=0),
        nonmember_targets=(~keep).sum(axis=0),
        nonmember_exposure=_moments(exposure, ~keep)[0],
        false_positives=(~keep & flagged).sum(axis=0),
        influence=np.mean([auc_influence(outcome.scores, outcome.keep) for outcome in outcomes], axis=0),
    )


def stability(outcomes: Sequence[Outcome]) -> float | None:
    """Rank correlation (Spearman) of the units' exposure as members in one half of the targets and in the other.

    Near 1 the same rows are exposed whatever else was trained on; near 0 exposure is a matter of chance. None where
    fewer than three units were members in both halves, or all are equally exposed.
    """
    from scipy.stats import spearmanr

    keep, exposure = np.array([outcome.keep for outcome in outcomes]), _exposures(outcomes)
    halves = [_moments(exposure[half::2], keep[half::2])[0] for half in (0, 1)]
    both = ~np.isnan(halves).any(axis=0)
    one, other = halves[0][both], halves[1][both]
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(spearmanr(one, other).statistic)


def _exposures(outcomes: Sequence[Outcome]) -> Scores:
    """(T, U)."""
    return np.array([placements(outcome.scores, outcome.nonmembers) for outcome in outcomes])


def _moments(values: Scores, used: Mask) -> tuple[Scores, Scores]:
    """Mean and standard deviation (U,) over the targets that are used (T, U)."""
    count = used.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(used, values, 0.0).sum(axis=0) / count
        variance = np.where(used, (values - mean) ** 2, 0.0).sum(axis=0) / (count - 1)
    return mean, np.sqrt(np.where(count > 1, variance, np.nan))


def _cell(value: float) -> float | str:
    return "" if value != value else value
