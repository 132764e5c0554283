"""Whether members and non-members are of the same classes, as they are where both come from one draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Risk of calling shares different that are not.
_LEVEL = 1e-3

#: Share of the rows that would have to change their class to make both sides alike: less does little harm.
_LEAST = 0.1


def shares_differ(labels: npt.NDArray[np.int64], member: npt.NDArray[np.bool_], classes: tuple[str, ...]) -> str:
    """Why labels (N,) tell members (N,) from others; empty where they don't.

    By Pearson's chi-squared test of the table of sides and classes at a level of .001, where the total variation
    distance between the shares of both is at least .1: with many rows the least difference would be certain.
    """
    from scipy.stats import chi2_contingency

    counts = np.stack([np.bincount(labels[side], minlength=len(classes)) for side in (member, ~member)])
    counts = counts[:, counts.any(axis=0)]
    if counts.shape[1] < 2 or not counts.any(axis=1).all():
        return ""
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = np.abs(shares[0] - shares[1]).sum() / 2
    if distance < _LEAST or chi2_contingency(counts).pvalue >= _LEVEL:
        return ""
    known = [name for place, name in enumerate(classes) if (labels == place).any()]
    most = int(np.abs(shares[0] - shares[1]).argmax())
    return (
        f"members and non-members are of other classes, such as {known[most]} with {shares[0][most]:.0%} and "
        f"{shares[1][most]:.0%} of them, so that what an attack finds may be that difference; take both from "
        f"one draw"
    )
