"""The same weights through every format give the same logits."""

import hashlib
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from fer_audit.errors import ModelFileError
from fer_audit.model_files.open_file import open_file
from fer_audit.models.layers.input_normalization import InputNormalization

LEGACY = Path(__file__).with_name("legacy")
SIDE, CLASSES = 24, 7
FORMATS = {
    "tiny.keras": "keras",
    "tiny.h5": "keras-h5",
    "tiny": "saved-model",
    "tiny.onnx": "onnx",
    "tiny.tflite": "tflite",
    "mine.py:answer": "callable",
}


@pytest.fixture(scope="module")
def truth(tiny, images):
    return np.asarray(tiny(images.astype(np.float32), training=False))


@pytest.mark.parametrize("name", FORMATS)
def test_same_logits_through_every_format(name, files, asked, images, truth):
    model = asked(files / name)
    assert model.opened.format == FORMATS[name]
    assert model.outputs == "logits"
    np.testing.assert_allclose(model.logits(images), truth, atol=1e-4)
    np.testing.assert_allclose(model.logits(images[4:5]), truth[4:5], atol=1e-4)
    assert model.logits(images[:0]).shape == (0, CLASSES)


@pytest.mark.parametrize("name", list(FORMATS)[:5])
def test_shape_and_outputs_are_read_from_the_file(name, files, opened):
    model = opened(files / name)
    assert model.input_shape == (SIDE, SIDE, 3)
    assert model.outputs == CLASSES
    assert (model.network is None) == (model.format not in ("keras", "keras-h5"))


def test_weights_of_a_training_by_file_or_folder(tmp_path, make, registry, asked, images):
    network = make.training(registry, tmp_path / "trainings" / "ab12")
    expected = np.asarray(network(images.astype(np.float32), training=False))
    for path in (tmp_path / "trainings" / "ab12", tmp_path / "trainings" / "ab12" / "weights.npz"):
        model = asked(path)
        assert model.opened.format == "weights"
        np.testing.assert_allclose(model.logits(images), expected, atol=1e-4)
        np.testing.assert_allclose(model.network(images.astype(np.float32)), expected, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path, make, registry, refused):
    make.training(registry, tmp_path / "ab12")
    np.savez(tmp_path / "ab12" / "weights.npz", **{"0000:odd": np.zeros(3)})
    assert "needs 58,423 weights, but the file holds 3 numbers" in refused(tmp_path / "ab12")
    np.savez(tmp_path / "ab12" / "weights.npz", **{"0000:odd": np.zeros(58_423)})
    assert "not those of model 'mini-xception'" in refused(tmp_path / "ab12")
    (tmp_path / "ab12" / "spec.json").write_text("{}")
    assert "describes no training" in refused(tmp_path / "ab12")
    (tmp_path / "ab12" / "spec.json").unlink()
    assert "there is no spec.json beside it" in refused(tmp_path / "ab12")


@pytest.mark.parametrize("name", ["functional.h5", "sequential.h5", "nested.h5", "functional.keras"])
def test_files_of_keras_2(name, opened):
    truth = json.loads((LEGACY / "expected.json").read_text())[name.partition(".")[0]]
    values = np.random.default_rng(truth["seed"]).random(truth["shape"], np.float32) * 2 - 1
    model = opened(LEGACY / name)
    assert model.input_shape == tuple(truth["shape"][1:])
    np.testing.assert_allclose(model.ask(values), truth["expected"], atol=1e-4)


def test_onnx_with_channels_first(tmp_path, make, tiny, asked, images, truth):
    make.onnx(tiny, tmp_path / "first.onnx", channels_first=True)
    model = asked(tmp_path / "first.onnx")
    assert model.opened.input_shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(model.logits(images), truth, atol=1e-4)


def test_onnx_with_weights_beside_it(tmp_path, files, asked, images, truth):
    model = onnx.load(files / "tiny.onnx")
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=64)
    assert (tmp_path / "m.bin").stat().st_size > 100
    asks = asked(tmp_path / "m.onnx")
    np.testing.assert_allclose(asks.logits(images), truth, atol=1e-4)
    assert asks.opened.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    before = asks.opened.sha256
    content = bytearray((tmp_path / "m.bin").read_bytes())
    content[0] ^= 1
    (tmp_path / "m.bin").write_bytes(content)
    assert asked(tmp_path / "m.onnx").opened.sha256 != before


@pytest.mark.parametrize("kind", ["onnx", "tflite", "keras", "saved-model"])
def test_models_of_a_fixed_batch(kind, tmp_path, make, tiny, asked, images, truth):
    fixed = keras.Input(batch_shape=(4, SIDE, SIDE, 3), name="images")
    network = keras.Model(fixed, tiny(fixed))
    path = tmp_path / f"fixed.{kind}"
    if kind == "onnx":
        model = onnx.load(make.onnx(tiny, path))
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
        onnx.save(model, path)
    elif kind == "tflite":
        make.tflite(network, path)
    elif kind == "keras":
        network.save(path)
    else:
        make.folder(network, path)
    model = asked(path)
    np.testing.assert_allclose(model.logits(images[:10]), truth[:10], atol=1e-4)


def test_quantised_tflite(tmp_path, make, softmax, asked, images):
    path = make.tflite(softmax, tmp_path / "int8.tflite", quantised_on=images.astype(np.float32))
    model = asked(path)
    truth = np.asarray(softmax(images.astype(np.float32), training=False))
    assert model.opened.output_step == pytest.approx(1 / 256)
    assert model.outputs == "probabilities"
    found = np.exp(model.logits(images))
    np.testing.assert_allclose(found, truth, atol=0.1)
    assert (found.argmax(1) == truth.argmax(1)).mean() >= 0.9


