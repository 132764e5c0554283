"""TFLite files, of floats or of integers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf

from fer_audit.export.chosen import ExportError
from fer_audit.export.formats import Images
from fer_audit.export.serving import frozen, image_spec
from fer_audit.training.quiet import quiet


def write_tflite(
    network: Any, classes: tuple[str, ...], image_size: int, path: Path, representative: Images | None
) -> None:
    """Writes a model for one image at a time, which interpreters of devices are fastest with.

    With `representative` images all its arithmetic is in integers of 8 bits, weights with a scale for each channel; it
    then takes uint8 images, and still answers in floats. Raises ExportError where LiteRT can't run what came out.
    """
    with TemporaryDirectory() as scratch, quiet():
        module = tf.Module()
        served = tf.function(frozen(network, image_size, 1), input_signature=[image_spec(image_size, 1)])
        # Gradients are no use to who asks only, and those of swish can't be saved with a frozen network.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, scratch, signatures=served.get_concrete_function(), options=options)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        if representative is not None:
            _quantise(converter, representative)
        content = converter.convert()
    path.write_bytes(content)
    if representative is not None:
        _check_runs(path)


#: Prepares a file in a process of its own.
_PREPARE = (
    "import sys; from ai_edge_litert.interpreter import Interpreter; "
    "Interpreter(model_path=sys.argv[1], num_threads=1).allocate_tensors()"
)


def _check_runs(path: Path) -> None:
    """Raises ExportError where LiteRT can't run the file: it does not raise then, but ends the whole process."""
    if subprocess.run([sys.executable, "-c", _PREPARE, str(path)], capture_output=True, check=False).returncode:  # noqa: S603
        path.unlink()
        raise ExportError(
            "LiteRT can't run the network in integers, mostly as a layer of it answers with nothing but zeros, whose "
            "range has no step; expected layers that are alive; train the model longer, or choose --format tflite"
        )


def _quantise(converter: Any, representative: Images) -> None:
    def shown() -> Iterator[list[Any]]:
        for image in representative:
            yield [image[None].astype(np.float32)]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = shown
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
