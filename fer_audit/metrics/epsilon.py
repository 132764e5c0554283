"""Lower bounds on the privacy loss epsilon that the decisions of a membership attack prove.

Training that is (epsilon, delta)-differentially private keeps TPR <= exp(epsilon) FPR + delta for every membership test
(Kairouz, Oh, Viswanath 2015, theorem 2.1). A confident lower limit of the TPR and a confident upper limit of the FPR
therefore bound epsilon from below. Scores of different rows count as independent trials; see
`fer_audit.attacks.privacy_loss` for rows that are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from fer_audit.errors import SignalsError
from fer_audit.metrics.membership import RocCurve, Scores, roc

Threshold = Literal["bonferroni", "split", "multisplit"] | float
Candidates = Literal["ranks", "hull"]
#: From the counts of flagged members and non-members, (K,) each, and a confidence to bounds (K,).
Bound = Callable[[Scores, Scores, float], Scores]
Split = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

#: Halvings that `multisplit` takes the median of.
_SPLITS = 50


def lower_bound(
    members: Scores,
    nonmembers: Scores,
    delta: float = 0.0,
    confidence: float = 0.95,
    *,
    threshold: Threshold = "bonferroni",
    candidates: Candidates = "ranks",
    one_sided: bool = True,
    seed: int = 0,
    split: Split | None = None,
) -> float:
    """Lower bound on epsilon, at least 0, by Clopper-Pearson limits of TPR and FPR (Jagielski et al. 2020).

    Args:
        members: (n1,) scores, larger meaning more likely a member.
        nonmembers: (n0,).
        delta: of the guarantee that is put to the test.
        confidence: that the bound is below the true epsilon.
        threshold: the decision threshold. A number is one that was fixed before these scores were seen. "bonferroni"
            tries several and pays for each; "split" chooses one on a random half and bounds on the other;
            "multisplit" is the median of 50 such splits at half the significance.
        candidates: what "bonferroni" tries. "ranks": the thresholds that flag the 1, 2, 4, ... highest of all scores,
            and, where the rule may be reversed, the lowest; their number depends on no label. "hull": the vertices of
            the ROC curve's convex hull, as jax_privacy does; the labels choose those, so it promises less.
        one_sided: False tries the reversed rule too: a low score is then a guess that a row is no member.
        seed: of the splits.
        split: permutations (n1,) and (n0,) for "split"; the first half of each chooses the threshold.

    Raises:
        SignalsError: there are no scores, or NaN, or delta or confidence is outside 0..1.
    """
    _check_levels(delta, confidence)

    def bound(tp: Scores, fp: Scores, level: float, n1: int, n0: int) -> Scores:
        return _clopper_pearson_bound(tp, fp, n1, n0, delta, level, one_sided)

    return _searched(members, nonmembers, bound, confidence, threshold, candidates, one_sided, seed, split)


def one_run(guesses: int, correct: int, canaries: int, delta: float = 0.0, confidence: float = 0.95) -> float:
    """Lower bound on epsilon from one training run (Steinke, Nasr, Jagielski 2023, theorem 5.2); at least 0.

    Args:
        guesses: r, canaries that the attack spoke about; it may leave out any.
        correct: v, of them right.
        canaries: m, each included in training by its own fair coin.
        delta: of the guarantee that is put to the test.
        confidence: that the bound is below the true epsilon.

    Raises:
        SignalsError: the counts contradict each other, or delta or confidence is outside 0..1.
    """
    from scipy.optimize import brentq

    _check_levels(delta, confidence)
    if not 0 <= correct <= guesses <= canaries:
        raise SignalsError(
            f"expected 0 <= correct <= guesses <= canaries, received correct={correct}, guesses={guesses}, "
            f"canaries={canaries}"
        )
    significance = 1 - confidence

    def excess(epsilon: float) -> float:
        return one_run_p_value(epsilon, guesses, correct, canaries, delta) - significance

    if guesses == 0 or excess(0.0) >= 0:
        return 0.0
    high = 1.0
    while excess(high) < 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-10))


def one_run_p_value(epsilon: float, guesses: int, correct: int, canaries: int, delta: float = 0.0) -> float:
    """Largest chance that an (epsilon, delta)-private training lets `correct` of `guesses` be right.

    P[B >= v] + 2 m delta max_i P[v > B >= v - i] / i with B ~ Binomial(r, e^eps / (1 + e^eps)) (Steinke et al. 2023,
    theorem 5.2 and its proof).
    """
    from scipy.stats import binom

    q = 1 / (1 + math.exp(-epsilon))
    tail = float(binom.sf(correct - 1, guesses, q))
    if delta == 0 or correct == 0:
        return min(1.0, tail)
    steps = np.arange(1, correct + 1)
    between = binom.sf(correct - steps - 1, guesses, q) - tail
    return min(1.0, tail + 2 * canaries * delta * float(np.max(between / steps)))


def one_run_lower_bound(
    members: Scores,
    nonmembers: Scores,
    delta: float = 0.0,
    confidence: float = 0.95,
    *,
    threshold: Threshold = "bonferroni",
    candidates: Candidates = "ranks",
    seed: int = 0,
    split: Split | None = None,
) -> float:
    """`one_run` where each flagged row is a guess that it is a member; arguments as of `lower_bound`."""
    _check_levels(delta, confidence)

    def bound(tp: Scores, fp: Scores, level: float, n1: int, n0: int) -> Scores:
        counts = zip(tp.tolist(), fp.tolist(), strict=True)
        return np.array([one_run(int(t + f), int(t), n1 + n0, delta, level) for t, f in counts])

    return _searched(members, nonmembers, bound, confidence, threshold, candidates, True, seed, split)


def cap(members: int, nonmembers: int, delta: float = 0.0, confidence: float = 0.95) -> float:
    """The largest `lower_bound` that so many rows can ever give: all members found, nobody accused."""
    _check_levels(delta, confidence)
    return float(
        _clopper_pearson_bound(np.array([members]), np.zeros(1), members, nonmembers, delta, confidence, True)[0]
    )


def one_run_cap(guesses: int, canaries: int, delta: float = 0.0, confidence: float = 0.95) -> float:
    """The largest `one_run` bound that so many guesses can ever give: all of them right."""
    return one_run(guesses, guesses, canaries, delta, confidence)


def _check_levels(delta: float, confidence: float) -> None:
    if not (0 <= delta < 1 and 0 < confidence < 1):
        raise SignalsError(f"expected delta within [0, 1) and confidence within (0, 1), received {delta}, {confidence}")


def _clopper_pearson_bound(
    tp: Scores, fp: Scores, n1: int, n0: int, delta: float, confidence: float, one_sided: bool
) -> Scores:
    """Bounds (K,) from counts (K,): log of (TPR's lower limit - delta) over FPR's upper one, not below 0."""
    tail = (1 - confidence) / 2  # half of it for each of the two limits
    found = _log_ratio(_low(tp, n1, tail) - delta, _high(fp, n0, tail))
    if not one_sided:
        found = np.maximum(found, _log_ratio(_low(n0 - fp, n0, tail) - delta, _high(n1 - tp, n1, tail)))
    return found


def _log_ratio(above: Scores, below: Scores) -> Scores:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(above > below, np.log(np.maximum(above, 0) / below), 0.0)


def _low(k: Scores, n: int, tail: float) -> Scores:
    """One-sided lower limits (K,) of shares k of n."""
    from scipy.special import betaincinv

    return np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, tail), 0.0)


def _high(k: Scores, n: int, tail: float) -> Scores:
    from scipy.special import betaincinv

    return np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail), 1.0)


def _searched(
    members: Scores,
    nonmembers: Scores,
    bound: Callable[[Scores, Scores, float, int, int], Scores],
    confidence: float,
    threshold: Threshold,
    candidates: Candidates,
    one_sided: bool,
    seed: int,
    split: Split | None,
) -> float:
    """The bound at a threshold that is given, or searched for without cheating."""
    members, nonmembers = np.asarray(members, np.float64), np.asarray(nonmembers, np.float64)
    curve = roc(members, nonmembers)  # checks the scores
    n1, n0 = len(members), len(nonmembers)
    if threshold in ("split", "multisplit") and min(n1, n0) < 2:
        raise SignalsError(
            f"a split needs two or more members and as many non-members, received {n1} and {n0}; give a threshold"
        )

    def at(limit: float, x: Scores, y: Scores, level: float) -> float:
        tp, fp = np.count_nonzero(x >= limit), np.count_nonzero(y >= limit)
        return float(bound(np.array([float(tp)]), np.array([float(fp)]), level, len(x), len(y))[0])

    def halves(order: Split, level: float) -> float:
        chosen = [(scores[part[: len(part) // 2]], scores[part[len(part) // 2 :]]) for scores, part in _paired(order)]
        (x, x_rest), (y, y_rest) = chosen
        half = roc(x, y)
        points = _hull(half)
        found = bound(half.tp[points] * 1.0, half.fp[points] * 1.0, level, len(x), len(y))
        limit = half.thresholds[points[int(np.argmax(found))]]
        return at(np.inf if np.isnan(limit) else float(limit), x_rest, y_rest, level)

    def _paired(order: Split) -> Sequence[tuple[Scores, npt.NDArray[np.int64]]]:
        return (members, order[0]), (nonmembers, order[1])

    if threshold == "split":
        rng = np.random.default_rng(seed)
        return halves(split or (rng.permutation(n1), rng.permutation(n0)), confidence)
    if threshold == "multisplit":
        rng = np.random.default_rng(seed)
        level = 1 - (1 - confidence) / 2
        return float(np.median([halves((rng.permutation(n1), rng.permutation(n0)), level) for _ in range(_SPLITS)]))
    if threshold == "bonferroni":
        points = _hull(curve) if candidates == "hull" else _ranks(curve, one_sided)
        tries = len(points) if candidates == "hull" else _number_of_ranks(n1 + n0, one_sided)
        level = 1 - (1 - confidence) / tries
        return float(np.max(bound(curve.tp[points] * 1.0, curve.fp[points] * 1.0, level, n1, n0)))
    return at(float(threshold), members, nonmembers, confidence)


def _number_of_ranks(rows: int, one_sided: bool) -> int:
    return (1 if one_sided else 2) * rows.bit_length()


def _ranks(curve: RocCurve, one_sided: bool) -> npt.NDArray[np.intp]:
    """Points that flag at least the 1, 2, 4, ... highest scores; reversed rules leave out the lowest likewise."""
    flagged = curve.tp + curve.fp
    wanted = 2 ** np.arange(int(flagged[-1]).bit_length())
    points = np.searchsorted(flagged, wanted, side="left")
    if not one_sided:
        points = np.concatenate((points, np.searchsorted(flagged, flagged[-1] - wanted, side="right") - 1))
    return np.unique(points)


def _hull(curve: RocCurve) -> npt.NDArray[np.intp]:
    """Vertices of the upper convex hull of a ROC curve, in exact integers."""
    tp, fp = curve.tp.tolist(), curve.fp.tolist()
    hull: list[int] = []
    for point in range(len(tp)):
        while len(hull) >= 2:
            a, b = hull[-2], hull[-1]
            if (tp[b] - tp[a]) * (fp[point] - fp[a]) > (tp[point] - tp[a]) * (fp[b] - fp[a]):
                break
            hull.pop()
        hull.append(point)
    return np.array(hull, np.intp)
