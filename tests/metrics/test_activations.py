import keras
import pytest

from fer_audit.errors import PluginError
from fer_audit.metrics.activations import ActivationBytes, activation_bytes

L = keras.layers


def test_a_chain_holds_two_neighbours():
    inputs = keras.Input((10,))  # 40 bytes
    model = keras.Model(inputs, L.Dense(5)(L.Dense(30)(L.Dense(20)(inputs))))  # 80, 120, 20
    assert activation_bytes(model) == ActivationBytes(peak=80 + 120, outputs=80 + 120 + 20)


def test_a_shortcut_is_held_until_it_is_added():
    inputs = keras.Input((10,))
    x = L.Dense(10)(L.Dense(100)(L.Dense(50)(inputs)))  # 200, 400, 40
    assert activation_bytes(keras.Model(inputs, x)).peak == 200 + 400
    assert activation_bytes(keras.Model(inputs, L.Add()([inputs, x]))).peak == 40 + 200 + 400


def test_outputs_stay_and_what_nobody_wants_goes():
    class Two(L.Layer):
        def call(self, inputs):
            return inputs, keras.ops.concatenate([inputs, inputs], axis=-1)

    inputs = keras.Input((10,))
    first, _ = Two()(inputs)  # 40 and 80, the latter unused
    wide = L.Dense(200)(first)  # 800
    assert activation_bytes(keras.Model(inputs, wide)).peak == 40 + 800
    # As an output, `first` is held, but the image is not.
    end = L.Dense(1)(L.Dense(200)(wide))
    assert activation_bytes(keras.Model(inputs, [first, end])).peak == 40 + 800 + 800


def test_a_model_inside_is_opened():
    body = keras.Sequential([keras.Input((10,)), L.Dense(100), L.Dense(10)])
    inputs = keras.Input((10,))
    model = keras.Model(inputs, L.Add()([body(inputs), inputs]))
    assert activation_bytes(body) == ActivationBytes(peak=440, outputs=440)
    assert activation_bytes(model) == ActivationBytes(peak=40 + 440, outputs=440 + 40)


def test_bytes_follow_the_dtype():
    def model(dtype):
        inputs = keras.Input((8, 8, 3), dtype="uint8")
        return keras.Model(inputs, L.Rescaling(2.0, dtype=dtype)(inputs))

    assert activation_bytes(model("float32")) == ActivationBytes(192 + 768, 768)
    assert activation_bytes(model("float16")) == ActivationBytes(192 + 384, 384)
    assert activation_bytes(model("bfloat16")) == ActivationBytes(192 + 384, 384)


def test_an_open_size_is_refused():
    inputs = keras.Input((None, None, 3))
    with pytest.raises(PluginError, match="build it for one size"):
        activation_bytes(keras.Model(inputs, L.ReLU()(inputs)))
