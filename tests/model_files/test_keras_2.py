"""What older versions of Keras wrote, as Keras 3 reads it."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from fer_audit.model_files.keras_2 import modernised

LEGACY = Path(__file__).with_name("legacy")


def layer(kind, **config):
    return {"class_name": kind, "config": {"name": "one", **config}}


@pytest.mark.parametrize(
    ("kind", "retired"),
    [
        ("DepthwiseConv2D", {"groups": 1, "kernel_initializer": "ones", "kernel_regularizer": None}),
        ("SeparableConv2D", {"groups": 1}),
        ("SpatialDropout2D", {"noise_shape": None}),
        ("BatchNormalization", {"fused": True, "renorm": False, "virtual_batch_size": None}),
        ("LSTM", {"time_major": False}),
        ("RandomFlip", {"rng_type": "stateful"}),
    ],
)
def test_retired_arguments_that_change_nothing(kind, retired):
    assert modernised(layer(kind, kept=2, **retired)) == layer(kind, kept=2)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("DepthwiseConv2D", {"groups": 2}), ("BatchNormalization", {"renorm": True}), ("Conv2D", {"groups": 1})],
)
def test_arguments_that_matter_stay(kind, kept):
    assert modernised(layer(kind, **kept)) == layer(kind, **kept)


def test_policies_and_initializers():
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    ones = {"class_name": "Ones", "config": {"dtype": "float32"}}
    found = modernised(layer("Dense", dtype=policy, kernel_initializer=ones))
    assert found == layer("Dense", dtype="mixed_float16", kernel_initializer={"class_name": "Ones", "config": {}})


def test_names_of_keras_2_and_earlier():
    inner = layer("Dense", units=2)
    assert modernised({"class_name": "Model", "config": {"layers": []}})["class_name"] == "Functional"
    older = modernised({"class_name": "Sequential", "config": [inner]})
    assert older["config"]["layers"] == [inner]
    described = {**inner, "module": "keras.layers", "registered_name": None, "build_config": {}}
    assert modernised(described) == inner


def test_sequential_as_keras_2_0_wrote_it(tmp_path, opened):
    shutil.copy(LEGACY / "sequential.h5", tmp_path / "older.h5")
    with h5py.File(tmp_path / "older.h5", "r+") as file:
        first, *layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        layers[0]["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers}).encode()
        names = [name for name in file["model_weights"].attrs["layer_names"] if name != b"input_1"]
        file["model_weights"].attrs["layer_names"] = names
    truth = json.loads((LEGACY / "expected.json").read_text())["sequential"]
    values = np.random.default_rng(truth["seed"]).random(truth["shape"], np.float32) * 2 - 1
    np.testing.assert_allclose(opened(tmp_path / "older.h5").ask(values), truth["expected"], atol=1e-4)


def test_weights_alone_are_no_model(tmp_path, tiny, refused):
    tiny.save_weights(tmp_path / "m.weights.h5")
    assert "the file holds weights alone; expected model_config" in refused(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.arange(3)
    assert "the file holds no Keras model" in refused(tmp_path / "data.h5")