def test_digest_is_that_of_the_file_or_of_all_files(files, opened):
    content = (files / "tiny.onnx").read_bytes()
    model = opened(files / "tiny.onnx")
    assert (model.sha256, model.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    below = sorted(
        path.relative_to(files / "tiny").as_posix() for path in (files / "tiny").rglob("*") if path.is_file()
    )
    every = [name.encode() + b"\0" + (files / "tiny" / name).read_bytes() + b"\0" for name in below]
    folder = opened(files / "tiny")
    assert folder.sha256 == hashlib.sha256(b"".join(every)).hexdigest()
    assert folder.bytes == sum((files / "tiny" / name).stat().st_size for name in below)


def test_digest_of_a_function_has_the_files_that_it_imports(tmp_path, opened):
    (tmp_path / "beside.py").write_text("SCALE = 1.0\n")
    (tmp_path / "own.py").write_text(
        "import numpy as np\nfrom beside import SCALE\n"
        "def answer(images):\n    return np.ones((len(images), 7)) * SCALE\n"
    )
    first = opened(tmp_path / "own.py:answer")
    (tmp_path / "beside.py").write_text("SCALE = 2.0\n")
    second = opened(tmp_path / "own.py:answer")
    assert first.sha256 != second.sha256
    assert second.ask(np.zeros((2, 8, 8, 3), np.float32)).tolist() == [[2.0] * 7] * 2


def test_the_function_may_be_in_the_address_alone(files, registry):
    model = open_file(files / "mine.py", address="models/mine.py:answer", trust=False, registry=registry)
    assert (model.format, model.name) == ("callable", "models/mine.py:answer")


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("own.py:anwser", "def answer(images): ...", "did you mean 'answer'"),
        ("own.py", "def answer(images): ...", "names no function"),
        ("own.py:answer", "import no_such_module", "ModuleNotFoundError"),
        ("own.py:answer", "def answer(:", "SyntaxError"),
    ],
)
def test_python_files_without_the_function(name, body, said, tmp_path, refused):
    (tmp_path / "own.py").write_text(body)
    assert said in refused(tmp_path / name, files=False)


def test_a_file_is_known_by_what_it_holds(tmp_path, files, opened):
    shutil.copy(files / "tiny.h5", tmp_path / "model.keras")
    shutil.copy(files / "tiny.keras", tmp_path / "model.bin")
    assert opened(tmp_path / "model.keras").format == "keras-h5"
    assert opened(tmp_path / "model.bin").format == "keras"


def test_layers_of_our_own_need_no_trust(tmp_path, opened):
    own = InputNormalization()
    images = keras.Input((8, 8, 3))
    keras.Model(images, keras.layers.Flatten()(own(images))).save(tmp_path / "own.keras")
    own.mean.assign(3.0)
    keras.Model(images, keras.layers.Flatten()(own(images))).save(tmp_path / "own.h5")
    ones = np.ones((1, 8, 8, 3), np.float32)
    assert opened(tmp_path / "own.keras").ask(ones).mean() == 1
    assert opened(tmp_path / "own.h5").ask(ones).mean() == -2


def test_lambda_layers_load_with_trust(tmp_path, opened):
    images = keras.Input((8, 8, 3))
    network = keras.Model(images, keras.layers.Flatten()(keras.layers.Lambda(lambda x: x * 2)(images)))
    network.save(tmp_path / "mine.keras")
    model = opened(tmp_path / "mine.keras", trust=True)
    assert model.ask(np.ones((1, 8, 8, 3), np.float32)).sum() == 2 * 8 * 8 * 3


def test_signatures_and_tensors_that_are_no_classifier(tmp_path, make, refused):
    images = keras.Input((8, 8, 3))
    two = keras.Model(images, [keras.layers.Flatten()(images), keras.layers.GlobalAveragePooling2D()(images)])
    two.save(tmp_path / "two.keras")
    assert "answers with 2 tensors" in refused(tmp_path / "two.keras")
    make.folder(two, tmp_path / "two")
    assert "it answers with output_0 ? x 192, output_1 ? x 3" in refused(tmp_path / "two")
    words = keras.Input((8,))
    keras.Model(words, keras.layers.Dense(2)(words)).save(tmp_path / "flat.h5")
    assert "takes 1 tensors of shape 8" in refused(tmp_path / "flat.h5")


def test_a_model_that_fails_when_asked(tmp_path, asked):
    (tmp_path / "own.py").write_text("def answer(images):\n    raise RuntimeError('no weights')\n")
    with pytest.raises(ModelFileError, match=r"'own.py:answer' fails on images of 24 .*RuntimeError: no weights"):
        asked(tmp_path / "own.py:answer")
    (tmp_path / "own.py").write_text("import numpy as np\ndef answer(images):\n    return np.zeros(7)\n")
    with pytest.raises(
        ModelFileError, match=r"with an array of shape \(7,\); expected \(24, classes\)|of shape \(7,\)"
    ):
        asked(tmp_path / "own.py:answer")


def test_tensorflow_is_not_imported_for_onnx_and_tflite():
    import subprocess
    import sys

    code = (
        "import sys; import fer_audit.model_files.open_file, fer_audit.model_files.onnx_file, "
        "fer_audit.model_files.tflite_file, fer_audit.model_files.outside_model; "
        "assert not {'tensorflow', 'keras', 'onnxruntime'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert tf.__name__ in sys.modules
