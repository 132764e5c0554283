"""Weights of a network drawn afresh from a seed, without building the network again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from fer_audit.errors import PluginError


class InitialWeights:
    """Remembers how each weight of a network starts, and puts it back there for any seed."""

    def __init__(self, network: keras.Model) -> None:
        """Finds the initializer of every weight; raises PluginError for a trainable one that has none."""
        self._drawn: list[tuple[Any, Any]] = []
        self._constant: list[tuple[Any, Any]] = []
        self._generators: list[Any] = []
        for layer in network._flatten_layers():
            self._generators.extend(layer._seed_generators)
            for variable in _own_weights(layer):
                initializer = _initializer(layer, variable.name)
                if initializer is not None:
                    self._drawn.append((variable, initializer))
                elif variable.trainable:
                    raise PluginError(
                        f"weight {variable.path!r} can't be drawn again from a seed: give its layer an attribute "
                        f"'{variable.name}_initializer'"
                    )
                else:
                    self._constant.append((variable, np.array(variable)))

    def assign(self, seed: int) -> None:
        """Sets every weight, and the state of dropout and its like, to where training number `seed` starts."""
        streams = np.random.SeedSequence(seed).generate_state(len(self._drawn) + len(self._generators))
        for (variable, initializer), stream in zip(self._drawn, streams, strict=False):
            variable.assign(_seeded(initializer, int(stream) >> 1)(variable.shape, dtype=variable.dtype))
        for variable, value in self._constant:
            variable.assign(value)
        for generator, stream in zip(self._generators, streams[len(self._drawn) :], strict=True):
            generator.state.assign(np.array([stream, 0], dtype=np.uint32))


def _own_weights(layer: Any) -> Iterator[Any]:
    yield from layer._trainable_variables
    yield from layer._non_trainable_variables


def _initializer(layer: Any, weight: str) -> Any | None:
    # Depthwise and separable convolutions name the initializer by the part, not by the weight.
    for attribute in (weight, weight.removesuffix("_kernel"), "depthwise" if weight == "kernel" else weight):
        found = getattr(layer, f"{attribute}_initializer", None)
        if found is not None:
            return found
    return None


def _seeded(initializer: Any, seed: int) -> Any:
    config = initializer.get_config()
    if "seed" not in config:
        return initializer
    return type(initializer).from_config({**config, "seed": seed})
