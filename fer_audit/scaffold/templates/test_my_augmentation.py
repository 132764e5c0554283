"""Tests of my-augmentation: the conformance kit, and how much it erases."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_audit.testing import Check, load_subjects, parametrize_checks

_FILE = Path(__file__).with_name("my_augmentation.py")


@parametrize_checks(_FILE)
def test_my_augmentation_conforms(check: Check) -> None:
    """What every augmentation must do, as `fer-audit check` has it."""
    check()


def test_shares_that_are_erased() -> None:
    """Half of the images change, and of these shares that are uniform from 0.02 to `area`."""
    images, labels = np.zeros((1000, 64, 64, 3), np.uint8), np.ones((1000, 7), np.float32) / 7
    augmentation = load_subjects(_FILE)[0].make(probability=0.5, area=0.25)
    changed, _ = augmentation(images, labels, np.random.default_rng(0))
    shares = (changed > 0).any(axis=3).mean(axis=(1, 2))
    np.testing.assert_allclose((shares > 0).mean(), 0.5, atol=0.06)
    np.testing.assert_allclose(shares[shares > 0].mean(), (0.02 + 0.25) / 2, atol=0.01)
    np.testing.assert_array_less(shares, 0.25 + 0.02)  # sides are whole pixels
