"""The likelihood ratio attack with shrunken centres, for few references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.answers import Labels
from fer_audit.attacks.gaussian import log_density
from fer_audit.attacks.in_out import InOut, in_out
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.signals import Mask


class EmpiricalBayes(MembershipAttack):
    """LiRA whose centre of each row is what its few references and all other rows make likely.

    With x the mean over queries of phi (or of the label's centred logit): a row of class c has an OUT centre mu and an
    IN centre eta, (mu, eta) normal with the mean of c and one covariance T; a reference without the row says N(mu,
    s0^2), one with it N(eta, s1^2). T, s0 and s1 are moments over all rows (see `_Prior`), the row's references give a
    posterior of (mu, eta), and the score is log N(x; E eta, Var eta + s1^2) - log N(x; E mu, Var mu + s0^2). With many
    references it tends to pooled LiRA.
    Source: the test of Carlini et al., S&P 2022 (see lira-online), with the parametric empirical Bayes estimate of
    Morris, "Parametric Empirical Bayes Inference: Theory and Applications", JASA 1983; the combination is this
    project's.
    Threat model: the attacker sees the target's outputs, knows labels, and trains at least one model like it.
    """

    name = "empirical-bayes"
    threat_model: ClassVar[str] = "black-box outputs and labels; one or more reference models"
    needs: ClassVar[Needs] = Needs(references=1)
    # The gap between both sides and their covariance are learned from all rows, so rows are not scored apart.

    class Params(AttackParameters):
        """Parameters of the attack."""

        statistic: Literal["centred-logit", "phi"] = Field(
            "phi", description="what is normal: the logit-scaled confidence, or z_y - the mean of the other logits"
        )

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Log-likelihood ratio (N,)."""
        one = _one_query(view, self.params.statistic)
        x, sides = one.phi[:, 0], in_out(one)
        prior = _prior(x, sides, view)
        y0, y1 = sides.outside.centre[:, 0], sides.inside.centre[:, 0]
        return prior.log_ratio(x, y0, y1, sides.outside.count, sides.inside.count, view.labels)


@dataclass(frozen=True, eq=False)
class _OneQuery:
    """A statistic of the target and of its references, as `in_out` reads it: the mean over queries."""

    phi: Floats  #: (N, 1)
    reference_keep: Mask
    row_blocks: Callable[[], Iterator[slice]]
    reference_phi_of: Callable[[slice], Floats]  #: (R, K, 1)


def _one_query(view: TargetView, statistic: str) -> _OneQuery:
    own, of = (view.phi, view.reference_phi_of) if statistic == "phi" else (view.centred, view.reference_centred_of)
    return _OneQuery(
        own.mean(axis=1, keepdims=True),
        view.reference_keep,
        view.row_blocks,
        lambda rows: of(rows).mean(axis=2, keepdims=True),
    )


@dataclass(frozen=True)
class _Prior:
    """Means (C,) of both centres of each class, their covariance, and the variances of what references say."""

    out_mean: Floats
    in_mean: Floats
    out_variance: float  #: T00
    in_variance: float  #: T11
    covariance: float  #: T01
    out_noise: float  #: s0^2
    in_noise: float  #: s1^2

    def log_ratio(self, x: Floats, y0: Floats, y1: Floats, n0: Floats, n1: Floats, labels: Labels) -> Floats:
        """Scores (N,) from the mean answers y0 of n0 OUT and y1 of n1 IN references, NaN where there is none."""
        m0, m1 = self.out_mean[labels], self.in_mean[labels]
        d0, d1 = np.where(n0 > 0, y0 - m0, 0.0), np.where(n1 > 0, y1 - m1, 0.0)
        # Precision of the posterior: that of the prior, and of the references on the diagonal.
        determinant = self.out_variance * self.in_variance - self.covariance**2
        w0, w1 = n0 / self.out_noise, n1 / self.in_noise
        p00, p11, p01 = (
            self.in_variance / determinant + w0,
            self.out_variance / determinant + w1,
            -self.covariance / determinant,
        )
        scale = p00 * p11 - p01**2
        v00, v11, v01 = p11 / scale, p00 / scale, -p01 / scale
        mu = m0 + v00 * w0 * d0 + v01 * w1 * d1
        eta = m1 + v01 * w0 * d0 + v11 * w1 * d1
        inside = log_density(x, eta, np.sqrt(v11 + self.in_noise))
        return inside - log_density(x, mu, np.sqrt(v00 + self.out_noise))


def _prior(x: Floats, sides: InOut, view: TargetView) -> _Prior:
    """Moments of the references; with one of them, the target's own answers stand for the second."""
    inside, outside = sides.inside, sides.outside
    y0, y1 = outside.centre[:, 0], inside.centre[:, 0]
    k0, k1 = outside.known, inside.known
    labels, classes = view.labels, int(view.labels.max()) + 1
    m0, m1 = _class_means(y0, k0, labels, classes), _class_means(y1, k1, labels, classes)
    r0, r1 = y0 - m0[labels], y1 - m1[labels]
    both = k0 & k1
    s0, s1 = (float(side.pooled_deviation(unbiased=True)[0] ** 2) for side in (outside, inside))
    if both.any():
        shared = float(np.mean(r0[both] * r1[both]))
        if np.isnan(s0) or np.isnan(s1):  # one reference a side
            s0 = s1 = float(np.mean((r0 - r1)[both] ** 2)) / 2
        t00 = float(np.var(r0[k0])) - s0 * float(np.mean(1 / outside.count[k0]))
        t11 = float(np.var(r1[k1])) - s1 * float(np.mean(1 / inside.count[k1]))
    else:
        # The target is half in and half out whatever side its row's reference is on, so it shares with either only
        # what belongs to the row. Nothing tells T00, T01 and T11 apart then.
        view.note("one reference: what belongs to a row was told from noise by the target's own answers")
        own = x - _class_means(x, np.ones_like(k0), labels, classes)[labels]
        shared = float(np.average([_covariance(own, r0, k0), _covariance(own, r1, k1)], weights=[k0.sum(), k1.sum()]))
        t00 = t11 = shared
        s0, s1 = (float(np.var(r[k])) - shared for r, k in ((r0, k0), (r1, k1)))
    tiny = 1e-12 * (1 + float(np.abs(x).max())) ** 2
    t00, t11, s0, s1 = (max(value, tiny) for value in (t00, t11, s0, s1))
    limit = 0.999 * np.sqrt(t00 * t11)  # a valid covariance
    return _Prior(m0, m1, t00, t11, float(np.clip(shared, 0.0, limit)), s0, s1)


def _class_means(values: Floats, known: Mask, labels: Labels, classes: int) -> Floats:
    """Mean (C,) of the known values of each class; of all where a class has none."""
    counts = np.bincount(labels[known], minlength=classes)
    sums = np.bincount(labels[known], values[known], minlength=classes)
    everyone = values[known].mean() if known.any() else 0.0
    return np.where(counts > 0, sums / np.maximum(counts, 1), everyone)


def _covariance(one: Floats, other: Floats, known: Mask) -> float:
    return float(np.cov(one[known], other[known])[0, 1]) if np.count_nonzero(known) > 1 else 0.0
