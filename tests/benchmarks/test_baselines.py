from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_audit.registry import Registry

BENCHMARKS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def _load(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("size", [48, 57])
def test_the_keras_baseline_is_ghostface(size: int) -> None:
    baseline = _load("baselines.ghostface_keras")
    ours = Registry.load([]).create("model", "ghostface", {}).create((size, size, 3), 7)
    theirs = baseline.ghostface(size, 7)
    rng = np.random.default_rng(0)
    for weight in ours.weights:
        if weight.name in ("gamma", "beta", "bias", "moving_mean", "moving_variance"):
            weight.assign(np.array(weight) + rng.uniform(0.0, 0.5, weight.shape))
    ours.get_layer("normalization").adapt_to_rows(rng.integers(0, 256, (4, size, size, 3), np.uint8))
    baseline.copy_weights(baseline.weights_by_path(ours), theirs)
    images = rng.uniform(0, 255, (4, size, size, 3)).astype(np.float32)
    expected = np.array(ours(images, training=False))
    np.testing.assert_allclose(np.array(theirs(images, training=False)), expected, atol=1e-5 * np.abs(expected).max())
    momenta = {layer.momentum for network in (ours, theirs) for layer in network.layers if hasattr(layer, "momentum")}
    assert momenta == {0.9}


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_the_pytorch_baseline_is_the_keras_baseline() -> None:
    found = _load("side").run("baselines.torch_fit:likeness", size=48, rows=16)
    assert found["difference"] < 1e-4
    assert found["trainable"] == found["trainable_keras"] == 1_278_130


def test_rates_of_processes_at_once_are_summed_while_all_work() -> None:
    summed_rate = _load("overlap").summed_rate
    assert summed_rate([[0.0, 1.0, 2.0]], 10) == pytest.approx(10)
    # From 1 s to 3 s both work: one at 10/s, the other at 5/s.
    assert summed_rate([[0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0]], 10) == pytest.approx(15)
    with pytest.raises(RuntimeError, match="same time"):
        summed_rate([[0.0, 1.0], [2.0, 3.0]], 10)
