"""Optimizers over one vector of weights, with the arithmetic of their Keras namesakes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fer_audit.specs import ProgramSpec

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7


class Optimizer:
    """AdamW (Loshchilov & Hutter 2019), Adam (Kingma & Ba 2015) or SGD with momentum, as in keras.optimizers."""

    def __init__(self, spec: ProgramSpec, weights: tf.Variable) -> None:
        """Makes the slots for `weights` float32 (P,); hyper-parameters are those of `spec`."""
        self._spec = spec
        self._weights = weights
        count = 1 if spec.optimizer == "sgd" else 2
        self._slots = [tf.Variable(tf.zeros_like(weights), trainable=False) for _ in range(count)]

    def reset(self) -> None:
        """Forgets everything, as if no step had been made."""
        for slot in self._slots:
            slot.assign(tf.zeros_like(slot))

    @staticmethod
    def scalars(step: int, learning_rate: float) -> npt.NDArray[np.float32]:
        """What `apply` needs at `step` (1 is the first): learning rate, beta_1^step, beta_2^step, float32 (3,)."""
        return np.array([learning_rate, _BETA_1**step, _BETA_2**step], dtype=np.float32)

    def apply(self, gradient: Any, scalars: Any) -> None:
        """One update of all weights by `gradient` (P,); called while tracing."""
        rate, beta_1_power, beta_2_power = tf.unstack(scalars)
        if self._spec.clip_norm is not None:
            gradient = clip(gradient, self._spec.clip_norm)
        if self._spec.optimizer == "sgd":
            self._apply_sgd(gradient, rate)
            return
        if self._spec.weight_decay:
            decay = rate * self._spec.weight_decay
            tf.raw_ops.ResourceApplyGradientDescent(var=self._weights.handle, alpha=decay, delta=self._weights.value())
        tf.raw_ops.ResourceApplyAdam(
            var=self._weights.handle,
            m=self._slots[0].handle,
            v=self._slots[1].handle,
            beta1_power=beta_1_power,
            beta2_power=beta_2_power,
            lr=rate,
            beta1=_BETA_1,
            beta2=_BETA_2,
            epsilon=_EPSILON,
            grad=gradient,
        )

    def _apply_sgd(self, gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=self._weights.handle,
            accum=self._slots[0].handle,
            lr=rate,
            grad=gradient,
            momentum=self._spec.momentum,
        )


def clip(gradient: Any, norm: float) -> Any:
    """`gradient` (P,) scaled down to length `norm` where it is longer (Pascanu et al. 2013, algorithm 1)."""
    return gradient * tf.minimum(1.0, norm / tf.norm(gradient))


def learning_rate(base: float, schedule: str, step: int, steps: int) -> float:
    """The rate at `step` (0 is the first) of `steps`: `constant`, or half a cosine from `base` to zero."""
    if schedule == "constant":
        return base
    return base * 0.5 * (1.0 + math.cos(math.pi * step / steps))
