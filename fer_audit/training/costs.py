"""What a model costs, counted and measured on its built network, and kept in the store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.activations import activation_bytes
from fer_audit.metrics.compute import LayerCost, Speed, count, fvcore, layers, measure_speed
from fer_audit.metrics.published import PUBLISHED, PUBLISHED_CLASSES, PUBLISHED_SIZE, Published
from fer_audit.models.model import Model
from fer_audit.plugins import guest
from fer_audit.specs import ProgramSpec, cost_key
from fer_audit.store import Store

#: Published figures are counted at this size.
REFERENCE_SIZE = 224

#: Images a call, and calls, that the speed of a network is measured with.
SPEED_RUNS = {1: 50, 32: 20}

_SPEED_WARMUP = 3


@dataclass(frozen=True)
class NetworkCost:
    """What one image costs in a network, without running it; units are in the names."""

    params_total: int
    params_trainable: int
    macs: int  #: multiply-accumulates of convolution and dense layers
    flops: int  #: 2 x MACs
    tf_profiler: int  #: float operations, TensorFlow profiler
    keras_flops: int  #: the same with batch norms and maxima
    fvcore: int  #: MACs, and 2 for each element of a batch norm
    activation_peak_bytes: int  #: alive at once, in inference
    activation_output_bytes: int  #: of all layers together, as training keeps them
    keras_file_bytes: int | None  #: of the `.keras` file; None where Keras can't save the network

    def counts(self) -> dict[str, int]:
        """The counts that a claim about cost can be made in, by unit."""
        units = ("macs", "flops", "tf_profiler", "keras_flops", "fvcore", "params_total", "params_trainable")
        return {unit: getattr(self, unit) for unit in units}


@dataclass(frozen=True)
class ModelCost:
    """What a model costs at one image size."""

    model: str
    image_size: int
    classes: int
    cost: NetworkCost
    layers: tuple[LayerCost, ...]
    speeds: tuple[Speed, ...]  #: one a batch size; empty where it was not measured

    @property
    def published(self) -> Published | None:
        """What others published of this model at this size."""
        at_their_size = (self.image_size, self.classes) == (PUBLISHED_SIZE, PUBLISHED_CLASSES)
        return PUBLISHED.get(self.model) if at_their_size else None

    def counts(self) -> dict[str, int]:
        """Its own counts by unit, and the one that others published, marked as such."""
        published = self.published
        return self.cost.counts() | ({f"{published.unit} (published)": published.value} if published else {})

    def as_json(self) -> dict[str, Any]:
        """The cost as JSON: the fields of this class, of `NetworkCost`, of `LayerCost` with flops, and of `Speed`."""
        return {
            "model": self.model,
            "image_size": self.image_size,
            "classes": self.classes,
            **asdict(self.cost),
            "layers": [{**asdict(layer), "flops": layer.flops} for layer in self.layers],
            "speeds": [speed._asdict() for speed in self.speeds],
        }


def measure_cost(model: Model, label: str, size: int, classes: int, *, speed: bool) -> ModelCost:
    """Builds the network of `model` for `size` x `size` px, and counts it; with `speed`, also times it.

    Raises PluginError where the network can't be built or counted.
    """
    shape = (size, size, 3)
    network = _created(model, shape, classes)
    return ModelCost(
        model=label,
        image_size=size,
        classes=classes,
        cost=network_cost(network, shape),
        layers=tuple(layers(network)),
        speeds=measure_speeds(network, shape) if speed else (),  # last: it switches layers to other kernels
    )


def _created(model: Model, shape: tuple[int, int, int], classes: int) -> Any:
    with guest(model):
        return model.create(shape, classes)


def network_cost(network: Any, input_shape: tuple[int, int, int]) -> NetworkCost:
    """What `network`, as `Model.create` built it for `input_shape`, costs; `dataclasses.asdict` makes it JSON."""
    from fer_audit.training.profiler import profile

    counted, operations, activations = count(network), profile(network, input_shape), activation_bytes(network)
    return NetworkCost(
        params_total=counted.params_total,
        params_trainable=counted.params_trainable,
        macs=counted.macs,
        flops=counted.flops,
        tf_profiler=operations.profiler,
        keras_flops=operations.keras_flops,
        fvcore=fvcore(network),
        activation_peak_bytes=activations.peak,
        activation_output_bytes=activations.outputs,
        keras_file_bytes=_file_bytes(network),
    )


def _file_bytes(network: Any) -> int | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        try:
            network.save(path)
        except Exception:  # noqa: BLE001 - whatever a layer of a plug-in lacks to be saved, its costs can be counted
            return None
        return path.stat().st_size


def measure_speeds(network: Any, input_shape: tuple[int, int, int]) -> tuple[Speed, ...]:
    """The speed of inference on one image and on 32, through the kernels that trained networks are asked with.

    Switches layers of `network` to those kernels. It runs with as many threads as TensorFlow was started with.
    """
    return timed(_inference(network, input_shape), input_shape)


def timed(
    infer: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]], input_shape: tuple[int, int, int]
) -> tuple[Speed, ...]:
    """The speed of `infer`, from images uint8 (B, H, W, 3) to logits, at each size of a batch."""
    return tuple(
        measure_speed(infer, input_shape, batch=batch, runs=runs, warmup=_SPEED_WARMUP)
        for batch, runs in SPEED_RUNS.items()
    )


def _inference(
    network: Any, input_shape: tuple[int, int, int]
) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]:
    """Logits float32 (B, C) of images uint8 (B, H, W, 3), as `Program.logits` gets them."""
    import tensorflow as tf

    from fer_audit.training.fused_batch_norm import fuse_batch_norms
    from fer_audit.training.trimmed_convolution import trim_convolutions

    fuse_batch_norms(network)
    trim_convolutions(network)

    @tf.function(input_signature=[tf.TensorSpec((None, *input_shape), tf.uint8)])  # type: ignore[untyped-decorator]
    def infer(images: Any) -> Any:
        return network(tf.cast(images, tf.float32), training=False)

    return lambda images: np.asarray(infer(images))


def keep_cost(store: Store, spec: ProgramSpec, model: Model) -> None:
    """Counts what a model costs at the size of `spec`, layer by layer, and its MACs at 224 px; once for a store."""
    key = cost_key(spec)
    if not store.has("costs", key):
        store.write_json("costs", key, counted_cost(spec, model))


def counted_cost(spec: ProgramSpec, model: Model) -> dict[str, Any]:
    """The fields of `results.Cost` but for the model's name, as JSON.

    Networks are built anew, so that no kernel that a program has switched changes what the profiler counts.
    """
    import keras

    # Layers without a name are numbered over all networks of a process, and the names are in the saved file.
    keras.utils.clear_session()
    here = model.create(spec.input_shape, spec.classes)
    cost = network_cost(here, spec.input_shape)
    reference = count(model.create((REFERENCE_SIZE, REFERENCE_SIZE, 3), spec.classes))
    return {
        "image_size": spec.input_shape[0],
        **asdict(cost),
        "reference_size": REFERENCE_SIZE,
        "reference_macs": reference.macs,
        "reference_flops": reference.flops,
        "layers": [{**asdict(layer), "flops": layer.flops} for layer in layers(here)],
    }


def outside_cost(network: Any, size: int) -> dict[str, Any]:
    """The same of a network that was built elsewhere, which has one size alone; also its file is another's."""
    cost = network_cost(network, (size, size, 3))
    return {
        "image_size": size,
        **asdict(cost),
        "reference_size": size,
        "reference_macs": cost.macs,
        "reference_flops": cost.flops,
        "layers": [{**asdict(layer), "flops": layer.flops} for layer in layers(network)],
    }
