"""Exported files, loaded again by runtimes that know nothing of the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.export.formats import Format, Images
from fer_audit.export.serving_names import IMAGES, LOGITS, PROBABILITIES, SERVING_BYTES
from fer_audit.model_files.fixed_batch import in_fixed_batches
from fer_audit.training.quiet import quiet

Logits = npt.NDArray[np.float32]

#: Images of one call: a last batch that is shorter can be misread by kernels of several threads (TensorFlow 2.21).
BATCH = 32


@dataclass(frozen=True)
class Loaded:
    """A file in its runtime."""

    runtime: str  #: with its version
    logits: Callable[[Images], Logits]  #: (N, H, W, 3) to (N, C)
    once: Callable[[Images], Any]  #: all that it answers to one image (1, H, W, 3), as it is timed


def load(format: Format, path: Path) -> Loaded:  # noqa: A002 - the word of the command
    """The file at `path` in a runtime of one thread."""
    with quiet():
        if format == "saved-model":
            return _saved_model(path)
        return _onnx(path) if format == "onnx" else _tflite(path)


def _saved_model(folder: Path) -> Loaded:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[SERVING_BYTES]

    def once(images: Images) -> Any:
        return loaded and signature(**{IMAGES: tf.constant(images)})[LOGITS].numpy()

    return Loaded(f"TensorFlow {tf.__version__}", _in_parts(once, BATCH), once)


def _onnx(path: Path) -> Loaded:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def once(images: Images) -> Any:
        _, logits = session.run([PROBABILITIES, LOGITS], {IMAGES: images.astype(np.float32)})
        return logits

    return Loaded(f"onnxruntime {onnxruntime.__version__}", _in_parts(once, BATCH), once)


def _tflite(path: Path) -> Loaded:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()  # here and not at the first call, as it talks
    runner = interpreter.get_signature_runner()
    dtype = runner.get_input_details()[IMAGES]["dtype"]

    def once(images: Images) -> Any:
        return runner(**{IMAGES: images.astype(dtype, copy=False)})[LOGITS]

    return Loaded(f"LiteRT {metadata.version('ai-edge-litert')}", _in_parts(once, 1), once)


def _in_parts(once: Any, rows: int) -> Callable[[Images], Logits]:
    asked: Any = in_fixed_batches(once, rows)  # whose types are those of floats
    return lambda images: np.asarray(asked(images), np.float32)
