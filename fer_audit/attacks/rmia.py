"""Robust membership inference (RMIA)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.answers import Labels
from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.attacks.probabilities import log_probability, phi, taylor_log_probability
from fer_audit.attacks.reference_means import log_mean, log_mean_probabilities
from fer_audit.attacks.signals import Mask
from fer_audit.metrics.membership import auc

#: What `a` is chosen from, and by how many references as pseudo-targets.
_GRID = np.linspace(0, 1, 11)
_PSEUDO_TARGETS = 4
#: Used where no reference can serve as a pseudo-target: the paper's choice for images.
_DEFAULT_A = 0.3


class Rmia(MembershipAttack):
    """The share of the population that the row beats by a factor gamma in how much likelier the target finds it.

    Pr_z[(p(x) / m(x)) / (p(z) / m(z)) >= gamma], with p the target's probability of the label and m its mean over
    models: online the mean of the IN and the OUT references' mean, offline ((1 + a) m_out + (1 - a)) / 2. Ratios of
    several queries are multiplied (averaged as logs). All pairs are counted by sorting, never formed.
    Source: Zarifzadeh, Liu, Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024, equations 3 to 10
    and appendix A (Taylor softmax).
    Ties, of which few population rows leave many, are broken by the likelihood ratio: the order is then that of the
    ratio, whatever gamma and the population are. `a` is tuned with references as pseudo-targets unless it is given.
    The variant "released" is what Privacy Meter computes: > instead of >=, and for population rows the mean over the
    largest half of the references' values.
    Threat model: the attacker sees the target's outputs on the row and on a population, knows labels, and trains
    models.
    """

    name = "rmia"
    threat_model: ClassVar[str] = "black-box outputs and labels, also of a population; reference models"
    needs: ClassVar[Needs] = Needs(references=1, population=True)
    scores_rows_apart = True

    class Params(AttackParameters):
        """Parameters of RMIA."""

        mode: Literal["online", "offline"] = Field("online", description="references of both sides, or OUT alone")
        gamma: float = Field(2.0, gt=0, description="factor by which a row has to beat a population row")
        a: float | None = Field(None, ge=0, le=1, description="slope of the offline approximation; none: tuned")
        temperature: float = Field(1.0, gt=0, description="that logits are divided by")
        signal: Literal["softmax", "taylor"] = Field(
            "softmax", description="probabilities; taylor: soft-margin, order 4"
        )
        tie_break: bool = Field(True, description="break ties by the likelihood ratio")
        variant: Literal["paper", "released"] = Field("paper", description="whose definition")

    params: Params

    def infer(self, view: TargetView) -> Floats:
        """Share (N,) of the population that is beaten."""
        signal = _Signal(view, self._probability())
        view.shared_phi()  # notes where the population has fewer queries
        a = self._slope(signal) if self.params.mode == "offline" else 0.0
        inside, outside = signal.means()
        x = (signal.rows - self._model_mean(inside, outside, a)).mean(axis=1)
        population = signal.population_mean(largest_half=self.params.variant == "released")
        z = (signal.population - self._model_mean(population, population, a)).mean(axis=1)
        return self._beaten(x, np.sort(z + np.log(self.params.gamma)))

    def _probability(self) -> Callable[[Floats, Labels], Floats] | None:
        """Log-probability (K, ...) from logits (K, ..., C); None where it follows from the confidence that is known."""
        temperature = self.params.temperature
        if self.params.signal == "taylor":
            return lambda logits, labels: taylor_log_probability(logits / temperature, labels)
        if temperature == 1:
            return None
        return lambda logits, labels: log_probability(phi(logits / temperature, labels))

    def _model_mean(self, inside: Floats, outside: Floats, a: float) -> Floats:
        if self.params.mode == "online":
            return np.asarray(np.logaddexp(inside, outside) - np.log(2), np.float64)
        with np.errstate(divide="ignore"):
            constant = np.log((1 - a) / 2) if a < 1 else -np.inf
        return np.asarray(np.logaddexp(np.log((1 + a) / 2) + outside, constant), np.float64)

    def _beaten(self, x: Floats, limits: Floats) -> Floats:
        """Share of the sorted log ratios `limits` (Z,) that `x` (N,) reaches."""
        beaten = np.searchsorted(limits, x, side="left" if self.params.variant == "released" else "right")
        if not self.params.tie_break:
            return np.asarray(beaten / len(limits), np.float64)
        # Within a tie, where x lies between its neighbours; beyond the outermost, a function that never gets there.
        padded = np.concatenate(([-np.inf], limits, [np.inf]))
        low, high = padded[beaten], padded[beaten + 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            inner = (x - low) / (high - low)
        part = np.where(np.isinf(low), 1 / (2 + high - x), np.where(np.isinf(high), 1 - 1 / (2 + x - low), inner))
        return np.asarray((beaten + np.clip(part, 0, 1)) / (len(limits) + 1), np.float64)

    def _slope(self, signal: _Signal) -> float:
        """`a`, or the one whose ratio finds the members of some references best, the others being their references."""
        if self.params.a is not None:
            return self.params.a
        found = [gains for pseudo in range(_PSEUDO_TARGETS) if (gains := self._gains(signal, pseudo)) is not None]
        if not found:
            signal.view.note(f"no reference can tune RMIA's a, so it is {_DEFAULT_A}")
            return _DEFAULT_A
        return float(_GRID[int(np.argmax(np.mean(found, axis=0)))])

    def _gains(self, signal: _Signal, pseudo: int) -> Floats | None:
        """AUC (A,) of each `a` in the grid on a reference; None where it has no references of its own."""
        keep = signal.view.reference_keep
        if pseudo >= len(keep):
            return None
        apart = (keep == keep[pseudo]).all(axis=1) | (keep != keep[pseudo]).all(axis=1)
        used = ~keep & ~apart[:, None]
        rows = used.any(axis=0)
        if not (rows & keep[pseudo]).any() or not (rows & ~keep[pseudo]).any():
            return None
        own, mean = signal.pseudo_target(pseudo, used)
        members = keep[pseudo][rows]
        ratios = [(own - self._model_mean(mean, mean, a)).mean(axis=1)[rows] for a in _GRID]
        return np.array([auc(ratio[members], ratio[~members]) for ratio in ratios])


class _Signal:
    """Log-probabilities of the target and of the references, by softmax or by another function of the logits."""

    def __init__(self, view: TargetView, probability: Callable[[Floats, Labels], Floats] | None) -> None:
        self.view, self._probability = view, probability
        self._labels = view.labels[:0] if view.population_labels is None else view.population_labels
        self.rows, self.population = view.log_probability, view.population_log_probability  #: (N, Q), (Z, Q')
        if probability is not None:
            self.rows = probability(view.logits, view.labels)
            self.population = self.population if view.population is None else probability(view.population, self._labels)

    def _references(self, rows: slice) -> Floats:
        """(R, K, Q)."""
        view = self.view
        if self._probability is None:
            return view.reference_log_probability_of(rows)
        return np.array([self._probability(model[rows], view.labels[rows]) for model in view.references])

    def means(self) -> tuple[Floats, Floats]:
        """Log of the mean over the IN and over the OUT references (N, Q) each."""
        return log_mean_probabilities(self.view, self._references)

    def pseudo_target(self, pseudo: int, used: Mask) -> tuple[Floats, Floats]:
        """Log-probabilities of a reference, and the log of the mean over the references that are used (R, N)."""
        own, mean = (np.empty(self.rows.shape) for _ in range(2))
        for rows in self.view.row_blocks():
            found = self._references(rows)
            own[rows], mean[rows] = found[pseudo], log_mean(found, used[:, rows])
        return own, mean

    def population_mean(self, *, largest_half: bool) -> Floats:
        """Log of the mean over the references (Z, Q'), none of which trained on the population."""
        found = self.view.reference_population_log_probability
        if self._probability is not None and self.view.reference_population is not None:
            found = np.array([self._probability(model, self._labels) for model in self.view.reference_population])
        if largest_half:
            found = np.sort(found, axis=0)[len(found) // 2 :]
        return log_mean(found, np.ones(found.shape[:2], np.bool_))
