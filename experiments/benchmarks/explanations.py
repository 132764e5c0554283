"""How fast Grad-CAM explains, in images/s, against the Grad-CAM of the Keras tutorials in the same run.

    python experiments/benchmarks/explanations.py [--quick]

Target: at least 50 images/s for GhostFace at 96 px on two cores. Plain Keras is a model of the layer's output and the
logits, an eager tape and one image at a time. Both explain the same layer of a network with the same weights, on one
thread as in a worker. Plain Keras goes without oneDNN, whose eager gradient of mini-xception's last convolution writes
out of bounds (TensorFlow 2.21) and ends the process. Every side runs in a process of its own; sides take turns.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from figures.worker import WORKER_ENVIRONMENT
from side import interleaved, run
from table import Measured, heading, note, ratio, show

from fer_audit.registry import Registry
from fer_audit.training.worker import _prepare_tensorflow as prepare_as_worker

MODELS, SIZES, CLASSES = ("ghostface", "mini-xception"), (48, 96), 7
TARGET = 50  #: images/s
_WITHOUT_ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "0"}


def main() -> None:
    """Prints images/s of both sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few images, one round: to see that it works")
    quick = parser.parse_args().quick
    rows, alone, repeats = (64, 4, 1) if quick else (1024, 16, 3)
    heading(f"Grad-CAM, images/s: median of {repeats} rounds, {rows} images of ours, {alone} of plain Keras")
    lines: list[tuple[object, ...]] = [("", "layer", "map", "fer-audit", "plain Keras", "", "largest difference")]
    lines += [_line(model, size, rows, alone, repeats) for model in MODELS for size in SIZES]
    show(lines)
    note("heat is in 0..1; differences are over the images of plain Keras, whose heat is enlarged in the same way")


def _line(model: str, size: int, rows: int, alone: int, repeats: int) -> tuple[object, ...]:
    names = {"model": model, "size": size}
    found, plain = interleaved(
        repeats,
        lambda: run("explanations:ours", WORKER_ENVIRONMENT, rows=rows, **names),
        lambda: run("explanations:plain_keras", {**WORKER_ENVIRONMENT, **_WITHOUT_ONEDNN}, rows=alone, **names),
    )
    speed, theirs = Measured([one["rate"] for one in found], digits=0), Measured([one["rate"] for one in plain])
    difference = np.abs(np.array(found[0]["heat"][:alone]) - np.array(plain[0]["heat"])).max()
    verdict = f"target >= {TARGET}: {'met' if speed.median >= TARGET else 'missed'}"
    return (
        f"{model} {size} px",
        found[0]["layer"],
        "x".join(map(str, found[0]["map_shape"])),
        speed,
        theirs,
        f"{ratio(speed, theirs):.0f}x",
        f"{difference:.1e}",
        verdict if (model, size) == ("ghostface", 96) else "",
    )


def ours(model: str, size: int, rows: int) -> dict[str, Any]:
    """Images/s of `GradCam` on the network as a worker has it, its layer, and the heat of the first images."""
    import tensorflow as tf

    from fer_audit.explain.grad_cam import GradCam
    from fer_audit.training.fused_batch_norm import fuse_batch_norms
    from fer_audit.training.trimmed_convolution import trim_convolutions

    prepare_as_worker()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    network, (images, classes) = _network(model, size), _rows(size, rows)
    fuse_batch_norms(network)
    trim_convolutions(network)
    grad_cam = GradCam(network)
    heat = grad_cam(images[:64], classes[:64])
    began = time.perf_counter()
    grad_cam(images, classes)
    rate = rows / (time.perf_counter() - began)
    return {"rate": rate, "layer": grad_cam.layer, "map_shape": grad_cam.map_shape, "heat": heat.tolist()}


def plain_keras(model: str, size: int, rows: int) -> dict[str, Any]:
    """Images/s and heat of Grad-CAM as it is commonly written, with the layer that ours chooses."""
    import cv2
    import keras

    from fer_audit.explain.feature_maps import best_map, feature_maps

    prepare_as_worker()
    network, (images, classes) = _network(model, size), _rows(size, rows)
    layer = best_map(feature_maps(network, (size, size, 3))).name
    both = keras.Model(network.inputs, [network.get_layer(layer).output, network.output])
    _plain_heat(both, images[0], int(classes[0]))
    began = time.perf_counter()
    heat = []
    for image, of in zip(images, classes.tolist(), strict=True):
        enlarged = cv2.resize(_plain_heat(both, image, of), (size, size), interpolation=cv2.INTER_LINEAR)
        heat.append(enlarged / max(float(enlarged.max()), 1e-30))
    rate = rows / (time.perf_counter() - began)
    return {"rate": rate, "heat": np.array(heat).tolist()}


def _plain_heat(both: Any, image: npt.NDArray[np.uint8], of: int) -> npt.NDArray[np.float32]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        features, logits = both([image[None].astype(np.float32)], training=False)
        score = logits[:, of]
    gradient = tape.gradient(score, features)
    weights = tf.reduce_mean(gradient, axis=(0, 1, 2))
    heat: npt.NDArray[np.float32] = tf.nn.relu(tf.reduce_sum(features[0] * weights, axis=-1)).numpy()
    return heat


def _network(model: str, size: int) -> Any:
    """The network with the same random weights on both sides; normalisations are off their starting point."""
    import keras

    keras.utils.set_random_seed(0)
    network = Registry.load([]).create("model", model).create((size, size, 3), CLASSES)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.name in ("gamma", "beta"):
            weight.assign(np.array(weight) + rng.uniform(0.0, 0.5, weight.shape))
    for layer in network.layers:
        if hasattr(layer, "adapt_to_rows"):
            layer.adapt_to_rows(_rows(size, 64)[0])
    return network


def _rows(size: int, count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, size, size, 3), np.uint8), np.arange(count) % CLASSES


if __name__ == "__main__":
    main()
