"""SavedModel folders of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import reason
from fer_audit.model_files.fixed_batch import in_fixed_batches
from fer_audit.model_files.keras_network import Identity, unwarned
from fer_audit.model_files.limits import written
from fer_audit.model_files.opened import LOGITS, Inputs, Opened, Outputs
from fer_audit.model_files.saved_graph import check_graph

GRAPH = "saved_model.pb"

#: The signature that savers write where nobody names another.
_SIGNATURE = "serving_default"


def open_saved_model(folder: Path, identity: Identity, *, trust: bool) -> Opened:
    """The model of a SavedModel folder, by its one signature or `serving_default`; raises ModelFileError."""
    _check_folder(folder, trust=trust)
    import tensorflow as tf

    with unwarned():
        loaded = tf.saved_model.load(str(folder))
    signature = _signature(loaded)
    name, image = _image(signature)
    answer, outputs = _answer(signature)
    batch, *shape = image.shape.as_list()
    return Opened(
        format="saved-model",
        sha256=identity.sha256,
        bytes=identity.bytes,
        input_shape=(shape[0], shape[1], shape[2]),
        outputs=outputs,
        ask=in_fixed_batches(_asking(loaded, signature, name, image.dtype, answer), batch),
        name=identity.name,
    )


def _check_folder(folder: Path, *, trust: bool) -> None:
    others = sorted(path.name for path in folder.glob("saved_model.*") if path.name != GRAPH)
    if others:
        raise ModelFileError(
            f"the folder holds {others[0]} beside {GRAPH}; expected one graph; save the model to an empty folder"
        )
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        read = saved_model_pb2.SavedModel.FromString((folder / GRAPH).read_bytes())
    except Exception as error:  # noqa: BLE001 - protobuf's DecodeError, whose place changes with its version
        raise ModelFileError(
            f"{GRAPH} is truncated or damaged ({reason(error)}); expected a whole SavedModel; copy the folder again"
        ) from None
    if not read.meta_graphs:
        raise ModelFileError(f"{GRAPH} holds no graph; expected a SavedModel; save the model again")
    for meta in read.meta_graphs if not trust else ():
        check_graph(meta)


def _signature(loaded: Any) -> Any:
    names = sorted(loaded.signatures)
    if _SIGNATURE in names or len(names) == 1:
        return loaded.signatures[_SIGNATURE if _SIGNATURE in names else names[0]]
    raise ModelFileError(
        f"it has the signatures {', '.join(names) or '(none)'}; expected {_SIGNATURE!r}, or a single one; save the "
        f"model with model.export"
    )


def _image(signature: Any) -> tuple[str, Any]:
    """Name and TensorSpec of the input."""
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1 or any(one.shape.rank != 4 for one in inputs.values()):
        told = ", ".join(f"{name} {written(_lengths(one))}" for name, one in inputs.items()) or "nothing"
        raise ModelFileError(f"it takes {told}; expected one tensor of images with four axes; save it with that alone")
    return next(iter(inputs.items()))  # type: ignore[no-any-return]


def _answer(signature: Any) -> tuple[str, int | None]:
    """Name of the output, and how many numbers it has for each image."""
    outputs = signature.structured_outputs
    fitting = [name for name, one in outputs.items() if one.shape.rank == 2 and one.dtype.is_floating]
    fitting = [LOGITS] if LOGITS in fitting else fitting
    if len(fitting) != 1:
        told = ", ".join(f"{name} {written(_lengths(one))}" for name, one in sorted(outputs.items())) or "nothing"
        raise ModelFileError(
            f"it answers with {told}; expected one tensor with a number for each class of each image; save it with "
            f"that alone"
        )
    return fitting[0], outputs[fitting[0]].shape[1]


def _lengths(tensor: Any) -> list[int | None]:
    return tensor.shape.as_list() if tensor.shape.rank is not None else [None]


def _asking(loaded: Any, signature: Any, name: str, dtype: Any, answer: str) -> Callable[[Inputs], Outputs]:
    import tensorflow as tf

    def ask(images: Inputs) -> Outputs:
        given = np.rint(images) if dtype.is_integer else images
        answers = signature(**{name: tf.cast(given, dtype)})[answer]
        return np.asarray(answers.numpy(), np.float32)

    ask.loaded = loaded  # type: ignore[attr-defined] # a signature does not keep the variables that it reads
    return ask
