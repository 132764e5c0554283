"""Each check of models catches the fault that it is meant for, and right models pass all."""

import re

import keras
import numpy as np
import pytest

from fer_audit.errors import PluginError
from fer_audit.models.mini_xception import MiniXception
from fer_audit.models.model import Model
from fer_audit.testing import Check, CheckFailed, NotApplicable, Subject, model_checks
from fer_audit.testing.checked_network import restored, settled
from fer_audit.testing.model_checks import CHECKS, result_digest

L = keras.layers


class Tiny(Model):
    """A network of one convolution. Source: this test."""

    name = "tiny"

    def build(self, input_shape, classes):
        images = keras.Input(input_shape, name="images")
        x = self.features(L.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images))
        x = L.GlobalAveragePooling2D(name="pool")(x)
        return keras.Model(images, self.head(x, classes), name=self.name)

    def features(self, x):
        x = L.Conv2D(4, 3, strides=4, padding="same", name="conv")(x)
        return L.Activation("relu", name="relu")(L.BatchNormalization(name="norm")(x))

    def head(self, x, classes):
        return L.Dense(classes, name="logits")(x)


class Softmax(Tiny):
    def head(self, x, classes):
        return L.Softmax(name="probabilities")(super().head(x, classes))


class NeedingFour(Tiny):
    """It needs four pixels, and does not say so."""

    def features(self, x):
        return super().features(L.Conv2D(4, 4, name="first")(x))


class SevenOnly(Tiny):
    def head(self, x, classes):
        return super().head(x, 7)


class Careless(Tiny):
    minimum_size = 8

    def create(self, input_shape, classes):
        return self.build(input_shape, classes)


class ByDeviation(Tiny):
    """A black image has no deviation."""

    def features(self, x):
        centred = x - keras.ops.mean(x, axis=(1, 2, 3), keepdims=True)
        return super().features(centred / keras.ops.std(x, axis=(1, 2, 3), keepdims=True))


class ByBatch(Tiny):
    def features(self, x):
        x = super().features(x)
        return x - keras.ops.mean(x, axis=0, keepdims=True)


class BlindHead(ByBatch):
    """A head of zeros hides at first what the features do."""

    def head(self, x, classes):
        return L.Dense(classes, kernel_initializer="zeros", name="logits")(x)


class Chance(L.Layer):
    """Dropout in inference too."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        return keras.random.dropout(inputs, 0.5, seed=self.generator)


class Wavering(Tiny):
    def features(self, x):
        return Chance(name="chance")(super().features(x))


class Stopped(Tiny):
    def features(self, x):
        return keras.ops.stop_gradient(super().features(x))


class Dead(Tiny):
    def features(self, x):
        dead = L.Conv2D(4, 1, strides=4, name="dead")(x)
        return super().features(x) + L.ReLU(name="never")(-1 - keras.ops.abs(dead))


class Renaming(Tiny):
    built = 0

    def head(self, x, classes):
        Renaming.built += 1
        return L.Dense(classes, name=f"logits{Renaming.built}")(x)


@keras.saving.register_keras_serializable(package="test")
class Scaled(L.Layer):
    """Channels by two factors, which may share their name."""

    def __init__(self, names=("first", "second"), **kwargs):
        super().__init__(**kwargs)
        self.names = tuple(names)
        self.first_initializer = self.second_initializer = keras.initializers.RandomUniform(0.5, 1.5)

    def build(self, input_shape):
        self.factors = [self.add_weight(name=name, shape=input_shape[-1:], initializer="ones") for name in self.names]

    def call(self, inputs):
        return inputs * self.factors[0] + inputs * self.factors[1]

    def get_config(self):
        return {**super().get_config(), "names": self.names}


class WithScale(Tiny):
    """A layer of its own, done right."""

    def features(self, x):
        return Scaled(name="scaled")(super().features(x))


class Namesakes(Tiny):
    def features(self, x):
        return Scaled(names=("first", "first"), name="scaled")(super().features(x))


@keras.saving.register_keras_serializable(package="test")
class Mixed(L.Layer):
    """Channels mixed by a kernel; half of its MACs are declared."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mix_initializer = keras.initializers.GlorotUniform()

    def build(self, input_shape):
        self.mix = self.add_weight(name="mix", shape=(input_shape[-1], input_shape[-1]))

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.mix)

    def macs(self, input_shape):
        return input_shape[1] * input_shape[2] * input_shape[3] ** 2 // 2


