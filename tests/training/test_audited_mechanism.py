"""The audit against the mechanism: private training keeps its promise, and two ways to get it wrong are found out.

A dense layer learns 400 canaries of noise, each in training by its own coin, and 100 other rows. The settings follow
from what an audit can see. Pictures have 1,728 values, so that two of them are nearly orthogonal (a cosine of about
1 / sqrt(1728) = 0.024) and each canary has a direction of its own. Along it, T steps at rate q add up its clipped
gradients to q T C, the noise to sigma sqrt(T) C, and what some 200 other canaries add to 0.024 sqrt(200) q T C. Its own
part over the rest:

- as promised, q sqrt(T) / sigma = 0.25 sqrt(60) / 7.4 = 0.26: an AUC of 0.57, which proves next to nothing;
- without noise, 1 / (0.024 sqrt(200)) = 2.9: an AUC of 0.98, and nearly all of the 100 surest guesses are right;
- clipped after averaging: the gradient of one row is as long as its picture, 24, and the average of 75 is 24 / sqrt(75)
  = 2.8 long and clipped to 1. A row then adds 24 / 2.8 = 8.7 times what the noise is meant for: 2.2 over the noise, 1.8
  over noise and other canaries, an AUC of 0.9. Of the 100 surest guesses 97 are right.

To prove an epsilon above 1 at 0.95, shared by six numbers of guesses, 84 of 100 must be right. Where 97 are expected,
fewer are in one of a hundred million runs, so each broken training must be found. The sound one may be accused in one
of twenty; more than 3 of 8 are by chance in less than one of a thousand.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import binom

from fer_audit.attacks.probabilities import phi
from fer_audit.canary_section import Canaries
from fer_audit.data.canaries import Planted, plant
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.metrics.accounting import account, noise_for
from fer_audit.metrics.canary_audit import OneRunAudit, one_run_audit
from fer_audit.models.model import Model
from fer_audit.results import Guarantee
from fer_audit.specs import PluginIdentity, PrivateStep, PrivateTraining, ProgramSpec
from fer_audit.training.program import Program
from fer_audit.training.sampling import PoissonSampled

SEEDS, SIZE, CLASSES, COUNT = 8, 24, 4, 400
CLIP, LEARNING_RATE = 1.0, 0.3
CANARIES = Canaries(kind="out-of-distribution", count=COUNT)

Step = Callable[[np.ndarray, np.ndarray, int], None]
Answer = Callable[[np.ndarray], np.ndarray]


class Linear(Model):
    """One dense layer on pixels about zero, without any opinion before it has learnt; source: this test."""

    name = "linear"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, -1.0)(inputs))
        return keras.Model(inputs, keras.layers.Dense(classes, kernel_initializer="zeros")(x))


def rows(count: int) -> Rows:
    images = np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    return Rows(images, np.arange(count) % CLASSES, tuple(map(str, range(count))))


FACES = FaceData(tuple("abcd"), rows(100), rows(8), rows(0), drawn=True)


@pytest.fixture(scope="module")
def guarantee() -> Guarantee:
    """Epsilon 1 for 60 steps of 75 of 300 rows."""
    sizes = {"rows": 100 + COUNT // 2, "batch_size": 75, "epochs": 15, "delta": 1e-5}
    noise = noise_for(1.0, sampling="poisson", **sizes)
    return account(noise_multiplier=noise, clip_norm=CLIP, sampling="poisson", group=None, **sizes)


@pytest.fixture(scope="module")
def program(guarantee: Guarantee) -> Program:
    spec = ProgramSpec(
        model=PluginIdentity(kind="model", name="linear", params={}, source=""),
        input_shape=(SIZE, SIZE, 3),
        classes=CLASSES,
        batch_size=guarantee.batch_size,
        optimizer="sgd",
        weight_decay=0.0,
        momentum=0.0,
        private=PrivateStep(physical_batch=64, clipping="auto"),
    )
    return Program(spec, Linear())


def trained_privately(program: Program, noise: float, planted: Planted, guarantee: Guarantee, seed: int) -> Answer:
    """The mechanism of the package, with that much `noise`."""
    mechanism = PrivateTraining(
        clip_norm=CLIP, noise_multiplier=noise, sampling="poisson", nominal_rows=guarantee.rows, source=""
    )
    program.reset(seed, planted.data.pool.images[planted.rows])
    run(
        lambda images, labels, number: program.private_step(images, labels, number, LEARNING_RATE, mechanism),
        planted,
        guarantee,
        seed,
    )
    return program.logits


def clipped_after_averaging(planted: Planted, guarantee: Guarantee, seed: int) -> Answer:
    """The average gradient is clipped, and gets the noise that would do had each been clipped before."""
    keras.utils.set_random_seed(seed)
    network, rng = Linear().create((SIZE, SIZE, 3), CLASSES), np.random.default_rng([seed, 3])

    def step(images: np.ndarray, labels: np.ndarray, _number: int) -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(images.astype(np.float32)))
            loss = tf.reduce_sum(losses) / guarantee.batch_size
        weights = [weight.value for weight in network.trainable_weights]
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, weights), CLIP)
        scale = guarantee.noise_multiplier * CLIP / guarantee.batch_size
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_sub(LEARNING_RATE * (gradient + scale * rng.normal(size=gradient.shape)))

    run(step, planted, guarantee, seed)
    return lambda images: np.asarray(network(images.astype(np.float32)))


def run(step: Step, planted: Planted, guarantee: Guarantee, seed: int) -> None:
    """All steps, each on rows that coins choose."""
    sampling = PoissonSampled(len(planted.rows), guarantee.batch_size, guarantee.rows)
    draws = (places for epoch in range(guarantee.epochs) for places in sampling.epoch(seed, epoch))
    for number, places in enumerate(draws, 1):
        chosen = planted.rows[places]
        step(planted.data.pool.images[chosen], planted.labels[chosen], number)


def audits(train: Callable[[Planted, int], Answer], guarantee: Guarantee) -> list[OneRunAudit]:
    """One audit for each seed."""
    found = []
    for seed in range(SEEDS):
        planted = plant(FACES, np.asarray(FACES.pool.labels), CANARIES, seed)
        logits = train(planted, seed)(planted.data.pool.images[-COUNT:])
        scores = phi(logits, planted.labels[-COUNT:])
        found.append(one_run_audit(scores, planted.included, delta=guarantee.delta))
    return found


def test_the_mechanism_keeps_its_promise(program: Program, guarantee: Guarantee) -> None:
    noise = guarantee.noise_multiplier
    found = audits(lambda planted, seed: trained_privately(program, noise, planted, guarantee, seed), guarantee)
    assert guarantee.epsilon == pytest.approx(1.0, abs=0.05)
    accused = sum(audit.lower_bound > guarantee.epsilon for audit in found)
    assert accused <= binom.ppf(0.999, SEEDS, 0.05)
    # It is not that nothing was learnt: the expected AUC is 0.57, with a standard error of 0.01 over the seeds.
    assert np.mean([audit.auc.value for audit in found]) > 0.53


def test_noise_that_was_forgotten_is_found(program: Program, guarantee: Guarantee) -> None:
    found = audits(lambda planted, seed: trained_privately(program, 0.0, planted, guarantee, seed), guarantee)
    assert all(audit.lower_bound > guarantee.epsilon for audit in found)


def test_clipping_after_averaging_is_found(guarantee: Guarantee) -> None:
    found = audits(lambda planted, seed: clipped_after_averaging(planted, guarantee, seed), guarantee)
    assert all(audit.lower_bound > guarantee.epsilon for audit in found)
