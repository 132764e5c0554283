"""Anyone's model asked as one of ours, and what our measures make of its network."""

import keras
import numpy as np
import pytest

from fer_audit.audit_section import Preprocessing
from fer_audit.errors import ModelFileError
from fer_audit.explain.grad_cam import GradCam
from fer_audit.metrics.compute import count
from fer_audit.model_files.opened import Opened
from fer_audit.model_files.outside_model import outside_model
from fer_audit.robustness.adversarial import LossGradient, fgsm

SIDE = 24
CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
#: As FER2013's own order is not: with a class more, and other spellings.
THEIRS = ("Surprised", "neutral", "contempt", "Happy", "fear", "disgust", "Angry", "sad")
PLACES = [6, 5, 4, 3, 1, 7, 0]


def answering(answers, outputs=7, step=0.0):
    """A model that answers every batch by a function of its images."""
    return Opened("onnx", "", 0, (8, 8, 3), outputs, answers, name="m.onnx", output_step=step)


def from_pixel(values):
    """Answers by the first pixel's red: row `red` of `values`."""
    table = np.asarray(values, np.float32)
    return answering(lambda images: table[images[:, 0, 0, 0].astype(int) % len(table)])


def reds(*values):
    images = np.zeros((len(values), 8, 8, 3), np.uint8)
    images[:, 0, 0, 0] = values
    return images


def test_softmax_is_found_and_undone(tmp_path, softmax, asked, images):
    softmax.save(tmp_path / "m.keras")
    model = asked(tmp_path / "m.keras")
    assert model.outputs == "probabilities"
    found = model.logits(images)
    truth = np.asarray(softmax(images.astype(np.float32), training=False))
    np.testing.assert_allclose(np.exp(found), truth, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.exp(found).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(model.network(images.astype(np.float32)), found, atol=1e-4)


def test_probabilities_of_zero_stay_finite():
    model = outside_model(from_pixel(np.eye(7)), Preprocessing(), CLASSES, image_size=8)
    found = model.logits(reds(2))
    assert model.outputs == "probabilities"
    assert found[0, 2] == 0
    assert found[0, 0] == pytest.approx(np.log(np.finfo(np.float32).tiny))
    exponent = np.exp(found - found.max())
    np.testing.assert_array_equal((exponent / exponent.sum()).round(6), np.eye(7)[2:3])


def test_logits_within_0_and_1_are_no_probabilities():
    model = outside_model(from_pixel(np.full((7, 7), 0.2)), Preprocessing(), CLASSES, image_size=8)
    assert model.outputs == "logits"
    np.testing.assert_allclose(model.logits(reds(1)), 0.2)


def test_what_is_declared_is_believed_and_checked():
    ones = np.full((7, 7), 1 / 7)
    declared = Preprocessing(outputs="logits")
    assert outside_model(from_pixel(ones), declared, CLASSES, image_size=8).logits(reds(0))[0, 0] == np.float32(1 / 7)
    model = outside_model(from_pixel(ones * 2), Preprocessing(outputs="probabilities"), CLASSES, image_size=8)
    with pytest.raises(ModelFileError, match=r"^2 of 2 answers of model 'm.onnx' are no probabilities: .*sums to 2;"):
        model.logits(reds(0, 1))


def test_quantised_probabilities_may_sum_to_more():
    values = np.round(np.full((7, 7), 1 / 7) * 256) / 256
    assert abs(values.sum(1) - 1).max() > 1e-3
    exact, coarse = (answering(lambda images: np.repeat(values[:1], len(images), 0), 7, step) for step in (0, 1 / 256))
    assert outside_model(exact, Preprocessing(), CLASSES, image_size=8).outputs == "logits"
    assert outside_model(coarse, Preprocessing(), CLASSES, image_size=8).outputs == "probabilities"


def test_answers_that_are_not_finite():
    values = np.zeros((3, 7))
    values[1, 3], values[2, 0] = np.inf, np.nan
    model = outside_model(from_pixel(values), Preprocessing(outputs="logits"), CLASSES, image_size=8)
    assert model.logits(reds(0, 0)).shape == (2, 7)
    with pytest.raises(ModelFileError, match=r"^2 of 4 answers of model 'm.onnx' are NaN;"):
        model.logits(reds(0, 2, 2, 0))
    with pytest.raises(ModelFileError, match=r"^2 of 3 answers of model 'm.onnx' are NaN or infinite; expected finite"):
        model.logits(reds(1, 2, 0))


def test_batches_are_of_one_size():
    seen = []

    def answers(images):
        seen.append(len(images))
        return images[:, 0, :7, 0]

    model = outside_model(answering(answers), Preprocessing(outputs="logits"), CLASSES, image_size=8)
    images = np.random.default_rng(0).integers(0, 256, (2 * seen[0] + 3, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(model.logits(images), images[:, 0, :7, 0])
    assert len(set(seen)) == 1
    assert len(seen) == 1 + 3


def test_sigmoid_of_one_number_is_refused():
    one = answering(lambda images: images[:, 0, :1, 0], 1)
    with pytest.raises(ModelFileError, match="answers with 1 number an image, as a sigmoid"):
        outside_model(one, Preprocessing(), CLASSES, image_size=8)


def test_functions_get_images_as_they_are(tmp_path, asked, images):
    (tmp_path / "own.py").write_text(
        "import numpy as np\nseen = []\n"
        "def answer(images):\n"
        "    assert images.dtype == np.uint8 and images.shape[1:] == (24, 24, 3)\n"
        "    return images[:, 0, :7, 0].astype(float)\n"
    )
    path = tmp_path / "own.py:answer"
    np.testing.assert_array_equal(asked(path, outputs="logits").logits(images), images[:, 0, :7, 0])
    assert asked(path, size=24).opened.format == "callable"
    with pytest.raises(ModelFileError, match="its preprocessing says colour and scaling; expected none"):
        asked(path, colour="bgr", scaling="0..1")
    with pytest.raises(ModelFileError, match="its preprocessing says size: 48"):
        asked(path, size=48)


def test_images_of_another_size_or_type_are_no_users_mistake():
    model = outside_model(from_pixel(np.zeros((1, 7))), Preprocessing(), CLASSES, image_size=8)
    with pytest.raises(ValueError, match="expected uint8 images"):
        model.logits(np.zeros((1, 9, 9, 3), np.uint8))


PREPROCESSING = {
    "plain": {},
    "bgr": {"colour": "bgr", "scaling": "imagenet"},
    "scaled": {"scaling": "-1..1", "outputs": "logits"},
}


@pytest.mark.parametrize("case", PREPROCESSING)
@pytest.mark.parametrize("side", [SIDE, 40, 17])
def test_network_is_the_same_function(case, side, files, asked):
    model = asked(files / "tiny.keras", side=side, **PREPROCESSING[case])
    images = np.random.default_rng(side).integers(0, 256, (5, side, side, 3), np.uint8)
    assert model.network.input_shape == (None, side, side, 3)
    np.testing.assert_allclose(model.network(images.astype(np.float32)), model.logits(images), atol=2e-3)


def sequential():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(8, activation="softmax"),
        ]
    )


def nested():
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1))
    part = keras.Input((SIDE, SIDE, 1))
    body = keras.Model(part, layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(part)), name="body")
    return keras.Model(
        image, keras.Sequential([layers.GlobalMaxPooling2D(), layers.Dense(8), layers.Softmax()])(body(image))
    )