class HalfCounted(Tiny):
    def features(self, x):
        return Mixed(name="mixed")(super().features(x))


class Unregistered(L.Layer):
    def call(self, inputs):
        return inputs * 2


class Unsaveable(Tiny):
    def features(self, x):
        return Unregistered(name="twice")(super().features(x))


class WithLambda(Tiny):
    def features(self, x):
        return L.Lambda(lambda y: y * 2, name="twice")(super().features(x))


@keras.saving.register_keras_serializable(package="test")
class Forgetful(L.Layer):
    """Its factor is not in its config."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return L.Layer.get_config(self)


class Halving(Tiny):
    def features(self, x):
        return Forgetful(0.5, name="half")(super().features(x))


class DrawingATable(Tiny):
    def features(self, x):
        return super().features(x) * np.random.default_rng().uniform(0.5, 1.5, (1, 1, 1, 4)).astype(np.float32)


class Nameless(Tiny):
    """A weight without the attribute that says how it starts."""

    class Bare(L.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(name="factor", shape=input_shape[-1:], initializer="ones")

        def call(self, inputs):
            return inputs * self.factor

    def features(self, x):
        return self.Bare(name="bare")(super().features(x))


class Unseeded(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return keras.ops.convert_to_tensor(np.random.default_rng().normal(size=shape), dtype)


class Drawing(Tiny):
    def head(self, x, classes):
        return L.Dense(classes, kernel_initializer=Unseeded(), name="logits")(x)


class Constrained(Tiny):
    def head(self, x, classes):
        return L.Dense(classes, kernel_constraint="non_neg", name="logits")(x)


class Assigning(Tiny):
    class Shrinking(L.Dense):
        def call(self, inputs):
            self.kernel.assign(0.9 * self.kernel)
            return super().call(inputs)

    def head(self, x, classes):
        return self.Shrinking(classes, name="logits")(x)


#: Model -> the check that is meant to catch it, and what it says.
CAUGHT = {
    Softmax: ("answers_are_logits", "expected logits, received probabilities"),
    NeedingFour: ("declared_sizes_are_built", "expected a network for 1 px, received ValueError"),
    SevenOnly: ("declared_sizes_are_built", "must return logits (None, 2), received (None, 7)"),
    Careless: ("smaller_images_are_refused", "expected a PluginError for 7x7 px, a network was built"),
    ByDeviation: ("logits_are_finite", "finite logits of black images in a fresh network, 14 of 14 are not"),
    ByBatch: ("an_image_is_judged_alone", "asked with others they differ by"),
    BlindHead: ("an_image_is_judged_alone", "asked with others they differ by"),
    Wavering: ("an_image_is_judged_alone", "asked again they differ by"),
    Stopped: ("gradients_reach_every_trained_weight", "of weight 'conv/kernel', the logits have none"),
    Dead: ("gradients_reach_every_trained_weight", "other than zero, that of dead/kernel always is"),
    Renaming: ("weights_have_stable_unique_names", "expected the weight ('logits"),
    Namesakes: ("weights_have_stable_unique_names", "scaled/first stands for several"),
    HalfCounted: (
        "counted_macs_are_the_profilers",
        "expected 17,884 MACs (17,884 by the profiler), the layers count 16,732",
    ),
    Unsaveable: (
        "a_saved_network_comes_back",
        "to save and load the network, received TypeError: Could not locate class 'Unregistered'. Make sure",
    ),
    WithLambda: ("a_saved_network_comes_back", "to save and load the network, received ValueError"),
    Halving: ("a_saved_network_comes_back", "expected the same logits of the loaded network"),
    DrawingATable: ("kept_weights_make_the_network_again", "of a network with the kept weights (up to"),
    Nameless: ("a_training_starts_from_its_seed", "give its layer an attribute 'factor_initializer'"),
    Drawing: ("a_training_starts_from_its_seed", "weight 'logits/kernel' for the same seed, received another one"),
    Constrained: ("a_training_step_is_taken", "weight 'logits/kernel' has a constraint, which training"),
    Assigning: ("a_training_step_is_taken", "assigns to the trained weight 'logits/kernel' while it computes"),
}


def checked(name, cls):
    return Check(getattr(model_checks, name), Subject(cls))()


@pytest.mark.parametrize("cls", CAUGHT, ids=lambda cls: cls.__name__)
def test_a_fault_is_caught(cls):
    name, said = CAUGHT[cls]
    with pytest.raises(CheckFailed, match=re.escape(said)):
        checked(name, cls)


def test_every_check_catches_something():
    assert {name for name, _ in CAUGHT.values()} == {rule.__name__ for rule in CHECKS}


@pytest.mark.parametrize("rule", [rule for rule in CHECKS if rule.__name__ != "smaller_images_are_refused"])
@pytest.mark.parametrize("cls", [WithScale, MiniXception])
def test_a_right_model_passes(cls, rule):
    Check(rule, Subject(cls))()


def test_the_least_size_is_kept():
    assert checked("smaller_images_are_refused", MiniXception) == "below 5 px"
    with pytest.raises(NotApplicable, match="minimum_size is 1 px"):
        checked("smaller_images_are_refused", Tiny)


def test_constant_products_are_told_and_not_counted():
    told = checked("counted_macs_are_the_profilers", MiniXception)
    assert told.endswith("; 6,912 more are no layer's, being products without a weight")


class Brightest(Tiny):
    """No kernel at all."""

    def build(self, input_shape, classes):
        images = keras.Input(input_shape)
        grey = L.GlobalMaxPooling2D()(images)[:, :1]
        return keras.Model(images, L.Rescaling(1 / 255)(keras.ops.repeat(grey, classes, axis=1)))


class Recurrent(Tiny):
    class Lines(L.LSTM):
        def macs(self, input_shape):
            return 1

    def features(self, x):
        lines = L.Reshape((-1, 3))(L.MaxPooling2D(16)(x))
        return L.Reshape((1, 1, 4))(self.Lines(4)(lines))


@pytest.mark.parametrize(("cls", "reason"), [(Brightest, "no convolution"), (Recurrent, "run in a loop")])
def test_macs_that_the_profiler_does_not_know_are_no_failure(cls, reason):
    with pytest.raises(NotApplicable, match=reason):
        checked("counted_macs_are_the_profilers", cls)


def test_a_settled_network_has_statistics_and_no_constants():
    network = settled(Subject(WithScale))
    assert all(np.ptp(np.array(weight)) > 0 for weight in network.trainable_variables)
    norm = network.get_layer("norm")
    assert np.array(norm.moving_mean).all()
    assert norm.momentum == 0.99


def test_a_shared_network_is_put_back():
    network = settled(Subject(WithScale))
    before = [np.array(weight) for weight in network.weights]
    with restored(network):
        for weight in network.weights:
            weight.assign(weight + 1)
    for weight, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(np.array(weight), value)


def test_a_digest_shows_another_weight():
    class Larger(Tiny):
        def head(self, x, classes):
            return L.Dense(classes, bias_initializer=keras.initializers.Constant(1e-6), name="logits")(x)

    assert result_digest(Tiny()) == result_digest(Tiny())
    assert result_digest(Tiny()) != result_digest(Larger())


def test_what_a_model_refuses_is_said_in_its_words():
    class Refusing(Tiny):
        def build(self, input_shape, classes):
            raise PluginError("only on Sundays")

    with pytest.raises(CheckFailed, match=r"^only on Sundays$"):
        checked("declared_sizes_are_built", Refusing)
