"""Networks that Keras 2 described, built by Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import reason
from fer_audit.model_files.keras_config import parsed_config

#: Classes of networks.
_MODELS = ("Functional", "Model", "Sequential")

#: Arguments that Keras 2 saved and Keras 3 refuses, and the values with which they change nothing.
_RETIRED: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    **{f"{name}{axes}D": {"groups": (1,)} for name in ("DepthwiseConv", "SeparableConv") for axes in (1, 2)},
    "Conv2DTranspose": {"groups": (1,)},
    **{f"SpatialDropout{axes}D": {"noise_shape": (None,), "trainable": (True, False)} for axes in (1, 2, 3)},
    **{name: {"time_major": (False,)} for name in ("GRU", "LSTM", "SimpleRNN")},
    "BatchNormalization": {
        "fused": (None, True, False),
        "renorm": (False,),
        "virtual_batch_size": (None,),
        "adjustment": (None,),
    },
}

#: Arguments that choose how layers of Keras 2 draw in training, which is no matter here.
_OF_TRAINING = ("rng_type",)

#: Arguments of a kernel that these layers do not have.
_NO_KERNEL = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
_OF_KERNELS = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")

#: Modules of Keras 2 whose classes Keras 3 finds by name, and only so where they are described in the older way.
_LAYERS_OF_KERAS_2 = ("keras.layers", "keras.engine", "keras.src.engine", "tf_keras.")


def built_from_keras_2(text: str | bytes, what: str, *, trust: bool) -> Any:
    """The network of a description, which was checked, without its weights; raises ModelFileError."""
    from keras.src.legacy.saving import saving_options, saving_utils
    from keras.src.saving import serialization_lib

    with saving_options.keras_option_scope(use_legacy_config=True), serialization_lib.SafeModeScope(not trust):
        try:
            # Keras changes what it is given.
            return saving_utils.model_from_config(modernised(parsed_config(text, what)), custom_objects={})
        except Exception as error:  # noqa: BLE001 - Keras fails in many ways on what it does not know
            raise ModelFileError(
                f"Keras 3 can't build its network ({reason(error)}); expected layers that Keras 3 has; export it as a "
                f"SavedModel or as ONNX with the Keras that saved it"
            ) from None


def modernised(config: Any) -> Any:
    """A copy of what Keras 2 saved, as Keras 3 reads it."""
    if isinstance(config, list):
        return [modernised(part) for part in config]
    if not isinstance(config, dict):
        return config
    part = {key: modernised(value) for key, value in config.items()}
    kind, inner = part.get("class_name"), part.get("config")
    if kind in ("Sequential", "Model", "Functional") and isinstance(inner, list):  # until Keras 2.2
        inner = {"name": part.get("name", "sequential"), "layers": inner}
    if isinstance(inner, dict):
        part["config"] = _with_input(inner) if kind == "Sequential" else _without_retired(str(kind), inner)
    if kind in ("Model", "Functional") and isinstance(part["config"], dict):
        part |= {"class_name": "Functional", "config": _with_single_ends(_renumbered(part["config"]))}
    if str(part.get("module", "")).startswith(_LAYERS_OF_KERAS_2) and kind != "function":
        part = {key: value for key, value in part.items() if key not in ("module", "registered_name", "build_config")}
    return part


def _renumbered(functional: dict[str, Any]) -> dict[str, Any]:
    """With calls of inner models counted from 0: in Keras 2 the first was their own, in Keras 3 it is the outer one."""
    layers = functional.get("layers")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        return functional
    kinds = {str(layer.get("name")): layer.get("class_name") for layer in layers}
    inner = {name for name, kind in kinds.items() if kind in _MODELS}
    # Of functional ones Keras 3 counts the outputs of the network anew itself.
    ends = _counted(functional.get("output_layers", []), {name for name in inner if kinds[name] == "Sequential"})
    nodes = [{**layer, "inbound_nodes": _counted(layer.get("inbound_nodes", []), inner)} for layer in layers]
    return {**functional, "layers": nodes, "output_layers": ends}


def _counted(reference: Any, inner: set[str]) -> Any:
    """References `[layer, call, tensor, ...]`, in lists as deep as may be, to one call earlier of layers in `inner`."""
    if not isinstance(reference, list):
        return reference
    if len(reference) > 1 and isinstance(reference[0], str):
        name, call, *rest = reference
        return [name, call - 1 if name in inner and isinstance(call, int) and call > 0 else call, *rest]
    return [_counted(each, inner) for each in reference]


def _with_single_ends(functional: dict[str, Any]) -> dict[str, Any]:
    """With one tensor where Keras 2 saved a list of one, which Keras 3 would return as a list."""
    ends: dict[str, Any] = {key: functional[key] for key in ("input_layers", "output_layers") if key in functional}
    single = {key: end[0] for key, end in ends.items() if isinstance(end, list) and len(end) == 1}
    return {**functional, **single}


def _with_input(sequential: dict[str, Any]) -> dict[str, Any]:
    """With a layer for the input, whose shape Keras 2 saved with the first other layer."""
    first, *layers = sequential.get("layers") or [None]
    own = first.get("config") if isinstance(first, dict) else None
    if not isinstance(own, dict) or "batch_input_shape" not in own or first["class_name"] == "InputLayer":
        return sequential
    shape = {"batch_input_shape": own["batch_input_shape"], "name": f"{own.get('name', 'images')}_input"}
    bare = {**first, "config": {key: value for key, value in own.items() if key != "batch_input_shape"}}
    return {**sequential, "layers": [{"class_name": "InputLayer", "config": shape}, bare, *layers]}


def _without_retired(kind: str, inner: dict[str, Any]) -> dict[str, Any]:
    neutral = _RETIRED.get(kind, {})
    kept = {key: value for key, value in inner.items() if not (key in neutral and value in neutral[key])}
    if kind in _NO_KERNEL:
        kept = {key: value for key, value in kept.items() if key not in _OF_KERNELS}
    kept = {key: value for key, value in kept.items() if key not in _OF_TRAINING}
    if "name" not in inner and not kind.startswith("__"):  # an initializer, which had a dtype until TensorFlow 2.0
        kept.pop("dtype", None)
    policy = kept.get("dtype")
    if isinstance(policy, dict) and policy.get("class_name") == "Policy":
        kept["dtype"] = policy["config"]["name"]
    return kept
