"""Networks without batch statistics: what is normalised over the batch is normalised over groups of channels instead.

Differentially private training bounds what one image adds to a step. Statistics of the batch let an image change the
gradients of all others, and their moving averages carry the training images into the trained network without noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from fer_audit.errors import PluginError

#: Groups of channels, each normalised by itself (Wu & He, "Group Normalization", ECCV 2018, section 4.1).
MOST_GROUPS = 32

#: Channels that a group should have. From four on the error is nearly the least; groups of a single channel (instance
#: normalisation) cost several points (Wu & He, table 3): they forget how strong each channel is, and before a global
#: average pooling they leave nothing of the image.
LEAST_CHANNELS = 4

#: Values that a group should have, over its channels and pixels. Of n values a normalisation leaves n - 2 free, as it
#: fixes their mean and variance: a group of one is zero whatever the image shows, and one of two is nothing but their
#: order. The last maps of a small network are 1x1, where 16 groups of 16 channels would be constant.
LEAST_VALUES = 16

#: Layers that stand for batch normalisations; they are called on nothing but their inputs.
_REPLACEMENTS = (keras.layers.GroupNormalization, keras.layers.Dense)

#: Of the largest logit. Batches of one shape go through the same kernels, and rows that are equal come out equal, or
#: nearly so; statistics of the batch move logits by a tenth and more.
_TOLERANCE = 1e-5

#: Which of two images stands in each of four rows. Of any two rows there are two batches in which one row changes and
#: the other does not.
_BATCHES = ((0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 0, 1), (1, 1, 1, 1))

Logits = npt.NDArray[np.float32]


def without_batch_statistics(network: keras.Model, name: str = "") -> keras.Model:
    """`network` with a group normalisation for each batch normalisation, under the same name; else it is the same.

    `name` is what the model is called in errors. Layers are taken over, not copied, so that `network` itself is not to
    be used afterwards. The weights of new layers are to be drawn. Raises PluginError where a batch normalisation can't
    be replaced, or where a row of a training batch still changes what becomes of another.
    """
    name = name or network.name
    if any(_is_plain(layer) for layer in network._flatten_layers()):
        network = _rebuilt(network, name)
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) or hasattr(layer, "moving_mean"):
            raise PluginError(
                f"{_refused(name)}: layer {layer.path!r} ({type(layer).__name__}) normalises by the batch, so that "
                f"an image changes the gradients of others, and it can't be replaced, being of a class of its own or "
                f"inside such a layer. Use keras.layers.GroupNormalization there, or build the network with "
                f"keras.Model(inputs, outputs) from Keras' own layers"
            )
    _probe(network, name)
    return network


def groups_of(channels: int, pixels: int) -> int:
    """How many groups `channels` of a map of `pixels` make: at most 32, and one where groups would be too small."""
    least = max(LEAST_CHANNELS, math.ceil(LEAST_VALUES / pixels))
    fitting = (groups for groups in range(1, MOST_GROUPS + 1) if channels % groups == 0 and channels // groups >= least)
    return max(fitting, default=1)


def _rebuilt(network: keras.Model, name: str) -> keras.Model:
    # Keras takes a `call_function` for functional networks only; the calls of a sequential one have no arguments.
    calls = {} if isinstance(network, keras.Sequential) else {"call_function": _call}
    try:
        return keras.models.clone_model(network, clone_function=_replacement, recursive=True, **calls)
    except ValueError as error:
        raise PluginError(
            f"{_refused(name)}: its batch normalisations can't be replaced, as only networks that are built with "
            f"keras.Model(inputs, outputs) or keras.Sequential can be rebuilt. Keras says: {error}"
        ) from error


def _is_plain(layer: Any) -> bool:
    return type(layer) is keras.layers.BatchNormalization


def _replacement(layer: Any) -> Any:
    """What stands for `layer` or operation in the rebuilt network: itself, unless it is a batch normalisation."""
    if not _is_plain(layer):
        return layer
    shape = _smallest_input(layer)
    if math.prod(shape) == 1:
        return _scale_and_shift(layer)
    channels = shape.pop(layer.axis - 1 if layer.axis > 0 else layer.axis)
    return _group_norm(layer, groups_of(channels, math.prod(shape)))


def _smallest_input(layer: Any) -> list[int]:
    """The shape, without the batch, of what `layer` is called on, where a length that is left open counts as 1.

    Where the layer is called more than once, the smallest.
    """
    shapes = [[length or 1 for length in node.input_tensors[0].shape[1:]] for node in layer._inbound_nodes]
    return min(shapes, key=math.prod)


def _group_norm(layer: Any, groups: int) -> keras.layers.GroupNormalization:
    return keras.layers.GroupNormalization(
        groups=groups,
        axis=layer.axis,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
        **_named(layer),
        **_settings(layer, "gamma", "gamma"),
        **_settings(layer, "beta", "beta"),
    )


def _scale_and_shift(layer: Any) -> keras.layers.Dense:
    """For maps of a single value, such as the gates of a triplet attention over a 1x1 map, which one group makes zero.

    A normalised single value would no longer depend on the image, and what is before it would never learn. What a batch
    normalisation is in inference is kept instead, a scale and a shift, which is a dense layer from one value to one.
    """
    weights = _settings(layer, "gamma", "kernel") | _settings(layer, "beta", "bias")
    return keras.layers.Dense(1, use_bias=layer.center, **_named(layer), **weights)


def _named(layer: Any) -> dict[str, Any]:
    return {"name": layer.name, "trainable": layer.trainable, "dtype": layer.dtype_policy}


def _settings(layer: Any, weight: str, name: str) -> dict[str, Any]:
    """How `weight` of `layer` starts and what holds for it, as arguments for a weight with that `name`."""
    return {
        f"{name}_{setting}": getattr(layer, f"{weight}_{setting}")
        for setting in ("initializer", "regularizer", "constraint")
    }


def _call(layer: Any, *inputs: Any, **options: Any) -> Any:
    """Calls a layer of the rebuilt network as the one that it stands for was called."""
    if isinstance(layer, _REPLACEMENTS):
        options = {name: value for name, value in options.items() if name not in ("training", "mask")}
    return layer(*inputs, **options)


def _probe(network: keras.Model, name: str) -> None:
    """Raises PluginError where a row's logits in training change with other rows, or a training step keeps any of them.

    Not as built: a gate that starts at zero would hide what it lets through later.
    """
    weights = network.get_weights()
    rng = np.random.default_rng(0)
    try:
        for variable in network.trainable_variables:
            deviation = 0.1 / math.sqrt(math.prod(variable.shape[:-1]))
            variable.assign(np.array(variable) + rng.normal(0, deviation, variable.shape))
        images = _unlike_images(network, rng)
        fixed = [np.array(variable) for variable in _kept_state(network)]
        logits = [_training_logits(network, images[list(rows)]) for rows in _BATCHES]
        learnt = zip(_kept_state(network), fixed, strict=True)
        changed = [variable.path for variable, before in learnt if not np.array_equal(variable, before)]
    finally:
        network.set_weights(weights)
    if changed:
        raise PluginError(
            f"{_refused(name)}: training changes {changed[0]!r}, which is no trained weight, so that neither "
            f"clipping nor noise reaches what it keeps of the images. Leave its layer out, or let it keep no state"
        )
    difference, largest = _largest_difference(logits), max(float(np.abs(found).max()) for found in logits)
    if not difference <= _TOLERANCE * largest:
        raise PluginError(
            f"{_refused(name)}: in training an image's logits change with the images beside it, by up to "
            f"{difference:.3g}, so that one image would change the gradients of others, which clipping does not bound. "
            f"Let each layer work on every row by itself"
        )


def _refused(name: str) -> str:
    return f"model {name!r} can't be trained with differential privacy"


def _unlike_images(network: keras.Model, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Two images, one dark and flat and one bright and full of contrast, float32 (2, H, W, 3) in 0..255."""
    shape = network.input_shape[1:]
    flat, contrasting = rng.uniform(20, 60, shape), rng.uniform(0, 255, shape)
    return np.array([flat, contrasting], np.float32)


def _training_logits(network: keras.Model, images: npt.NDArray[np.float32]) -> Logits:
    """Logits in training; what is drawn at random is the same each time."""
    for layer in network._flatten_layers():
        for generator in layer._seed_generators:
            generator.state.assign(np.array([1, 0], np.uint32))
    logits: Logits = np.asarray(network(images, training=True))
    return logits


def _kept_state(network: keras.Model) -> list[Any]:
    """The state that is not trained, but for that of random draws."""
    draws = {id(generator.state) for layer in network._flatten_layers() for generator in layer._seed_generators}
    return [variable for variable in network.non_trainable_variables if id(variable) not in draws]


def _largest_difference(logits: Sequence[Logits]) -> float:
    """How far the logits of one image in one row of `_BATCHES` lie apart."""
    return max(
        float(np.abs(one - other)[np.equal(rows, others)].max(initial=0))
        for (rows, one), (others, other) in itertools.combinations(zip(_BATCHES, logits, strict=True), 2)
    )
