import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from scipy.special import softmax

from fer_audit.audit_section import Preprocessing
from fer_audit.export.chosen import ExportError
from fer_audit.export.formats import FILES, FORMATS, write_model
from fer_audit.model_files.open_file import open_file
from fer_audit.model_files.outside_model import outside_model
from fer_audit.registry import Registry

CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "ärger")
SIDE = 24
L = keras.layers


def tiny():
    images = keras.Input((SIDE, SIDE, 3), name="images")
    # Constants that a layer holds, and swish with its own gradient, as in EfficientNet: both have broken converters.
    x = L.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3])(L.Rescaling(1 / 255)(images))
    x = L.Conv2D(6, 3, padding="same", use_bias=False)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    x = L.Dropout(0.5)(L.Conv2D(8, 3, strides=2, padding="same", activation="swish")(x))
    return keras.Model(images, L.Dense(len(CLASSES))(L.GlobalAveragePooling2D()(x)), name="tiny")


def mini_xception():
    return Registry.load().create("model", "mini-xception", {}).create((SIDE, SIDE, 3), len(CLASSES))


def settled(network):
    """With statistics that are none of a new network's, and so with answers that differ."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        spread = rng.uniform(0.5, 1.5, weight.shape) if "variance" in weight.path else rng.normal(0, 0.3, weight.shape)
        weight.assign(spread)
    return network


@pytest.fixture(scope="module")
def images():
    # Of one colour each, so that answers differ a good deal.
    rng = np.random.default_rng(1)
    tint = rng.integers(0, 200, (40, 1, 1, 3))
    return (tint + rng.integers(0, 56, (40, SIDE, SIDE, 3))).astype(np.uint8)


@pytest.fixture(scope="module", params=[tiny, mini_xception], ids=["tiny", "mini-xception"])
def written(request, images, tmp_path_factory):
    folder, network = tmp_path_factory.mktemp("formats"), settled(request.param())
    for one in FORMATS:
        write_model(network, CLASSES, SIDE, one, folder / FILES[one], representative=images[:20])
    return folder, np.asarray(network(images.astype(np.float32), training=False))


def test_a_saved_model_answers_alike_and_names_its_classes(written, images):
    folder, logits = written
    loaded = tf.saved_model.load(str(folder / FILES["saved-model"]))
    found = loaded.signatures["serving_default"](images=tf.constant(images, tf.float32))
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], softmax(logits, axis=1), atol=1e-5)
    assert [name.decode() for name in found["label"].numpy()] == [CLASSES[place] for place in logits.argmax(axis=1)]
    assert [name.decode() for name in loaded.class_names.numpy()] == list(CLASSES)
    labels = folder / FILES["saved-model"] / "assets" / "labels.txt"
    assert labels.read_text(encoding="utf-8").splitlines() == list(CLASSES)
    same = loaded.signatures["serving_uint8"](images=tf.constant(images))["logits"]
    np.testing.assert_array_equal(same, found["logits"])


def test_onnx_answers_alike_for_any_number_of_images_and_names_its_classes(written, images):
    folder, logits = written
    session = onnxruntime.InferenceSession(str(folder / FILES["onnx"]), providers=["CPUExecutionProvider"])
    for rows in (1, 3, 40):
        given = {"images": images[:rows].astype(np.float32)}
        probabilities, found = session.run(["probabilities", "logits"], given)
        np.testing.assert_allclose(found, logits[:rows], atol=1e-4)
        np.testing.assert_allclose(probabilities, softmax(logits[:rows], axis=1), atol=1e-5)
    assert json.loads(session.get_modelmeta().custom_metadata_map["class_names"]) == list(CLASSES)
    assert {one.shape[0] for one in [*session.get_inputs(), *session.get_outputs()]} == {"batch"}
    onnx.checker.check_model(onnx.load(folder / FILES["onnx"]), full_check=True)


def test_tflite_answers_alike(written, images):
    folder, logits = written
    found = interpreted(folder / FILES["tflite"], images.astype(np.float32))
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], softmax(logits, axis=1), atol=1e-5)
    assert (folder / "labels.txt").read_text(encoding="utf-8").splitlines() == list(CLASSES)


def test_quantised_tflite_takes_bytes_and_comes_near(written, images):
    folder, logits = written
    path = folder / FILES["tflite-int8"]
    found = interpreted(path, images)
    # As many steps of 8 bits as a handful of layers may be off.
    assert np.abs(found["logits"] - logits).max() < 12 * np.ptp(logits) / 255
    assert path.stat().st_size < (folder / FILES["tflite"]).stat().st_size
    details = Interpreter(model_path=str(path)).get_tensor_details()
    floats = [one for one in details if one["dtype"] == np.float32]
    assert len(floats) == 2  # the two answers alone


def test_quantising_needs_images(tmp_path):
    with pytest.raises(ValueError, match="representative"):
        write_model(tiny(), CLASSES, SIDE, "tflite-int8", tmp_path / "m.tflite")


def test_integers_that_an_interpreter_dies_of_are_refused(images, tmp_path):
    inputs = keras.Input((SIDE, SIDE, 3))
    x, dark = L.Conv2D(4, 3)(inputs), L.Conv2D(4, 3, bias_initializer=keras.initializers.Constant(-1e4))(inputs)
    x = L.GlobalAveragePooling2D()(L.ReLU()(L.Add()([x, dark])))  # nothing but zeros
    path = tmp_path / "m.tflite"
    with pytest.raises(ExportError, match="LiteRT can't run the network in integers"):
        write_model(keras.Model(inputs, L.Dense(7)(x)), CLASSES, SIDE, "tflite-int8", path, representative=images)
    assert not path.exists()


def interpreted(path, images):
    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    answers = [runner(images=image[None]) for image in images]
    return {name: np.concatenate([one[name] for one in answers]) for name in ("logits", "probabilities")}


@pytest.mark.parametrize("kind", [one for one in FORMATS if one != "tflite-int8"])
def test_what_we_write_can_be_audited_as_a_model_from_elsewhere(written, images, kind):
    folder, logits = written
    opened = open_file(folder / FILES[kind], address=FILES[kind], trust=False, registry=Registry.load())
    model = outside_model(opened, Preprocessing(), CLASSES, image_size=SIDE)
    assert model.outputs == "logits"
    np.testing.assert_allclose(model.logits(images), logits, atol=1e-4)
