"""The trained weights of a network as one vector, so that one op updates them all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from fer_audit.errors import PluginError


class FlatWeights:
    """The trainable weights of a network, float32 (P,), and the way between them and the network's own variables.

    A training step reads the vector and writes it; the network's variables are only brought up to date by `scatter`,
    which inference and everything else outside a step needs.
    """

    def __init__(self, network: keras.Model) -> None:
        """Makes the vector; raises PluginError where nothing is trained, or a weight is constrained or not float32."""
        self._network = network
        self._weights = network.trainable_variables
        if not self._weights:
            raise PluginError(f"network {network.name!r} has no trainable weights; expected at least one")
        for weight in self._weights:
            if weight.dtype != "float32":
                raise PluginError(f"weight {weight.path!r} is {weight.dtype}; expected trainable weights in float32")
            if weight.constraint is not None:
                raise PluginError(
                    f"weight {weight.path!r} has a constraint, which training does not apply; leave it out, or write "
                    f"a layer that computes with the constrained weight"
                )
        self._sizes = [math.prod(weight.shape) for weight in self._weights]
        self.vector = tf.Variable(tf.zeros([sum(self._sizes)]), trainable=False)

    def gather(self) -> None:
        """Takes the network's variables into the vector."""
        self.vector.assign(tf.concat([tf.reshape(weight.value, [-1]) for weight in self._weights], axis=0))

    def scatter(self) -> None:
        """Writes the vector back into the network's variables."""
        for weight, value in zip(self._weights, self.pieces(), strict=True):
            weight.assign(value)

    def pieces(self) -> list[Any]:
        """The vector cut into one tensor a weight, in the order and the shapes of the network's variables."""
        parts = tf.split(self.vector.value(), self._sizes)
        return [
            part if len(weight.shape) == 1 else tf.reshape(part, weight.shape)
            for part, weight in zip(parts, self._weights, strict=True)
        ]

    @contextlib.contextmanager
    def instead(self, pieces: list[Any]) -> Iterator[None]:
        """Within it the network computes with `pieces` for its trainable weights; called while tracing.

        What layers assign to their other variables meanwhile, such as the state of dropout, is assigned at the end.
        Raises PluginError for a layer that assigns to a trained weight.
        """
        replaced = list(zip(self._weights, pieces, strict=True))
        with keras.StatelessScope(state_mapping=replaced, collect_losses=True) as scope:
            mapped = [scope.get_current_value(weight) for weight in self._weights]
            yield
        given = [scope.get_current_value(weight) for weight in self._weights]
        changed = [w.path for w, now, piece in zip(self._weights, given, mapped, strict=True) if now is not piece]
        if changed:
            raise PluginError(
                f"a layer assigns to the trained weight {changed[0]!r} while it computes; only a step may"
            )
        for variable in self._network.non_trainable_variables:
            value = scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)
