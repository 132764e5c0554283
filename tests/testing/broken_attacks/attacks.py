"""A right attack, and attacks that are wrong in one way each, as authors get them wrong."""

from typing import ClassVar

import numpy as np

from fer_audit.attacks.membership_attack import MembershipAttack, Needs
from fer_audit.metrics.membership import best_threshold


class Honest(MembershipAttack):
    """How much surer of the label the target is than the mean of the references, and than of the population.

    Source: this test.
    Threat model: black box.
    """

    name = "honest"
    threat_model: ClassVar[str] = "black-box outputs"
    needs: ClassVar[Needs] = Needs(references=1, population=True)
    scores_rows_apart = True

    def infer(self, view):
        surprise = view.phi - view.reference_phi.mean(axis=0)
        return surprise.mean(axis=1) - view.population_phi.mean()


class Inverted(Honest):
    """The loss where its negative was meant. Source: this test. Threat model: black box."""

    name = "inverted"

    def infer(self, view):
        return -super().infer(view)


class Peeking(Honest):
    """Adds what is to be found out. Source: this test. Threat model: none that anybody has."""

    name = "peeking"

    def scored(self, signals, target=0, *, references=None):
        found = super().scored(signals, target, references=references)
        found.scores[signals.keep[target]] += 0.5
        return found


class Nan(Honest):
    """Divides by the spread of the references, which may be 0. Source: this test. Threat model: black box."""

    name = "nan"

    def infer(self, view):
        with np.errstate(invalid="ignore", divide="ignore"):
            deviations = (view.phi - view.reference_phi.mean(axis=0)) / view.reference_phi.std(axis=0)
        return deviations.mean(axis=1) - view.population_phi.mean()


class Ordered(Honest):
    """Smooths over the row before. Source: this test. Threat model: black box."""

    name = "ordered"
    scores_rows_apart = False

    def infer(self, view):
        scores = super().infer(view)
        return scores + 0.1 * np.roll(scores, 1)


class Unseeded(Honest):
    """Breaks ties by a generator that nobody seeded. Source: this test. Threat model: black box."""

    name = "unseeded"

    def infer(self, view):
        return super().infer(view) + 1e-3 * np.random.default_rng().random(view.rows)


class Tuned(Honest):
    """Decides by the threshold that suits the target best. Source: this test. Threat model: none that anybody has."""

    name = "tuned"

    def scored(self, signals, target=0, *, references=None):
        found = super().scored(signals, target, references=references)
        members = signals.keep[target]
        limit = best_threshold(found.scores[members], found.scores[~members])
        # No threshold is better than none where all scores are equal.
        flagged = np.zeros(len(members)) if limit is None else (found.scores >= limit).astype(float)
        return type(found)(found.scores + 5 * flagged, found.notes)


class Writing(Honest):
    """Writes into what it is shown. Source: this test. Threat model: black box."""

    name = "writing"

    def infer(self, view):
        scores = super().infer(view)
        labels = view.labels
        while labels.base is not None:
            labels = labels.base
        labels.flags.writeable = True
        labels[:] = 0
        return scores


class Misshapen(Honest):
    """One score a query and row. Source: this test. Threat model: black box."""

    name = "misshapen"

    def infer(self, view):
        return view.phi - view.reference_phi.mean(axis=0)


class Overflowing(Honest):
    """Probabilities from exponentials in float32. Source: this test. Threat model: black box."""

    name = "overflowing"

    def infer(self, view):
        with np.errstate(over="ignore", invalid="ignore"):
            shares = np.exp(view.logits.astype(np.float32))
            shares /= shares.sum(axis=2, keepdims=True)
        own = shares[np.arange(view.rows), :, view.labels].astype(np.float64).mean(axis=1)
        return own - view.reference_phi.mean(axis=(0, 2)) / 100 - view.population_phi.mean() / 100


class Deaf(Honest):
    """Declares a population and never looks at it. Source: this test. Threat model: black box."""

    name = "deaf"

    def infer(self, view):
        return (view.phi - view.reference_phi.mean(axis=0)).mean(axis=1)


class Crowding(Honest):
    """Says that it scores rows apart, and ranks them among themselves. Source: this test. Threat model: black box."""

    name = "crowding"

    def infer(self, view):
        scores = super().infer(view)
        nearest = np.sort(np.abs(scores[:, None] - scores[None]), axis=1)[:, 1]
        return scores + 3 * nearest


