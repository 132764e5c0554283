"""How far fer-audit's training step goes from that of plain Keras, from the same weights and on the same batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt
from baselines.ghostface_keras import copy_weights, ghostface, weights_by_path
from faces import faces
from settings import BATCH

from ours.program import prepare_as_worker, program_of

Weights = dict[str, npt.NDArray[Any]]
Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Outcome:
    """Where steps led: the loss of each, and the weights after each, those before the first ahead of them in a walk."""

    losses: list[float]
    weights: list[Weights]


class Trainer(Protocol):
    """A network that is trained step by step."""

    def start_from(self, weights: Weights) -> None:
        """Takes `weights`, and forgets what the optimizer has gathered."""

    def weights(self) -> Weights:
        """All weights by path."""

    def step(self, batch: Batch, number: int) -> float:
        """Step `number` (1 is the first); the batch's mean loss."""


def agreement(spec: dict[str, Any], steps: int, learning_rate: float) -> dict[str, Any]:
    """Differences of fer-audit, and of Keras with the rows of each batch in another order, from plain Keras.

    Both go their own way from the first weights (`free`), and go one step from each of the weights that plain Keras
    passed through (`guided`), so that rounding has no steps to grow in.
    """
    prepare_as_worker()
    size = spec["input_shape"][0]
    pool = faces(steps * BATCH, size).pool
    labels = np.eye(spec["classes"], dtype=np.float32)[pool.labels]
    batches = [(pool.images[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, len(labels), BATCH)]
    order = np.random.default_rng(0).permutation(BATCH)
    turned = [(images[order], given[order]) for images, given in batches]

    mine, theirs = _Ours(spec, learning_rate), _Keras(spec, learning_rate)
    start = mine.fresh(pool.images)
    trained = [weight.path for weight in theirs.network.trainable_weights]
    plain = _walk(theirs, start, batches)
    steps_of_plain = _steps_from(theirs, plain, batches)
    found: dict[str, Any] = {}
    for name, trainer, given in (("ours", mine, batches), ("turned", theirs, turned)):
        found[name] = {
            "free": _after_all(_walk(trainer, start, given), plain, trained),
            "guided": _worst_step(_steps_from(trainer, plain, given), steps_of_plain, plain, trained),
        }
    return found


class _Ours:
    def __init__(self, spec: dict[str, Any], learning_rate: float) -> None:
        self._program = program_of(spec)
        self._program.warm_up()
        self._learning_rate = learning_rate

    def fresh(self, images: npt.NDArray[np.uint8]) -> Weights:
        self._program.reset(0, images)
        return self.weights()

    def start_from(self, weights: Weights) -> None:
        paths = [weight.path for weight in self._program.network.weights]
        self._program.load({path: weights[path] for path in paths})

    def weights(self) -> Weights:
        return weights_by_path(self._program.network)

    def step(self, batch: Batch, number: int) -> float:
        return self._program.step(*batch, number, self._learning_rate)[0] / len(batch[1])


class _Keras:
    def __init__(self, spec: dict[str, Any], learning_rate: float) -> None:
        self.network = ghostface(spec["input_shape"][0], spec["classes"])
        self._optimizer = _optimizer(spec, learning_rate)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        self.network.compile(optimizer=self._optimizer, loss=loss, jit_compile=False)
        self._optimizer.build(self.network.trainable_variables)
        self._fresh = [np.array(variable) for variable in self._optimizer.variables]

    def start_from(self, weights: Weights) -> None:
        copy_weights(weights, self.network)
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)

    def weights(self) -> Weights:
        return weights_by_path(self.network)

    def step(self, batch: Batch, number: int) -> float:
        self.network.reset_metrics()  # else Keras answers with the mean of all steps so far
        return float(self.network.train_on_batch(*batch))


def _optimizer(spec: dict[str, Any], learning_rate: float) -> Any:
    if spec["optimizer"] == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=spec["momentum"])
    return keras.optimizers.AdamW(learning_rate, weight_decay=spec["weight_decay"])


def _walk(trainer: Trainer, start: Weights, batches: Sequence[Batch]) -> Outcome:
    """All steps from `start`."""
    trainer.start_from(start)
    outcome = Outcome([], [start])
    for number, batch in enumerate(batches, 1):
        outcome.losses.append(trainer.step(batch, number))
        outcome.weights.append(trainer.weights())
    return outcome


def _steps_from(trainer: Trainer, way: Outcome, batches: Sequence[Batch]) -> Outcome:
    """One step, a first one for the optimizer, from the weights before each step of `way`."""
    outcome = Outcome([], [])
    for weights, batch in zip(way.weights, batches, strict=False):
        trainer.start_from(weights)
        outcome.losses.append(trainer.step(batch, 1))
        outcome.weights.append(trainer.weights())
    return outcome


@dataclass(frozen=True)
class _Differences:
    loss: float
    weights: float  #: L2, of the weights themselves
    way: float  #: L2, of how far the weights went
    moving: float  #: the same of the moving statistics


def _difference(
    losses: tuple[float, float], here: Weights, there: Weights, before: Weights, trained: Sequence[str]
) -> _Differences:
    """Relative differences of `here` from `there`, which was reached from `before`."""
    moving = [path for path in there if path.endswith(("/moving_mean", "/moving_variance"))]
    return _Differences(
        loss=abs(losses[0] - losses[1]) / abs(losses[1]),
        weights=_norm(here, there, trained) / _norm(there, None, trained),
        way=_norm(here, there, trained) / _norm(there, before, trained),
        moving=_norm(here, there, moving) / _norm(there, None, moving),
    )


def _after_all(found: Outcome, expected: Outcome, trained: Sequence[str]) -> dict[str, Any]:
    losses = list(zip(found.losses, expected.losses, strict=True))
    last = _difference(losses[-1], found.weights[-1], expected.weights[-1], expected.weights[0], trained)
    apart = [abs(a - b) / abs(b) for a, b in losses]
    return {**dataclasses.asdict(last), "loss": max(apart), "first_loss": apart[0], "losses": apart}


def _worst_step(found: Outcome, expected: Outcome, way: Outcome, trained: Sequence[str]) -> dict[str, Any]:
    losses = zip(found.losses, expected.losses, strict=True)
    ends = zip(losses, found.weights, expected.weights, way.weights, strict=False)
    every = [dataclasses.asdict(_difference(*end, trained)) for end in ends]
    return {name: max(each[name] for each in every) for name in every[0]} | {"first_loss": every[0]["loss"]}


def _norm(weights: Weights, minus: Weights | None, paths: Sequence[str]) -> float:
    squares = [
        np.square(weights[path].astype(np.float64) - (0.0 if minus is None else minus[path])).sum() for path in paths
    ]
    return float(np.sqrt(sum(squares)))
