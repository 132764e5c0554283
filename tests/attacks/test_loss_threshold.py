from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_audit.attacks import Signals, create
from fer_audit.attacks.probabilities import log_probability, phi


def test_scores_are_the_golden_ones(golden: Path, golden_signals: Signals) -> None:
    scores = create("loss-threshold", queries=[0]).score(golden_signals)
    with np.load(golden / "scores.npz") as file:
        np.testing.assert_allclose(scores, file["loss_logsumexp"], rtol=0, atol=1e-9)
        np.testing.assert_allclose(scores, file["tfp_loss"], rtol=0, atol=1e-9)


def test_queries_are_averaged(golden_signals: Signals) -> None:
    apart = [create("loss-threshold", queries=[q]).score(golden_signals) for q in (0, 1)]
    np.testing.assert_allclose(create("loss-threshold").score(golden_signals), np.mean(apart, axis=0), atol=1e-12)


def test_phi_of_both_queries_is_the_golden_one(golden: Path, golden_signals: Signals) -> None:
    found = phi(golden_signals.logits[0].astype(np.float64), golden_signals.labels)
    with np.load(golden / "scores.npz") as file:
        np.testing.assert_allclose(found, file["phi_target"], rtol=0, atol=1e-9)


def test_extreme_logits_keep_their_digits(golden: Path) -> None:
    with np.load(golden / "extreme.npz") as file:
        loss = -log_probability(phi(file["logits"], file["labels"]))
        np.testing.assert_allclose(loss, file["loss"], rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(phi(file["logits"], file["labels"]), file["phi"], rtol=1e-12, atol=1e-12)
