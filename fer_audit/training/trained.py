"""A finished training as a Keras network, for what is done with a model after an audit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from fer_audit.errors import StoreError
from fer_audit.models.model import Model
from fer_audit.registry import Registry
from fer_audit.sources import source_digest
from fer_audit.specs import ProgramSpec
from fer_audit.store import Store
from fer_audit.training.group_norm import without_batch_statistics
from fer_audit.training.weights import Weights, read_weights, require_training


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with the weights of a training, in Keras' own layers: nothing of it is switched to faster kernels."""

    network: Any  #: keras.Model, images (B, H, W, 3) in 0..255 to logits (B, C)
    program: ProgramSpec
    training: str  #: content key


def open_trained(store: Store, registry: Registry, training: str) -> TrainedNetwork:
    """The network of the training with that key; raises StoreError where the store has it not, or its code changed."""
    require_training(store, training)
    spec = json.loads((store.path("trainings", training) / "spec.json").read_text(encoding="utf-8"))
    program = ProgramSpec.model_validate(spec["program"])
    return TrainedNetwork(rebuilt(program, registry, read_weights(store, training)), program, training)


def rebuilt(program: ProgramSpec, registry: Registry, weights: Weights) -> Any:
    """The `keras.Model` of `program` with `weights`; raises StoreError where they are not those of its code now."""
    import keras

    keras.utils.clear_session()  # names of layers, and so of weights, are numbered over all networks of a process
    network = created(program, registry)
    expected = [(f"{place:04d}:{weight.path}", tuple(weight.shape)) for place, weight in enumerate(network.weights)]
    given = [(name, weight.shape) for name, weight in weights.items()]
    if expected != given:
        odd = next(iter(set(expected) ^ set(given)), ("their order", ()))
        raise StoreError(f"the weights are not those of model {program.model.name!r}: they differ first in {odd[0]!r}")
    network.set_weights(list(weights.values()))
    return network


def created(program: ProgramSpec, registry: Registry) -> Any:
    """The `keras.Model` of `program` with initial weights; raises StoreError where its code has changed."""
    identity = program.model
    plugin = cast("Model", registry.create(identity.kind, identity.name, identity.params))
    if source_digest(type(plugin)) != identity.source:
        raise StoreError(
            f"the source of model {identity.name!r} is not what these weights were trained with; run again"
        )
    network = plugin.create(program.input_shape, program.classes)
    return without_batch_statistics(network, identity.name) if program.private else network
