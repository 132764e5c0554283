"""The quantile regression attack."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from fer_audit.attacks.answers import Labels
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.signals import Mask


class Quantile(MembershipAttack):
    """How far above what a non-member like it would get a row's confidence is.

    Quantiles of the target's phi (mean over queries) are regressed on the population, which holds non-members only,
    from what does not depend on the target's training rows: the label and, with references, the mean and the spread of
    the OUT references' phi on the row. A row's phi is placed between its predicted quantiles, in units of the normal
    score, and beyond the outermost with their slope; the paper flags it above the quantile 1 - alpha for an FPR of
    alpha.
    Source: Bertran, Tang, Kearns, Morgenstern, Roth, Wu, "Scalable Membership Inference Attacks via Quantile
    Regression", NeurIPS 2023. The paper regresses on the image itself, which signals do not hold.
    Threat model: the attacker sees the target's outputs on rows known as non-members; by default models like it too.
    """

    name = "quantile"
    threat_model: ClassVar[str] = "black-box outputs and labels, also of rows known as non-members; reference models"
    needs: ClassVar[Needs] = Needs(references=1, population=True)
    scores_rows_apart = True

    class Params(AttackParameters):
        """Parameters of the quantile regression attack."""

        features: Literal["references", "label"] = Field(
            "references", description="what is regressed on beside the label"
        )
        levels: tuple[float, ...] = Field((0.05, 0.25, 0.5, 0.75, 0.95), description="quantiles, rising within 0..1")
        seed: int = Field(0, ge=0, le=2**32 - 1, description="of the regression")

        @field_validator("levels")
        @classmethod
        def _rising(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
            if len(levels) < 2 or any(not 0 < a < b < 1 for a, b in pairwise(levels)):
                raise ValueError("expected two or more rising levels within 0..1")
            return levels

    params: Params

    def needed(self) -> Needs:
        """References only where they are regressed on."""
        return self.needs if self.params.features == "references" else Needs(population=True)

    def infer(self, view: TargetView) -> Floats:
        """Conditional normal score (N,)."""
        rows, population = (phi.mean(axis=1) for phi in view.shared_phi())
        labels = view.population_labels if view.population_labels is not None else view.labels[:0]
        known, asked = self._features(view, labels)
        predicted = np.stack(
            [self._regression(level).fit(known, population).predict(asked) for level in self.params.levels]
        )
        return _normal_score(rows, np.sort(predicted, axis=0), np.array(self.params.levels))

    def _features(self, view: TargetView, labels: Labels) -> tuple[Floats, Floats]:
        """Of the population (Z, F) and of the rows (N, F)."""
        classes = np.unique(labels)
        known, asked = ((given[:, None] == classes).astype(np.float64) for given in (labels, view.labels))
        references = view.reference_population_phi
        if self.params.features == "label" or references is None:
            return known, asked
        of_rows = view.reference_phi[:, :, view.population_queries].mean(axis=2)
        everyone = np.ones(references.shape[:2], np.bool_)
        return (
            np.hstack((known, _summary(references.mean(axis=2), everyone))),
            np.hstack((asked, _summary(of_rows, ~view.reference_keep))),
        )

    def _regression(self, level: float) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        # Small steps and large leaves: hundreds of rows have to teach a smooth function of three numbers.
        return HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=30,
            learning_rate=0.2,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            early_stopping=False,
            random_state=self.params.seed,
        )


def _summary(phi: Floats, used: Mask) -> Floats:
    """Mean and standard deviation (K, 2) of the values (R, K) that are used; NaN, which trees know, for none."""
    count = used.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(used, phi, 0.0).sum(axis=0) / count
        spread = np.sqrt(np.where(used, (phi - mean) ** 2, 0.0).sum(axis=0) / count)
    return np.column_stack((mean, spread))


def _normal_score(values: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Normal score (N,) of values between their own quantiles (L, N) at `levels` (L,), linear and without end."""
    from scipy.special import ndtri

    scores = ndtri(levels)
    # Quantiles that coincide would have no slope; a tiny step keeps every score strictly increasing.
    step = 1e-9 * (1 + np.abs(quantiles).max())
    quantiles = quantiles + step * np.arange(len(levels))[:, None]
    place = np.clip(np.count_nonzero(quantiles <= values, axis=0), 1, len(levels) - 1)
    columns = np.arange(len(values))
    low, high = quantiles[place - 1, columns], quantiles[place, columns]
    return np.asarray(
        scores[place - 1] + (values - low) / (high - low) * (scores[place] - scores[place - 1]), np.float64
    )
