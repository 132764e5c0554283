"""The baseline of private steps is differentially private SGD, and the same as ours."""

from __future__ import annotations

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_audit.models.model import Model
from fer_audit.specs import PluginIdentity, PrivateStep, PrivateTraining, ProgramSpec
from fer_audit.training.program import Program

BENCHMARKS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"


class Small(Model):
    """A convolution and a dense layer; source: this test."""

    name = "small"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(x)))


def test_the_loop_makes_the_steps_that_we_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    baseline = importlib.import_module("baselines.dp_sgd_loop")
    spec = ProgramSpec(
        model=PluginIdentity(kind="model", name="small", params={}, source=""),
        input_shape=(8, 8, 3),
        classes=3,
        batch_size=6,
        optimizer="sgd",
        weight_decay=0.0,
        momentum=0.9,
        private=PrivateStep(physical_batch=6, clipping="auto"),
    )
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 8, 8, 3), np.uint8), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    program = Program(spec, Small())
    program.reset(0, images)
    network = Small().create((8, 8, 3), 3)
    network.set_weights(program.network.get_weights())
    plain = baseline.PlainKeras(network, 6)
    mechanism = PrivateTraining(clip_norm=0.3, noise_multiplier=0.0, sampling="poisson", nominal_rows=60, source="")
    for number in (1, 2, 3):
        program.private_step(images, labels, number, 0.5, mechanism)
        plain.private_step(images, labels, 0.5, mechanism)
    for ours, theirs in zip(program.network.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    program.step(images, labels, 4, 0.5)
    plain.step(images, labels, 0.5)
    for ours, theirs in zip(program.network.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
