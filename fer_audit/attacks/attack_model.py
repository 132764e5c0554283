"""Attack models: classifiers that learn from the references' outputs what a member's output looks like."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.signals import Mask
from fer_audit.attacks.target_view import TargetView

Index = npt.NDArray[np.intp]
Classifier = Literal["logistic-regression", "random-forest"]

#: Outputs are made for this many times `max_rows`, so that thinning by their values has something to choose from.
_SPARE = 4


def fit(features: Floats, members: Mask, classifier: Classifier, *, max_rows: int, seed: int = 0) -> Any:
    """A fitted scikit-learn classifier of outputs (K, F) and their membership (K,).

    The same outputs give the same model in whatever order they come. Beyond `max_rows` of them every k-th is learned
    from, in the order of their values, which thins them evenly.
    """
    from sklearn.exceptions import ConvergenceWarning

    order = np.lexsort((members, *features.T))
    order = order[:: max(1, -(-len(order) // max_rows))]
    with warnings.catch_warnings():
        # Features that hardly vary, or are huge, stop Newton's steps; the solver then goes on by itself with another.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _classifier(classifier, seed).fit(features[order], members[order])


def outputs(
    view: TargetView, rows: Index, features: Callable[[Floats], Floats], *, max_rows: int
) -> tuple[Floats, Mask]:
    """Features (K, F) of the references' outputs on `rows`, and their membership (K,).

    Where `fit` could not use them all, only every k-th row is taken, in the order of the target's confidence.
    """
    share = max(1, len(rows) * len(view.reference_keep) // (_SPARE * max_rows))
    if share > 1:
        rows = rows[np.argsort(view.phi[rows].mean(axis=1), kind="stable")][::share]
    found, members = [], []
    for reference in range(len(view.reference_keep)):
        found.append(features(view.reference_logits(reference)[rows]))
        members.append(view.reference_keep[reference, rows])
    return np.concatenate(found), np.concatenate(members)


def _classifier(name: Classifier, seed: int) -> Any:
    if name == "random-forest":
        from sklearn.ensemble import RandomForestClassifier

        # Trees do not care about scales; scaling could push a nearly constant feature beyond float32.
        return RandomForestClassifier(n_estimators=100, min_samples_leaf=20, random_state=seed)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Many rows, few features: Newton's steps need a tenth of the time of the default solver and converge further.
    return make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", max_iter=200))
