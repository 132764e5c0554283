"""Optimizers as one fused update a variable, with the arithmetic of their Keras namesakes."""

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

    def __init__(self, spec: ProgramSpec, variables: list[tf.Variable]) -> None:
        """Makes the slots for `variables`; hyper-parameters are those of `spec`."""
        self._spec = spec
        self._variables = variables
        count = 1 if spec.optimizer == "sgd" else 2
        self._slots = [[tf.Variable(tf.zeros_like(v), trainable=False) for _ in range(count)] for v in variables]

    def reset(self) -> None:
        """Forgets everything, as if no step had been made."""
        for slots in self._slots:
            for slot in slots:
                slot.assign(tf.zeros_like(slot))

    @staticmethod
    def scalars(step: int, learning_rate: float) -> npt.NDArray[np.float32]:
        """What `apply` needs at `step` (1 is the first): learning rate, beta_1^step, beta_2^step, float32 (3,)."""
        return np.array([learning_rate, _BETA_1**step, _BETA_2**step], dtype=np.float32)

    def apply(self, gradients: list[Any], scalars: Any) -> None:
        """One update of all variables; called while tracing."""
        # Taken apart once: a slice for each use would be a thousand ops in a network of GhostFace's depth.
        rate, beta_1_power, beta_2_power = tf.unstack(scalars)
        decay = rate * self._spec.weight_decay
        for variable, slots, gradient in zip(self._variables, self._slots, gradients, strict=True):
            if self._spec.optimizer == "sgd":
                self._apply_sgd(variable, slots[0], gradient, rate)
                continue
            if self._spec.weight_decay:
                tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=decay, delta=variable.value())
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=slots[0].handle,
                v=slots[1].handle,
                beta1_power=beta_1_power,
                beta2_power=beta_2_power,
                lr=rate,
                beta1=_BETA_1,
                beta2=_BETA_2,
                epsilon=_EPSILON,
                grad=gradient,
            )

    def _apply_sgd(self, variable: tf.Variable, slot: tf.Variable, gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle, accum=slot.handle, lr=rate, grad=gradient, momentum=self._spec.momentum
        )


def learning_rate(base: float, schedule: str, step: int, steps: int) -> float:
    """The rate at `step` (0 is the first) of `steps`: `constant`, or half a cosine from `base` to zero."""
    if schedule == "constant":
        return base
    return base * 0.5 * (1.0 + math.cos(math.pi * step / steps))
