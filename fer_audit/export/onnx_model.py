"""ONNX files, through tf2onnx."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

import fer_audit
from fer_audit.export.serving import frozen, image_spec
from fer_audit.export.serving_names import LOGITS, PROBABILITIES
from fer_audit.training.quiet import quiet

#: The newest that tf2onnx 1.17 writes.
_OPSET = 18


def write_onnx(network: Any, classes: tuple[str, ...], image_size: int, path: Path) -> None:
    """Writes an ONNX model for any number of images at once; `class_names` in its metadata is a JSON list."""
    model = _converted(network, image_size)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    model.producer_name, model.producer_version = "fer-audit", fer_audit.__version__
    for key, value in _properties(network, classes, image_size).items():
        model.metadata_props.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def _converted(network: Any, image_size: int) -> Any:
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with quiet():
        model, _ = tf2onnx.convert.from_function(
            tf.function(frozen(network, image_size, None)), input_signature=[image_spec(image_size, None)], opset=_OPSET
        )
    return model


def _properties(network: Any, classes: tuple[str, ...], image_size: int) -> dict[str, str]:
    return {
        "class_names": json.dumps(list(classes), ensure_ascii=False),
        "image": f"RGB, 0..255, {image_size}x{image_size}, channels last",
        "outputs": f"{PROBABILITIES}, {LOGITS}",
        "model": str(network.name),
    }
