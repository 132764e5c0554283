"""The `.keras` archives of Keras 3, and of the last versions of Keras 2."""

from __future__ import annotations

import io
import json
from typing import Any

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import open_archive, read_member, reason
from fer_audit.model_files.hdf5 import held_numbers, open_hdf5
from fer_audit.model_files.keras_2 import built_from_keras_2
from fer_audit.model_files.keras_config import check_config, parsed_config, register_ours
from fer_audit.model_files.keras_network import Identity, check_size, opened_network, unwarned
from fer_audit.model_files.opened import Opened

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

#: All that Keras writes for a network of images.
_MEMBERS = (_CONFIG, _METADATA, _WEIGHTS)


def open_keras_archive(content: bytes, identity: Identity, *, trust: bool) -> Opened:
    """The network of a `.keras` file; raises ModelFileError."""
    text, weights, version = _members(content, trust=trust)
    config = parsed_config(text, _CONFIG)
    if not trust:
        check_config(config)
    register_ours(config)
    with open_hdf5(weights, _WEIGHTS) as file:
        numbers = held_numbers(file)
    with unwarned():
        if version.startswith("2."):
            network = _read_keras_2(text, weights, numbers, trust=trust)
        else:
            network = _read_keras_3(config, content, numbers, trust=trust)
    return opened_network(network, "keras", identity)


def _read_keras_3(config: dict[str, Any], content: bytes, numbers: int, *, trust: bool) -> Any:
    from keras.src.saving import saving_lib, serialization_lib

    config["compile_config"] = None  # nothing is trained
    check_size(lambda: serialization_lib.deserialize_keras_object(config, safe_mode=not trust), numbers)
    # The public function takes a path alone, and may unpack beside it.
    return saving_lib.load_model(io.BytesIO(content), compile=False, safe_mode=not trust)


def _read_keras_2(text: bytes, weights: bytes, numbers: int, *, trust: bool) -> Any:
    """Of Keras 2.12 and later, whose weights lie as those of Keras 3, but whose description is an older one."""
    from keras.src.saving import saving_lib

    check_size(lambda: built_from_keras_2(text, _CONFIG, trust=trust), numbers)
    network = built_from_keras_2(text, _CONFIG, trust=trust)
    store, failed, told = saving_lib.H5IOStore(io.BytesIO(weights), mode="r"), set[int](), dict[int, Any]()
    saving_lib._load_state(network, store, None, "", visited_saveables=set(), failed_saveables=failed, error_msgs=told)
    store.close()
    if failed:
        layer, error = next(iter(told.values()))
        raise ModelFileError(
            f"the weights of layer {layer.name!r} can't be read ({reason(error)}); expected those of the network; save "
            f"the model with Keras 2 as .h5"
        )
    return network


def _members(content: bytes, *, trust: bool) -> tuple[bytes, bytes, str]:
    """Description of the network, HDF5 file of its weights, and version of the Keras that wrote both."""
    with open_archive(content) as archive:
        names = archive.namelist()
        odd = next((name for name in names if name not in _MEMBERS), None)
        if odd is not None and not trust:
            raise ModelFileError(
                f"the archive holds {odd!r}; expected {_METADATA}, {_CONFIG} and {_WEIGHTS} alone; save the model "
                f"with Keras 3"
            )
        missing = [name for name in (_CONFIG, _WEIGHTS) if name not in names]
        if missing:
            raise ModelFileError(
                f"the archive has no {' and no '.join(missing)}; expected a model that Keras 3 saved; save it again"
            )
        version = _version(read_member(archive, _METADATA)) if _METADATA in names else ""
        return read_member(archive, _CONFIG), read_member(archive, _WEIGHTS), version


def _version(metadata: bytes) -> str:
    """The version of Keras that is told there; empty where none is."""
    try:
        return str(json.loads(metadata)["keras_version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