@pytest.fixture(scope="module", params=["sequential", "nested"])
def grey(request, tmp_path_factory, make, asked):
    """A grey model of eight classes, in an order of its own, that answers with probabilities."""
    network = make.settled({"sequential": sequential, "nested": nested}[request.param]())
    path = tmp_path_factory.mktemp("grey") / "grey.keras"
    network.save(path)
    return network, asked(path, colour="grey", scaling="0..1", named=THEIRS)


def test_order_of_classes_and_grey(grey, images):
    network, model = grey
    luma = (images @ np.array([0.299, 0.587, 0.114]))[..., None] / 255
    truth = np.log(np.asarray(network(luma.astype(np.float32), training=False))[:, PLACES])
    assert model.outputs == "probabilities"
    np.testing.assert_allclose(model.logits(images), truth, atol=1e-4)
    np.testing.assert_allclose(model.network(images.astype(np.float32), training=False), truth, atol=1e-4)


def test_costs_are_counted(grey):
    network, model = grey
    found = count(model.network)
    assert found.params_total == network.count_params()
    assert found.macs == SIDE * SIDE * 9 * 4 + 4 * 8


def test_grad_cam_explains_the_network(grey, images):
    explained = GradCam(model_network := grey[1].network)
    assert explained.map_shape == (SIDE, SIDE)
    heat = explained(images[:4], np.asarray(model_network(images[:4].astype(np.float32))).argmax(1))
    assert heat.shape == (4, SIDE, SIDE)
    assert heat.max() > 0


def test_adversarial_gradients(grey, images):
    gradient = LossGradient(grey[1].network)
    clean = images[:6].astype(np.float32)
    labels = grey[1].logits(images[:6]).argmax(1)
    slope, logits = gradient(clean, labels)
    assert np.abs(slope).max() > 0
    changed = fgsm(gradient, clean, labels, 4.0)
    assert np.abs(changed - clean).max() <= 4
    row = np.arange(6)
    assert (gradient(changed, labels)[1][row, labels] < logits[row, labels]).all()


def test_channels_first_has_no_network(tmp_path, asked):
    image = keras.Input((3, SIDE, SIDE))
    flat = keras.layers.Dense(7)(keras.layers.Flatten()(image))
    keras.Model(image, flat).save(tmp_path / "m.keras")
    model = asked(tmp_path / "m.keras")
    assert model.network is None
    assert model.opened.network is not None


def test_our_own_networks(tmp_path, registry, asked, images):
    network = registry.create("model", "mini-xception").create((SIDE, SIDE, 3), 7)
    network.save(tmp_path / "m.keras")
    model = asked(tmp_path / "m.keras")
    truth = np.asarray(network(images.astype(np.float32), training=False))
    np.testing.assert_allclose(model.logits(images), truth, atol=1e-4)
    assert count(model.network) == count(network)
    assert GradCam(model.network).layer == GradCam(network).layer
