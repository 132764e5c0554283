"""Grad-CAM against closed forms, planted evidence, and itself on the same network written otherwise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_audit.explain.agreement import flip_agreement
from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.faithfulness import deletion_insertion
from fer_audit.explain.feature_maps import best_map, feature_maps
from fer_audit.explain.grad_cam import GradCam
from fer_audit.explain.localisation import heat_inside
from fer_audit.explain.random_maps import random_maps
from fer_audit.explain.row_measures import class_probabilities
from fer_audit.explain.upsampling import upsampled
from fer_audit.registry import Registry
from fer_audit.training.fused_batch_norm import fuse_batch_norms
from fer_audit.training.trimmed_convolution import trim_convolutions

REGISTRY = Registry.load([])
SIDE, CLASSES = 16, 3
CORNER = (slice(1, 6), slice(9, 15))


def rows(count=9, side=SIDE):
    rng = np.random.default_rng(count)
    return rng.integers(0, 256, (count, side, side, 3), np.uint8), np.arange(count) % CLASSES


def randomised(network, seed=0):
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return network


def layers():
    return [
        keras.layers.Rescaling(1 / 255, name="scale"),
        keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
        keras.layers.Conv2D(5, 3, strides=2, padding="same", activation="tanh", name="second"),
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dense(CLASSES, name="logits"),
    ]


def chained(x, chain):
    for layer in chain:
        x = layer(x)
    return x


def flat():
    image = keras.Input((SIDE, SIDE, 3), name="images")
    return keras.Model(image, chained(image, layers()))


def sequential():
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), *layers()])


def nested():
    image = keras.Input((SIDE, SIDE, 3))
    part = keras.Input((SIDE, SIDE, 3))
    functional = keras.Model(part, chained(part, layers()[:2]), name="functional")
    return keras.Model(
        image, keras.Sequential(layers()[3:], name="head")(keras.Sequential([functional, layers()[2]])(image))
    )


class Subclassed(keras.Model):
    """The same by hand; source: this test."""

    def __init__(self):
        super().__init__()
        self.chain = layers()

    def call(self, images):
        return chained(images, self.chain)


def subclassed():
    network = Subclassed()
    network(np.zeros((1, SIDE, SIDE, 3), np.float32))
    return network


def subclassed_inside():
    image = keras.Input((SIDE, SIDE, 3))
    return keras.Model(image, subclassed()(image))


@pytest.mark.parametrize("chosen", ["first", "second"])
def test_with_average_pooling_and_a_dense_layer_it_is_cam(chosen):
    # Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, eq. 2, after a ReLU.
    image = keras.Input((SIDE, SIDE, 3))
    last = {"first": layers()[:2], "second": layers()[:3]}[chosen]
    features = chained(image, last)
    network = randomised(keras.Model(image, chained(features, layers()[3:])))
    images, classes = rows()
    a = np.array(keras.Model(image, features)(images.astype(np.float32)))
    w = np.array(network.get_layer("logits").kernel)
    cam = np.maximum(np.einsum("nhwk,kn->nhw", a, w[:, classes]), 0)
    cam[np.abs(cam) < 1e-6 * np.abs(cam).max()] = 0
    found = GradCam(network)
    assert (found.layer, found.map_shape) == (chosen, cam.shape[1:])
    np.testing.assert_allclose(found(images, classes), upsampled(cam, SIDE, SIDE), atol=1e-5)


def test_before_the_pooling_the_weights_are_mean_gradients():
    # An independent route: gradients of each logit by differences of the layers behind the map.
    network = randomised(flat())
    images, classes = rows(2)
    front = keras.Model(network.input, network.get_layer("first").output)
    back = keras.Input((SIDE, SIDE, 6))
    behind = keras.Model(back, chained(back, network.layers[3:]))
    a = np.array(front(images.astype(np.float32)), np.float32)
    alpha = np.zeros((2, 6))
    for k in range(6):
        # The mean over places of the gradient is the slope along an even change of channel k, over the places.
        change = np.zeros_like(a)
        change[..., k] = 1e-2
        slope = (np.array(behind(a + change)) - np.array(behind(a - change))) / 2e-2
        alpha[:, k] = slope[np.arange(2), classes] / SIDE**2
    expected = upsampled(np.maximum(np.einsum("nhwk,nk->nhw", a, alpha), 0).astype(np.float32), SIDE, SIDE)
    assert expected.any(axis=(1, 2)).all()
    np.testing.assert_allclose(GradCam(network, "first")(images, classes), expected, atol=0.01)


@pytest.mark.parametrize("build", [sequential, nested, subclassed, subclassed_inside])
@pytest.mark.parametrize("layer", [None, "first"])
def test_the_same_network_has_the_same_maps_however_it_is_written(build, layer):
    plain, other = randomised(flat()), randomised(build())
    for one, weight in zip(plain.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, weight)
    images, classes = rows()
    shape = (SIDE, SIDE, 3)
    expected, found = GradCam(plain, layer), GradCam(other, layer, image_shape=shape)
    assert (found.layer, found.map_shape) == (expected.layer, expected.map_shape)
    np.testing.assert_allclose(found(images, classes), expected(images, classes), atol=1e-6)


def test_batches_of_any_size_give_the_same_maps(monkeypatch):
    images, classes = rows(9)
    found = GradCam(randomised(flat()))
    whole = found(images, classes)
    assert whole.dtype == np.float32
    assert set(whole.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    assert whole.min() == 0
    for count in (1, 2, 5):
        monkeypatch.setattr("fer_audit.explain.grad_cam._PIXELS", count * SIDE**2)
        np.testing.assert_allclose(found(images, classes), whole, atol=1e-6)
    assert found(images[:0], classes[:0]).shape == (0, SIDE, SIDE)


def test_each_row_is_explained_for_its_class():
    images, _ = rows(2)
    found = GradCam(randomised(flat()))
    same = np.repeat(images[:1], CLASSES, axis=0)
    maps = found(same, np.arange(CLASSES))
    for c in range(CLASSES):
        np.testing.assert_allclose(maps[c], found(images[:1], np.array([c]))[0], atol=1e-6)
    assert np.abs(maps[0] - maps[1]).max() > 0.1


def test_the_network_is_untouched():
    network = randomised(flat())
    images, classes = rows()
    logits = np.array(network(images.astype(np.float32)))
    weights = network.get_weights()
    GradCam(network)(images, classes)
    np.testing.assert_array_equal(network(images.astype(np.float32)), logits)
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)
    assert all("call" not in vars(layer) for layer in network._flatten_layers())


def test_maps_follow_the_weights_without_a_new_trace():
    network = randomised(flat())
    found, (images, classes) = GradCam(network), rows()
    before = found(images, classes)
    randomised(network, seed=1)
    after = found(images, classes)
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_allclose(after, GradCam(network)(images, classes), atol=1e-6)


def test_a_layer_that_runs_twice_is_explained_at_its_last_run():
    shared = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(image)
    last = shared(shared(x))
    network = randomised(keras.Model(image, chained(last, layers()[3:])))
    images, classes = rows()
    a = np.array(keras.Model(image, last)(images.astype(np.float32)))
    w = np.array(network.get_layer("logits").kernel)
    cam = np.maximum(np.einsum("nhwk,kn->nhw", a, w[:, classes]), 0)
    np.testing.assert_allclose(GradCam(network)(images, classes), upsampled(cam, SIDE, SIDE), atol=1e-5)


def test_only_what_goes_through_a_named_layer_counts():
    # The layer returns what it was given, which reaches the logits on another way too.
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(image)
    y = keras.layers.Dropout(0.5, name="branch")(x)
    pooled = keras.layers.Concatenate()(
        [keras.layers.GlobalAveragePooling2D()(y), keras.layers.GlobalAveragePooling2D()(x)]
    )
    network = randomised(keras.Model(image, keras.layers.Dense(CLASSES, name="logits")(pooled)))
    images, classes = rows()
    a = np.array(keras.Model(image, x)(images.astype(np.float32)))
    w = np.array(network.get_layer("logits").kernel)
    for name, weights in (("branch", w[:4]), ("first", w[:4] + w[4:])):
        cam = np.maximum(np.einsum("nhwk,kn->nhw", a, weights[:, classes]), 0)
        np.testing.assert_allclose(GradCam(network, name)(images, classes), upsampled(cam, SIDE, SIDE), atol=1e-4)


def planted():
    """A network whose logit 1 is the brightness of one corner, and whose logit 0 is that of nothing."""
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(2, 1, use_bias=False, name="bright")(image)
    corner = keras.layers.Cropping2D(((1, SIDE - 6), (9, SIDE - 15)), name="corner")(x)
    network = keras.Model(image, keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling2D()(corner)))
    kernel, dense = np.zeros((1, 1, 3, 2)), np.zeros((2, 2))
    kernel[..., 0] = 1 / 3 / 255
    dense[0, 1] = 20
    network.set_weights([kernel, dense, np.array([0, -16])])
    return network


def test_heat_lies_on_planted_evidence_and_is_worth_more_than_noise():
    network = planted()
    images = np.random.default_rng(0).integers(0, 40, (12, SIDE, SIDE, 3), np.uint8)
    images[:, *CORNER] = 255
    masks = np.zeros((12, SIDE, SIDE), bool)
    masks[:, *CORNER] = True
    classes = np.ones(12, np.int64)

    def probability(changed, of):
        return class_probabilities(np.array(network(changed.astype(np.float32))), of)

    maps, noise = GradCam(network, "bright")(images, classes), random_maps(12, (7, 7), (SIDE, SIDE), 0)
    assert heat_inside(maps, masks).min() > 0.55 > 0.2 > heat_inside(noise, masks).mean()
    deletion, insertion = deletion_insertion(probability, images, maps, classes, 16)
    deletion_noise, insertion_noise = deletion_insertion(probability, images, noise, classes, 16)
    assert deletion.max() < 0.09 < deletion_noise.min()
    assert deletion.mean() < deletion_noise.mean() / 3
    assert insertion.min() > 0.9 > insertion_noise.max()
    assert insertion_noise.mean() < 0.6


def test_a_mirror_symmetric_network_agrees_with_itself():
    image = keras.Input((SIDE, SIDE, 3))
    scale, first, _, *head = layers()
    # With a stride, padding has a side.
    second = keras.layers.Conv2D(5, 3, padding="same", activation="tanh", name="second")
    network = randomised(keras.Model(image, chained(image, [scale, first, second, *head])))
    for name in ("first", "second"):
        kernel = network.get_layer(name).kernel
        kernel.assign((kernel + kernel[:, ::-1]) / 2)
    images, classes = rows()
    found = GradCam(network)
    maps, mirrored = found(images, classes), found(images[:, :, ::-1], classes)
    seen = maps.any(axis=(1, 2))
    assert seen.sum() >= 5
    np.testing.assert_allclose(flip_agreement(maps, mirrored)[seen], 1, atol=1e-4)


def test_what_cannot_be_explained_is_refused():
    image = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(4, 4, name="only")(image)
    with pytest.raises(ExplanationError, match="every map of this network is 1x1"):
        GradCam(keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x))))
    with pytest.raises(ExplanationError, match="needs a layer whose output is a map"):
        GradCam(keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image))))
    with pytest.raises(ExplanationError, match="no layer is called 'secnd'; did you mean 'second'"):
        GradCam(flat(), "secnd")
    with pytest.raises(ExplanationError, match="layer 'pool' gives no map"):
        GradCam(flat(), "pool")
    with pytest.raises(ExplanationError, match="does not state the shape of its images"):
        GradCam(subclassed())


class Ignoring(keras.layers.Layer):
    """A layer that computes a map and passes on another; source: this test."""

    def __init__(self):
        super().__init__()
        self.unused = keras.layers.Conv2D(2, 3, padding="same", name="unused")

    def call(self, x):
        self.unused(x)
        return keras.ops.mean(x, axis=(1, 2))


def test_a_layer_that_the_logits_ignore_is_refused():
    image = keras.Input((SIDE, SIDE, 3))
    network = keras.Model(image, keras.layers.Dense(2)(Ignoring()(image)))
    with pytest.raises(ExplanationError, match="the logits do not depend on layer 'unused'"):
        GradCam(network)
    assert all("call" not in vars(layer) for layer in network._flatten_layers())


# At 48 px: the layer, and the side of its map. Keras numbers some layers build by build; these have no name here.
CHOSEN = {
    "efficientface": ("stage1_unit1_right1_relu", 12),
    "efficientnet-b0": ("block3a_expand_activation", 12),
    "ghostface": ("fused4_1_relu", 12),
    "ghostface-origin": ("fused4_1_relu", 12),
    "mini-xception": ("module64_2_bn", 11),
    "mobilenet-v2": ("block_3_expand_relu", 12),
    "mobilenet-v3-small": (None, 12),
    "resnet-18": ("stage3_block2_relu", 12),
}


@pytest.mark.parametrize("name", REGISTRY.names("model"))
def test_models_of_the_registry_are_explained_as_a_program_has_them(name):
    network = REGISTRY.create("model", name).create((48, 48, 3), 7)
    fuse_batch_norms(network)
    trim_convolutions(network)
    found = GradCam(network)
    layer, side = CHOSEN[name]
    assert found.layer == (layer or found.layer)
    assert found.map_shape == (side, side)
    maps = found(rows(2, 48)[0], np.array([0, 6]))
    assert maps.shape == (2, 48, 48)
    assert np.isfinite(maps).all()
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}


def test_ghostface_is_not_explained_by_a_gate():
    # The gates of its triplet attention are as large, but have rows and channels for axes, and come later at 48 px.
    maps = feature_maps(REGISTRY.create("model", "ghostface").create((96, 96, 3), 7), (96, 96, 3))
    assert {one.channels for one in maps if "_attention_" in one.name} == {1}
    chosen = best_map(maps)
    assert (chosen.name, chosen.height, chosen.width) == ("ghost1_add", 12, 12)


def test_a_fused_network_has_the_maps_of_the_plain_one():
    network = REGISTRY.create("model", "mini-xception").create((48, 48, 3), 7)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.name in ("gamma", "beta"):
            weight.assign(weight + rng.uniform(0, 0.5, weight.shape))
    images, classes = rows(4, 48)
    plain = GradCam(network)(images, classes)
    assert fuse_batch_norms(network) > 0
    assert trim_convolutions(network) > 0
    np.testing.assert_allclose(GradCam(network)(images, classes), plain, atol=1e-4)


def test_half_precision_is_explained():
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        network = flat()
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    precise = randomised(flat())
    randomised(network)
    images, classes = rows()
    assert tf.as_dtype(network.get_layer("second").compute_dtype) == tf.bfloat16
    maps, expected = GradCam(network)(images, classes), GradCam(precise)(images, classes)
    assert maps.dtype == np.float32
    assert np.median(np.abs(maps - expected)) < 0.05
