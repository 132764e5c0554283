"""Tests of my-model: the conformance kit, and its depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_audit.testing import Check, load_subjects, parametrize_checks

_FILE = Path(__file__).with_name("my_model.py")


@parametrize_checks(_FILE)
def test_my_model_conforms(check: Check) -> None:
    """What every model must do, as `fer-audit check` has it."""
    check()


@pytest.mark.parametrize("blocks", [1, 3])
def test_depth(blocks: int) -> None:
    """6 n + 2 layers with weights, beside the shortcuts' (He et al. 2016, section 4.2)."""
    network = load_subjects(_FILE)[0].make(blocks=blocks).create((32, 32, 3), 7)
    names = [layer.name for layer in network.layers if layer.name.endswith(("_conv", "logits"))]
    np.testing.assert_equal(len([name for name in names if "shortcut" not in name]), 6 * blocks + 2)
