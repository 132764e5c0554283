"""Label noise made of a weak model's mistakes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from fer_audit.attacks.grey_images import grey_features
from fer_audit.attacks.label_attack import Floats, LabelAttack, LabelContext, Labels
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters

#: Of the solver: a plan is made in seconds, and a weak model that has not quite converged is a weak model.
_STEPS = 50


class ModelConfusion(LabelAttack):
    """Labels are replaced by those that a weak model gives, as annotation by machine would.

    The weak model is a multinomial logistic regression, at most 50 steps of it, on the brightnesses of an image on
    equal areas. What it says of a row comes from a fit on the other folds; rows that belong together, such as those of
    a person, share a fold. By default every row gets the weak model's label. With a `rate`, rows that it errs on get
    it, those where it is surest of its wrong label first, up to round(rate * N) rows; where it errs on fewer, those are
    all (`exact`: an error). The rows that a lower rate corrupts are among those of a higher one.

    Sources: rows ranked by a network's confidence in a wrong class as in Chen et al., "Beyond Class-Conditional
    Assumption: A Primary Attempt to Combat Instance-Dependent Label Noise", AAAI 2021, algorithm 1; out-of-fold
    predictions as in Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021.
    """

    name = "model-confusion"

    class Params(Parameters):
        """Parameters of a weak model's labels."""

        rate: float | None = Field(
            None,
            ge=0,
            le=1,
            description="share of rows to corrupt by the surest mistakes; null: all labels are its own",
        )
        exact: bool = Field(False, description="an error where the weak model errs on fewer rows than `rate` asks for")
        folds: int = Field(5, ge=2, description="parts of the rows, each labelled by a model of the others")
        regularisation: float = Field(
            1.0, gt=0, description="weight of the squared norm of the coefficients; larger is a weaker model"
        )
        side: int = Field(12, ge=1, description="areas along a side of the image")

        @model_validator(mode="after")
        def _exactly_what(self) -> ModelConfusion.Params:
            if self.exact and self.rate is None:
                raise ValueError("expected a rate where exact is set")
            return self

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """Corrupted labels int64 (N,)."""
        predicted, confidence = self.weak_labels(labels, context)
        if self.params.rate is None:
            return predicted
        errors = np.flatnonzero(predicted != labels)
        asked = round(self.params.rate * len(labels))
        if len(errors) < asked:
            self._too_few(len(errors), asked, context)
        chosen = errors[np.argsort(-confidence[errors], kind="stable")[:asked]]
        labels[chosen] = predicted[chosen]
        return labels

    def _too_few(self, errors: int, asked: int, context: LabelContext) -> None:
        found = (
            f"the weak model errs on {errors:,} rows, fewer than the {asked:,} that rate {self.params.rate} asks for"
        )
        if self.params.exact:
            raise PluginError(
                f"label attack {self.name!r}: {found}: lower the rate, or raise `regularisation` for a weaker model"
            )
        context.remark(f"{found}, so those are all")

    def weak_labels(self, labels: Labels, context: LabelContext) -> tuple[Labels, Floats]:
        """What the weak model takes each row for (N,), and the probability (N,) that it gives that class."""
        from threadpoolctl import threadpool_limits

        # With one thread the sums, and so the labels, are the same on a machine with another number of cores.
        with threadpool_limits(1):
            features = grey_features(context.shown(), self.params.side)
            folds = row_folds(len(labels), context.subjects, self.params.folds, context.rng)
            return self._out_of_fold(features, labels, folds)

    def _out_of_fold(self, features: Floats, labels: Labels, folds: Labels) -> tuple[Labels, Floats]:
        predicted, confidence = labels.copy(), np.ones(len(labels))
        for fold in np.unique(folds):
            rows, others = folds == fold, folds != fold
            if len(np.unique(labels[others])) < 2:
                raise PluginError(
                    f"label attack {self.name!r}: a weak model needs rows of at least 2 classes outside of each fold, "
                    f"and rows that belong together share a fold; received {int(others.sum())} such rows"
                )
            model = self._fitted(features[others], labels[others])
            probability = model.predict_proba(features[rows])
            predicted[rows] = model.classes_[probability.argmax(axis=1)]
            confidence[rows] = probability.max(axis=1)
        return predicted, confidence

    def _fitted(self, features: Floats, labels: Labels) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1 / self.params.regularisation, max_iter=_STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(features, labels)


def row_folds(count: int, units: Labels | None, folds: int, rng: np.random.Generator) -> Labels:
    """Fold (N,) of each of `count` rows, of nearly equal size; rows of one unit (N,) share a fold."""
    _, units = np.unique(np.arange(count) if units is None else units, return_inverse=True)
    sizes = np.bincount(units)
    order = rng.permutation(len(sizes))
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    fold_of = np.empty(len(sizes), np.int64)
    fold_of[order] = middles * folds // max(count, 1)
    return fold_of[units]
