"""Tests of my-attack: the conformance kit, and scores that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_audit.attacks.signals import Signals
from fer_audit.testing import Check, load_subjects, parametrize_checks

_FILE = Path(__file__).with_name("my_attack.py")


@parametrize_checks(_FILE)
def test_my_attack_conforms(check: Check) -> None:
    """What every membership attack must do, as `fer-audit check` has it."""
    check()


def test_scores_of_four_rows() -> None:
    """The margin less that of the reference that did not train on the row; both did on the third row."""
    margins = np.array([[5, 4, 1, 0], [2, 9, 3, 1], [9, 1, 2, 9]], np.float32)  # of the target and two references
    keep = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1]], np.bool_)
    logits = np.stack([margins, np.zeros_like(margins), np.full_like(margins, -7)], axis=-1)[:, :, None, :]
    scored = load_subjects(_FILE)[0].make().scored(Signals(logits, keep, np.zeros(4, np.int64)))
    np.testing.assert_array_equal(scored.scores, [5 - 2, 4 - 1, 1 - 2.5, 0 - 1])
    np.testing.assert_equal(len(scored.notes), 1)
