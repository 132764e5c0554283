"""Tests of my-label-attack: the conformance kit, and its transition matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_audit.attacks.label_attack import LabelContext
from fer_audit.testing import Check, load_subjects, parametrize_checks

_FILE = Path(__file__).with_name("my_label_attack.py")


@parametrize_checks(_FILE)
def test_my_label_attack_conforms(check: Check) -> None:
    """What every label attack must do, as `fer-audit check` has it."""
    check()


def test_frequent_classes_attract_mistakes() -> None:
    """Where all labels are replaced, the others' frequencies are the transition matrix."""
    labels = np.repeat([0, 1, 2], [6000, 3000, 1000])
    context = LabelContext(("neutral", "happiness", "fear"), np.random.default_rng(0))
    matrix = load_subjects(_FILE)[0].make(rate=1.0)(labels, context).matrix
    np.testing.assert_allclose(matrix, [[0, 3 / 4, 1 / 4], [6 / 7, 0, 1 / 7], [6 / 9, 3 / 9, 0]], atol=0.04)
