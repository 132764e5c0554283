"""ONNX files, asked through onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import leads_out, reason
from fer_audit.model_files.digest import files_digest
from fer_audit.model_files.fixed_batch import in_fixed_batches
from fer_audit.model_files.keras_network import Identity
from fer_audit.model_files.limits import check_bytes, written
from fer_audit.model_files.opened import LOGITS, Inputs, Opened, Outputs

#: Whose operators onnxruntime has itself.
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")

#: An operator of onnxruntime's that loads code which was compiled for one machine, from any path.
_LOADS_CODE = ("EPContext",)

_WIDEST = 8  #: bytes of a number

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def open_onnx(content: bytes, path: Path, identity: Identity) -> Opened:
    """The model of an ONNX file and of the files beside it that hold its weights; raises ModelFileError."""
    outside = _outside_files(content, path)
    session = _session(content if not outside else str(path))
    image, answer = _image(session), _answer(session)
    batch, *shape = (length if isinstance(length, int) else None for length in image.shape)
    sha256, size = files_digest(path.parent, [path, *outside]) if outside else (identity.sha256, identity.bytes)
    return Opened(
        format="onnx",
        sha256=sha256,
        bytes=size,
        input_shape=(shape[0], shape[1], shape[2]),
        outputs=answer.shape[1] if isinstance(answer.shape[1], int) else None,
        ask=in_fixed_batches(_asking(session, image, answer), batch),
        name=identity.name,
    )


def _outside_files(content: bytes, path: Path) -> list[Path]:
    """Files beside the model that hold weights of it, once all of its operators and places are known to do no harm."""
    model = _parsed(content)
    if not model.graph.node:
        raise ModelFileError("the file holds no network; expected an ONNX model; export it again")
    _check_operators(model)
    _check_tensors(model)
    found = []
    for name in sorted({_location(tensor) for tensor in _tensors(model)} - {""}):
        place = path.parent / name
        if leads_out(name):
            raise ModelFileError(
                f"its weights lie at {name!r}, outside of the model's folder; expected them beside the model; export "
                f"the model as one file"
            )
        if not place.is_file():
            raise ModelFileError(f"its weights {name!r} are not beside it; expected that file; copy both together")
        check_bytes(place.stat().st_size, f"the file {name!r}")
        found.append(place)
    return found


def _parsed(content: bytes) -> Any:
    import onnx

    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # noqa: BLE001 - protobuf's DecodeError, whose place changes with its version
        raise ModelFileError(
            f"the file is truncated, damaged or no ONNX model ({reason(error)}); expected a whole one; copy or export "
            f"it again"
        ) from None


def _check_tensors(model: Any) -> None:
    """Raises ModelFileError where what flows through the graph would fill all memory, as far as shapes tell."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001 - what can't be inferred is found when the model is run
        return
    for value in inferred.graph.value_info:
        shape = value.type.tensor_type.shape.dim
        check_bytes(_WIDEST * prod(max(1, axis.dim_value) for axis in shape), f"tensor {value.name!r}")


def _check_operators(model: Any) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if (node.domain, node.op_type) in own:
            continue
        if node.domain not in _DOMAINS or node.op_type in _LOADS_CODE:
            raise ModelFileError(
                f"node {node.name or node.op_type!r} is the operator {f'{node.domain}.{node.op_type}'!r}, which needs "
                f"code from outside; expected operators of ONNX alone; export the model without it"
            )


def _graphs(model: Any) -> Iterator[Any]:
    """The graph, and those inside of its nodes; functions as well, which have nodes too."""
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting.extend([attribute.g] if attribute.HasField("g") else [])
                waiting.extend(attribute.graphs)


def _nodes(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from graph.node


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from ([attribute.t] if attribute.HasField("t") else [])
                yield from attribute.tensors


def _location(tensor: Any) -> str:
    """Where the numbers of a tensor lie; empty where it is in the model itself."""
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return ""
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "") or "(nowhere)"


def _session(model: bytes | str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised as well
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _image(session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _DTYPES:
        told = ", ".join(f"{one.name} {one.type} {written(_lengths(one))}" for one in inputs)
        raise ModelFileError(
            f"it takes {told}; expected one tensor of images with four axes; export it with that alone"
        )
    return inputs[0]


def _answer(session: Any) -> Any:
    outputs = session.get_outputs()
    fitting = [one for one in outputs if one.type in _DTYPES and len(one.shape) == 2]
    fitting = [one for one in fitting if one.name == LOGITS] or fitting
    if len(fitting) != 1:
        told = ", ".join(f"{one.name} {one.type} {written(_lengths(one))}" for one in outputs)
        raise ModelFileError(
            f"it answers with {told}; expected one tensor with a number for each class of each image; export it with "
            f"that alone"
        )
    return fitting[0]


def _lengths(tensor: Any) -> list[int | None]:
    return [length if isinstance(length, int) else None for length in tensor.shape]


def _asking(session: Any, image: Any, answer: Any) -> Callable[[Inputs], Outputs]:
    dtype = _DTYPES[image.type]

    def ask(images: Inputs) -> Outputs:
        given = np.rint(images).astype(dtype) if dtype is np.uint8 else images.astype(dtype, copy=False)
        (answers,) = session.run([answer.name], {image.name: np.ascontiguousarray(given)})
        return np.asarray(answers, np.float32)

    return ask
