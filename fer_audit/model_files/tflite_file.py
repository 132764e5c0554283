"""TFLite files, asked through LiteRT; quantised ones in numbers of their own scale."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.errors import ModelFileError
from fer_audit.model_files.fixed_batch import in_fixed_batches
from fer_audit.model_files.keras_network import Identity
from fer_audit.model_files.limits import check_bytes, written
from fer_audit.model_files.opened import LOGITS, Inputs, Opened, Outputs

#: The file identifier of the format, after four bytes that say where the model begins.
_IDENTIFIER = b"TFL3"

#: The widest number that a tensor holds, complex128.
_WIDEST = 16


def open_tflite(content: bytes, identity: Identity) -> Opened:
    """The model of a TFLite file; raises ModelFileError."""
    if content[4:8] != _IDENTIFIER:
        raise ModelFileError(
            f"the file has {content[4:8]!r} where a TFLite model has {_IDENTIFIER!r}; expected a TFLite model; convert "
            f"it again"
        )
    interpreter = _interpreter(content)
    image, answer = _only(interpreter.get_input_details(), "takes"), _only(_outputs(interpreter), "answers")
    batch, *shape = (None if length < 0 else int(length) for length in image["shape_signature"])
    if len(shape) != 3:
        raise ModelFileError(
            f"it takes tensors of shape {written((batch, *shape))}; expected images with four axes; convert a model "
            f"that takes images"
        )
    if batch is None and not _any_batch(interpreter, image):
        batch = 1
    return Opened(
        format="tflite",
        sha256=identity.sha256,
        bytes=identity.bytes,
        input_shape=(shape[0], shape[1], shape[2]),
        outputs=int(answer["shape"][-1]) if len(answer["shape"]) > 1 else None,
        ask=in_fixed_batches(_asking(interpreter, image, answer), batch),
        name=identity.name,
        output_step=_step(answer),
    )


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)  # verifies the whole buffer
    except ValueError:
        raise ModelFileError(
            "the model is truncated or damaged; expected a whole TFLite file; copy or convert it again"
        ) from None
    _check_model(content)
    interpreter.allocate_tensors()
    return interpreter


def _check_model(content: bytes) -> None:
    """Raises ModelFileError for operators that are not TFLite's own, and for tensors that fill all memory."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

    model = Model.GetRootAs(content)
    for place in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(place)
        if code.BuiltinCode() == BuiltinOperator.CUSTOM or code.CustomCode():
            raise ModelFileError(
                f"it uses the custom operator {(code.CustomCode() or b'').decode(errors='replace')!r}, which needs "
                f"code from outside; expected operators of TFLite alone; convert it with TFLITE_BUILTINS"
            )
    for place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(place)
        total = sum(
            _WIDEST * prod(max(length, 1) for length in map(int, _lengths(graph.Tensors(number))))
            for number in range(graph.TensorsLength())
        )
        check_bytes(total, "the model with all its tensors")


def _lengths(tensor: Any) -> npt.NDArray[np.int32]:
    return np.asarray(tensor.ShapeAsNumpy(), np.int32).reshape(-1) if tensor.ShapeLength() else np.empty(0, np.int32)


def _outputs(interpreter: Any) -> list[dict[str, Any]]:
    """What it answers with; of several the logits, where its signature names them."""
    found: list[dict[str, Any]] = interpreter.get_output_details()
    if len(found) < 2:
        return found
    for name in interpreter.get_signature_list():
        named = interpreter.get_signature_runner(name).get_output_details()
        if LOGITS in named:
            return [named[LOGITS]]
    return found


def _only(details: list[dict[str, Any]], verb: str) -> dict[str, Any]:
    if len(details) != 1:
        told = ", ".join(f"{one['name']} {written(list(map(int, one['shape'])))}" for one in details)
        raise ModelFileError(
            f"it {verb} {len(details)} tensors ({told}); expected one; convert a model from images to one number for "
            f"each class"
        )
    return details[0]


def _any_batch(interpreter: Any, image: dict[str, Any]) -> bool:
    """Whether more than one image can be asked about at once; some models are converted with the batch built in."""
    try:
        _resize(interpreter, image, 2)
        interpreter.invoke()
    except (RuntimeError, ValueError):
        _resize(interpreter, image, 1)
        return False
    return True


def _resize(interpreter: Any, image: dict[str, Any], rows: int) -> None:
    interpreter.resize_tensor_input(image["index"], (rows, *map(int, image["shape"][1:])))
    interpreter.allocate_tensors()


def _asking(interpreter: Any, image: dict[str, Any], answer: dict[str, Any]) -> Callable[[Inputs], Outputs]:
    def ask(images: Inputs) -> Outputs:
        if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
            interpreter.resize_tensor_input(image["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(image["index"], _quantised(images, image))
        interpreter.invoke()
        return _dequantised(interpreter.get_tensor(answer["index"]), answer)

    return ask


def _quantised(images: Inputs, tensor: dict[str, Any]) -> npt.NDArray[Any]:
    """By real = scale (number - zero point), https://ai.google.dev/edge/litert/models/quantization_spec."""
    dtype = np.dtype(tensor["dtype"])
    if not np.issubdtype(dtype, np.integer):
        return images.astype(dtype, copy=False)
    scale, zero = tensor["quantization"]
    numbers = images / np.float32(scale) + zero if scale else images
    limits = np.iinfo(dtype)
    return np.clip(np.rint(numbers), limits.min, limits.max).astype(dtype)


def _dequantised(numbers: npt.NDArray[Any], tensor: dict[str, Any]) -> Outputs:
    if not np.issubdtype(numbers.dtype, np.integer):
        return np.array(numbers, np.float32)
    scale, zero = tensor["quantization"]
    return (numbers.astype(np.float32) - zero) * np.float32(scale) if scale else numbers.astype(np.float32)


def _step(tensor: dict[str, Any]) -> float:
    return float(tensor["quantization"][0]) if np.issubdtype(np.dtype(tensor["dtype"]), np.integer) else 0.0