class Silent(Honest):
    """Does without a population and does not say so. Source: this test. Threat model: black box."""

    name = "silent"
    needs: ClassVar[Needs] = Needs(references=1)

    def infer(self, view):
        mean = 1.0 if view.population_phi is None else view.population_phi.mean()
        return (view.phi - view.reference_phi.mean(axis=0)).mean(axis=1) - mean


class Counting(Honest):
    """Uses labels as numbers. Source: this test. Threat model: black box."""

    name = "counting"

    def infer(self, view):
        return super().infer(view) + 0.3 * view.labels


class First(Honest):
    """Compares with the first reference alone. Source: this test. Threat model: black box."""

    name = "first"

    def infer(self, view):
        return (view.phi - view.reference_phi[0]).mean(axis=1) - view.population_phi.mean()


class Hoarding(Honest):
    """Remembers what it was asked before. Source: this test. Threat model: black box."""

    name = "hoarding"
    scores_rows_apart = False
    _seen: ClassVar[list[float]] = []

    def infer(self, view):
        self._seen.append(0.01)
        return super().infer(view) * (1 + sum(self._seen))


class Sourceless(Honest):
    """Says nothing of where it comes from."""

    name = "sourceless"


class Crashing(Honest):
    """Needs two rows of every class and does not say so. Source: this test. Threat model: black box."""

    name = "crashing"

    def infer(self, view):
        if np.bincount(view.labels).min() < 2:
            raise IndexError("index 1 is out of bounds")
        return super().infer(view)


class Whispering(Honest):
    """Knows a little of what is to be found out. Source: this test. Threat model: none that anybody has."""

    name = "whispering"

    def scored(self, signals, target=0, *, references=None):
        found = super().scored(signals, target, references=references)
        return type(found)(found.scores + 0.3 * signals.keep[target], found.notes)


class Adding(Honest):
    """Adds what the references say where it was to be subtracted. Source: this test. Threat model: black box."""

    name = "adding"

    def infer(self, view):
        return (view.phi + view.reference_phi.mean(axis=0)).mean(axis=1) - view.population_phi.mean()


class Tallying(Honest):
    """Counts the references that trained on a row. Source: this test. Threat model: black box."""

    name = "tallying"

    def infer(self, view):
        return super().infer(view) - 3 * view.reference_keep.sum(axis=0)


class Saturated(Honest):
    """The probability in float32, where that of a sure model is 1. Source: this test. Threat model: black box."""

    name = "saturated"
    needs: ClassVar[Needs] = Needs()

    def infer(self, view):
        return np.exp(view.log_probability.mean(axis=1)).astype(np.float32).astype(np.float64)


class Trespassing(Honest):
    """Looks at all models behind the view, the complement too. Source: this test. Threat model: none."""

    name = "trespassing"

    def infer(self, view):
        return super().infer(view) - view._pool.phi.mean(axis=(0, 2))


class Straying(Honest):
    """Looks at all queries behind the view. Source: this test. Threat model: none."""

    name = "straying"

    def infer(self, view):
        return super().infer(view) + 0.5 * view._pool.phi[view._target].mean(axis=1)


class Stale(Honest):
    """Keeps what the first references said for all that follow. Source: this test. Threat model: black box."""

    name = "stale"

    def infer(self, view):
        if not hasattr(self, "mean"):
            self.mean = view.reference_phi.mean()
        return (view.phi - view.reference_phi.mean(axis=0)).mean(axis=1) + self.mean - view.population_phi.mean()


class Named(Honest):
    """Takes subjects for numbers. Source: this test. Threat model: black box."""

    name = "named"
    needs: ClassVar[Needs] = Needs(references=1, population=True, subjects=True)

    def infer(self, view):
        return super().infer(view) + 0.001 * np.asarray(view.subjects, np.float64)


class Personal(Honest):
    """Says that it scores people, and scores rows. Source: this test. Threat model: black box."""

    name = "personal"
    unit = "subject"


class Greedy(Honest):
    """Needs six references and says one. Source: this test. Threat model: black box."""

    name = "greedy"

    def infer(self, view):
        return super().infer(view) + 0 * view.reference_phi[5].sum(axis=1)
