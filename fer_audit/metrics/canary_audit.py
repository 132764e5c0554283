"""The audit of one training run by canaries: which of them were trained on is guessed from scores.

Steinke, Nasr, Jagielski, "Privacy Auditing with One (1) Training Run", NeurIPS 2023, theorem 5.2: an (epsilon, delta)-
private training tells so little of m fair coins that, of r guesses made from its output alone, the number of right
ones is about as a binomial one of r trials with chance exp(epsilon) / (1 + exp(epsilon)). A guess may be "in", "out",
or none, so the canaries with the highest scores are guessed in and those with the lowest out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.errors import SignalsError
from fer_audit.metrics.epsilon import one_run, one_run_cap
from fer_audit.metrics.intervals import auc_interval
from fer_audit.metrics.membership import Scores
from fer_audit.results import Estimate

Coins = npt.NDArray[np.bool_]
Guesses = npt.NDArray[np.int64]

#: Fewest guesses that are tried: all of them right bound epsilon by 0.8 at most.
_FEWEST = 8


@dataclass(frozen=True, eq=False)
class OneRunAudit:
    """What the scores of m canaries prove."""

    lower_bound: float  #: on epsilon
    cap: float  #: the largest bound that so many canaries could ever give
    guesses: Guesses  #: (m,), 1 in, -1 out, 0 none; of the rule with the largest bound
    correct: int
    auc: Estimate  #: of included against excluded canaries
    confidence: float
    method: str

    @property
    def guessed(self) -> int:
        """Guesses that were made."""
        return int(np.count_nonzero(self.guesses))


def one_run_audit(scores: Scores, included: Coins, *, delta: float, confidence: float = 0.95) -> OneRunAudit:
    """Lower bound on epsilon from the `scores` (m,) of canaries, larger meaning more likely included, and their coins.

    As many guesses are tried as `rungs` says, which looks at nothing but m; each rung spends its share of what the
    confidence leaves (Bonferroni), so that the best may be taken. Canaries with equal scores stand in the order in
    which they were made, of which the coins know nothing.

    Raises:
        SignalsError: there are fewer than eight canaries, a score is not finite, or shapes differ.
    """
    if scores.shape != included.shape or scores.ndim != 1 or not np.isfinite(scores).all():
        raise SignalsError(
            f"expected one finite score for each of {len(included)} canaries, received an array of shape "
            f"{scores.shape} with {np.count_nonzero(~np.isfinite(scores))} that are not finite"
        )
    tried = rungs(len(scores))
    each = 1 - (1 - confidence) / len(tried)
    order = np.argsort(scores, kind="stable")
    guesses = [_guesses(order, number) for number in tried]
    correct = [int(np.count_nonzero(one == np.where(included, 1, -1))) for one in guesses]
    bounds = [one_run(r, v, len(scores), delta, each) for r, v in zip(tried, correct, strict=True)]
    best = int(np.argmax(bounds))
    return OneRunAudit(
        lower_bound=bounds[best],
        cap=most_that_can_be_shown(len(scores), delta=delta, confidence=confidence),
        guesses=guesses[best],
        correct=correct[best],
        auc=_auc(scores, included),
        confidence=confidence,
        method=f"one run (Steinke et al. 2023), best of {len(tried)} numbers of guesses (Bonferroni)",
    )


def most_that_can_be_shown(canaries: int, *, delta: float, confidence: float) -> float:
    """The largest bound that so many canaries could ever give: every guess of the best rung is right."""
    tried = rungs(canaries)
    return max(one_run_cap(rung, canaries, delta, 1 - (1 - confidence) / len(tried)) for rung in tried)


def rungs(canaries: int) -> list[int]:
    """Numbers of guesses that are tried: all canaries, half of them, a quarter, ... down to 8; each is even."""
    if canaries < _FEWEST:
        raise SignalsError(f"an audit needs {_FEWEST} canaries or more, received {canaries}")
    sides, side = [], canaries // 2
    while 2 * side >= _FEWEST:
        sides.append(side)
        side //= 2
    return [2 * side for side in sides]


def _guesses(order: npt.NDArray[np.intp], number: int) -> Guesses:
    """Guesses (m,): out for the first half of `number` in ascending `order`, in for the last."""
    guesses = np.zeros(len(order), np.int64)
    guesses[order[: number // 2]] = -1
    guesses[order[len(order) - number // 2 :]] = 1
    return guesses


def _auc(scores: Scores, included: Coins) -> Estimate:
    if included.all() or not included.any():
        note = "all coins fell on one side"
        return Estimate(value=None, n=len(scores), note=note)
    return auc_interval(scores[included], scores[~included])
