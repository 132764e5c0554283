"""The `.h5` and `.hdf5` files of Keras 2, which Keras 3 still writes."""

from __future__ import annotations

import h5py

from fer_audit.errors import ModelFileError
from fer_audit.model_files.hdf5 import held_numbers, open_hdf5
from fer_audit.model_files.keras_2 import built_from_keras_2
from fer_audit.model_files.keras_config import check_config, parsed_config, register_ours
from fer_audit.model_files.keras_network import Identity, check_size, opened_network, unwarned
from fer_audit.model_files.opened import Opened


def open_keras_hdf5(content: bytes, identity: Identity, *, trust: bool) -> Opened:
    """The network of a `.h5` file; raises ModelFileError."""
    with open_hdf5(content, "the file") as file, unwarned():
        text, what = _described(file), "its model_config"
        config = parsed_config(text, what)
        if not trust:
            check_config(config)
        register_ours(config)
        check_size(lambda: built_from_keras_2(text, what, trust=trust), held_numbers(file))
        network = built_from_keras_2(text, what, trust=trust)
        # As Keras' own reader has it, which would take no description but that of the file.
        from keras.src.legacy.saving import legacy_h5_format

        legacy_h5_format.load_weights_from_hdf5_group(file["model_weights"], network)
    return opened_network(network, "keras-h5", identity)


def _described(file: h5py.File) -> str:
    text = file.attrs.get("model_config")
    if text is None or not isinstance(file.get("model_weights"), h5py.Group):
        held = "weights alone" if "layer_names" in file.attrs or "layers" in file else "no Keras model"
        raise ModelFileError(
            f"the file holds {held}; expected model_config and model_weights; save the whole model with model.save"
        )
    return text.decode() if isinstance(text, bytes) else str(text)
