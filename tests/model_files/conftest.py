"""One tiny network through every format, made once."""

import contextlib
import json
import logging
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_audit.audit_section import Preprocessing
from fer_audit.model_files.open_file import open_file
from fer_audit.model_files.outside_model import outside_model
from fer_audit.registry import Registry
from fer_audit.sources import source_digest
from fer_audit.specs import PluginIdentity, ProgramSpec

L = keras.layers
SIDE = 24
CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


@contextlib.contextmanager
def muted():
    """Converters of third parties write to standard error and warn of their own deprecations."""
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        yield


def settled(network, seed=0):
    """With weights as after training: statistics that are none of a new network's."""
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        spread = rng.uniform(0.5, 1.5, weight.shape) if "variance" in weight.path else rng.normal(0, 0.3, weight.shape)
        weight.assign(spread)
    return network


def tiny_network(softmax=False, channels=3, side=SIDE, classes=7, seed=0):
    images = keras.Input((side, side, channels), name="images")
    x = L.Rescaling(1 / 255, name="scale")(images)
    x = L.Conv2D(6, 3, padding="same", use_bias=False, name="first")(x)
    x = L.BatchNormalization(name="norm")(x)
    x = L.ReLU(name="relu")(x)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="second")(x)
    x = L.Dropout(0.5, name="dropout")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    x = L.Dense(classes, activation="softmax" if softmax else None, name="answers")(x)
    return settled(keras.Model(images, x, name="tiny"), seed)


def save_onnx(network, path, channels_first=False):
    import tf2onnx

    shape = network.input_shape[1:]
    with muted():
        tf2onnx.convert.from_function(
            tf.function(lambda images: network(images, training=False)),
            input_signature=[tf.TensorSpec((None, *shape), tf.float32, name="images")],
            opset=17,
            inputs_as_nchw=["images:0"] if channels_first else None,
            output_path=str(path),
        )
    return path


def save_tflite(network, path, quantised_on=None):
    with muted():
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        if quantised_on is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image[None]] for image in quantised_on)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        path.write_bytes(converter.convert())
    return path


def save_folder(network, path):
    with muted():
        network.export(path, verbose=False)
    return path


def save_training(registry, folder):
    """A training of ours as a store holds it, with the weights of `settled`."""
    folder.mkdir(parents=True)
    plugin = registry.create("model", "mini-xception")
    network = settled(plugin.create((SIDE, SIDE, 3), len(CLASSES)))
    program = ProgramSpec(
        model=PluginIdentity(
            kind="model", name="mini-xception", params=plugin.params.model_dump(), source=source_digest(type(plugin))
        ),
        input_shape=(SIDE, SIDE, 3),
        classes=len(CLASSES),
        batch_size=8,
        optimizer="adam",
        weight_decay=0.0,
        momentum=0.9,
    )
    weights = {f"{place:04d}:{weight.path}": np.asarray(weight) for place, weight in enumerate(network.weights)}
    np.savez(folder / "weights.npz", **weights)
    (folder / "spec.json").write_text(json.dumps({"program": program.model_dump(mode="json")}))
    return network


@pytest.fixture(scope="session")
def registry():
    return Registry.load([])


@pytest.fixture(scope="session")
def opened(registry):
    """Opens a file as a grid does."""

    def opening(path, trust=False):
        path = Path(path)
        return open_file(path, address=path.name, trust=trust, registry=registry)

    return opening


@pytest.fixture(scope="session")
def asked(opened):
    """Opens a file and makes it one of our models."""

    def asking(path, *, side=SIDE, named=None, **preprocessing):
        declared = Preprocessing(classes=named, **preprocessing)
        return outside_model(opened(path), declared, CLASSES, image_size=side)

    return asking


@pytest.fixture(scope="session")
def images():
    rng = np.random.default_rng(7)
    smooth = rng.integers(0, 256, (30, 6, 6, 3), np.uint8).repeat(SIDE // 6, 1).repeat(SIDE // 6, 2)
    return np.concatenate([smooth, rng.integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)])


@pytest.fixture(scope="session")
def tiny():
    return tiny_network()


@pytest.fixture(scope="session")
def softmax():
    return tiny_network(softmax=True)


@pytest.fixture(scope="session")
def files(tmp_path_factory, tiny):
    """The tiny network as files of every format."""
    folder = tmp_path_factory.mktemp("models")
    with muted():
        tiny.save(folder / "tiny.keras")
        tiny.save(folder / "tiny.h5")
    save_folder(tiny, folder / "tiny")
    save_onnx(tiny, folder / "tiny.onnx")
    save_tflite(tiny, folder / "tiny.tflite")
    (folder / "mine.py").write_text(
        "import keras\nimport numpy as np\nfrom pathlib import Path\n"
        "network = keras.models.load_model(Path(__file__).with_name('tiny.keras'))\n"
        "def answer(images):\n"
        "    assert images.dtype == np.uint8\n"
        "    return np.asarray(network(images.astype(np.float32), training=False))\n"
    )
    return folder


@pytest.fixture
def refused(opened):
    """What is said of a file, which is one sentence; nothing is written beside it."""
    from fer_audit.errors import ModelFileError

    def refusing(path, trust=False, files=True):
        path = Path(path)
        before = sorted(path.parent.rglob("*"))
        with pytest.raises(ModelFileError) as caught:
            opened(path, trust)
        if files:  # importing Python leaves its cache
            assert sorted(path.parent.rglob("*")) == before
        return one_sentence(str(caught.value), path.name)

    return refusing


def one_sentence(said, name):
    assert name in said
    assert "\n" not in said
    assert ". " not in said
    assert "expected" in said or "did you mean" in said
    assert len(said) < 700
    return said


@pytest.fixture(scope="session")
def make():
    """What the tests make models with."""
    return SimpleNamespace(
        network=tiny_network,
        onnx=save_onnx,
        tflite=save_tflite,
        folder=save_folder,
        training=save_training,
        settled=settled,
        muted=muted,
        one_sentence=one_sentence,
    )
