"""What the two Keras formats share: a network that is no larger than its file, and how it is asked."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fer_audit.errors import ModelFileError
from fer_audit.model_files.fixed_batch import in_fixed_batches
from fer_audit.model_files.limits import written
from fer_audit.model_files.opened import Format, Inputs, Opened, Outputs


@dataclass(frozen=True)
class Identity:
    """What is known of a file before it is read."""

    name: str  #: what the user calls it
    sha256: str
    bytes: int


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Within it no warnings are shown: those about a stranger's file are not for who audits it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_size(build: Callable[[], Any], numbers: int) -> None:
    """Raises ModelFileError where the network that `build` makes needs more weights than its file has `numbers`.

    A description of a hundred bytes could ask for all memory; here no weight gets any.
    """
    with _without_values():
        needed = sum(prod(weight.shape) for weight in build().weights)
    if needed > numbers:
        raise ModelFileError(
            f"the network needs {needed:,} weights, but the file holds {numbers:,} numbers; expected a whole model; "
            f"save it again, with its weights"
        )


@contextlib.contextmanager
def _without_values() -> Iterator[None]:
    """Within it weights are made without values, and never get any.

    Keras remembers such weights, and the next stateless scope of this process would give them their values.
    """
    import keras
    from keras.src.backend.common import global_state

    waiting = list(global_state.get_global_attribute("uninitialized_variables", []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute("uninitialized_variables", waiting)


def opened_network(network: Any, kind: Format, identity: Identity) -> Opened:
    """A Keras network as an opened model; raises ModelFileError where it takes or answers more than one tensor."""
    batch, shape = _input_shape(network)
    if len(network.outputs) != 1 or len(network.outputs[0].shape) != 2:
        shapes = ", ".join(written(one.shape[1:]) for one in network.outputs)
        raise ModelFileError(
            f"the network answers with {len(network.outputs)} tensors of shape {shapes}; expected one number for each "
            f"class of each image; save a model with that output alone"
        )
    return Opened(
        format=kind,
        sha256=identity.sha256,
        bytes=identity.bytes,
        input_shape=shape,
        outputs=network.outputs[0].shape[1],
        ask=in_fixed_batches(asked(network), batch),
        network=network,
        name=identity.name,
    )


def asked(network: Any) -> Callable[[Inputs], Outputs]:
    """The network as it infers, traced once for each shape of a batch."""
    import tensorflow as tf

    traced = tf.function(lambda images: network(images, training=False), autograph=False)
    dtype = network.inputs[0].dtype

    def ask(images: Inputs) -> Outputs:
        return np.asarray(traced(tf.cast(images, dtype)).numpy(), np.float32)

    return ask


def _input_shape(network: Any) -> tuple[int | None, tuple[int | None, int | None, int | None]]:
    inputs = getattr(network, "inputs", None)
    if not inputs:
        raise ModelFileError(
            "the network does not state what it takes; expected a functional or sequential model with an Input; save "
            "it with one"
        )
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = ", ".join(written(one.shape[1:]) for one in inputs)
        raise ModelFileError(
            f"the network takes {len(inputs)} tensors of shape {shapes}; expected one image of height, width and "
            f"channels; save a model that takes images alone"
        )
    batch, *shape = inputs[0].shape
    return batch, tuple(shape)
