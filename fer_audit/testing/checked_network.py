"""The networks that the checks of a model share, and the images that they are asked about."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fer_audit.lazy import keras
from fer_audit.models.model import Model
from fer_audit.plugins import canonical_json
from fer_audit.testing.check import Subject
from fer_audit.training.one_thread import start_on_one_thread

Images = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]

#: Classes of the networks that are checked, but for those that are built with two.
CLASSES = 7

#: Pixels, where the size matters little.
_SIDE = 48

#: Deviation of what weights that start as constants are moved by.
_MOVED = 0.1


@cache
def start_tensorflow() -> None:
    """One thread, as in a worker, also where the file of a plug-in has imported TensorFlow already."""
    if "tensorflow" in sys.modules:
        threading = sys.modules["tensorflow"].config.threading
        with contextlib.suppress(RuntimeError):  # it runs already
            threading.set_intra_op_parallelism_threads(1)
            threading.set_inter_op_parallelism_threads(1)
    start_on_one_thread()


def side_of(model: Model | type[Model]) -> int:
    """48 px, or the least size that `model` takes where that is more."""
    return max(_SIDE, model.minimum_size)


def random_images(rows: int, side: int, seed: int = 0) -> Images:
    """Noise, uint8 (rows, side, side, 3), always the same."""
    return np.random.default_rng([rows, side, seed]).integers(0, 256, (rows, side, side, 3), dtype=np.uint8)


def logits(network: Any, images: Images) -> Logits:
    """What `network` answers in inference to images (B, H, W, 3), given as a program does, in float32."""
    return np.asarray(network(images.astype(np.float32), training=False))


def build(model: Model, side: int, classes: int = CLASSES, seed: int = 0) -> Any:
    """A fresh network, as a worker builds it: TensorFlow on one thread, and no layer numbered before."""
    start_tensorflow()
    keras.utils.clear_session(free_memory=False)  # collecting garbage takes longer than a small network
    keras.utils.set_random_seed(seed)
    return model.create((side, side, 3), classes)


def settled(subject: Subject) -> Any:
    """A network of `side_of` px like one that has been trained; shared, so whoever changes it puts it back.

    A fresh network may be blind: its head may be of zeros, its branches switched off, its statistics of no data. So
    layers that learn from images have seen some, normalisations have the statistics of a batch, and no trained weight
    is the constant that it started as.
    """
    return _settled(*_key(subject))


def fresh(subject: Subject) -> Any:
    """Another network of `side_of` px as it was built, from another seed; shared likewise."""
    return _fresh(*_key(subject))


@contextlib.contextmanager
def restored(network: Any) -> Iterator[None]:
    """Puts the weights of `network` back at the end."""
    kept = network.get_weights()
    try:
        yield
    finally:
        network.set_weights(kept)


def _key(subject: Subject) -> tuple[type[Model], str]:
    """The class itself, as two files may have classes of one name, and the parameters as text."""
    params = subject.make().params.model_dump(mode="json")
    return cast("type[Model]", subject.cls), canonical_json(params)


@lru_cache(maxsize=2)  # one plug-in is checked after another; networks are large
def _fresh(cls: type[Model], params: str) -> Any:
    return build(cls(**json.loads(params)), side_of(cls), seed=1)


@lru_cache(maxsize=2)
def _settled(cls: type[Model], params: str) -> Any:
    network = build(cls(**json.loads(params)), side_of(cls))
    images = random_images(16, side_of(cls), seed=1)
    for layer in network._flatten_layers():
        if hasattr(layer, "adapt_to_rows"):
            layer.adapt_to_rows(images)
    _move_constants(network.trainable_variables)
    _take_statistics(network, images)
    return network


def _move_constants(weights: Sequence[Any]) -> None:
    rng = np.random.default_rng(0)
    for weight in weights:
        value = np.array(weight)
        if np.ptp(value) == 0:
            weight.assign(value + rng.normal(0, _MOVED, value.shape))


def _take_statistics(network: Any, images: Images) -> None:
    """Sets moving statistics to those of `images`: with a momentum of 0 nothing of the earlier ones is kept."""
    layers = [
        layer for layer in network._flatten_layers() if hasattr(layer, "moving_mean") and hasattr(layer, "momentum")
    ]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    network(images.astype(np.float32), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
