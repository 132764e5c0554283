import keras
import numpy as np
import pytest

from fer_audit.models.layers.input_normalization import InputNormalization


@pytest.fixture
def rows():
    return np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)


def test_adapting_gives_one_mean_and_one_variance(rows):
    layer = InputNormalization()
    layer.adapt_to_rows(rows)
    assert float(layer.mean) == pytest.approx(rows.mean(dtype=np.float64), rel=1e-6)
    assert float(layer.variance) == pytest.approx(rows.var(dtype=np.float64), rel=1e-6)
    assert float(layer.count) == rows.size
    normalised = np.asarray(layer(rows))
    assert (normalised.mean(), normalised.std()) == pytest.approx((0, 1), abs=1e-5)


def test_it_is_the_identity_before_adapting(rows):
    np.testing.assert_array_equal(np.asarray(InputNormalization()(rows)), rows.astype(np.float32))


def test_rows_of_one_value_stay_finite():
    layer = InputNormalization()
    layer.adapt_to_rows(np.full((2, 4, 4, 3), 7, np.uint8))
    np.testing.assert_array_equal(np.asarray(layer(np.full((1, 4, 4, 3), 7, np.uint8))), 0)


def test_a_traced_graph_follows_the_scalars(rows):
    import tensorflow as tf

    layer = InputNormalization()
    layer.build(rows.shape)
    traced = tf.function(layer)
    before = traced(rows.astype(np.float32)).numpy()
    layer.adapt_to_rows(rows)
    after = traced(rows.astype(np.float32)).numpy()
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, np.asarray(layer(rows)), atol=1e-6)


def test_it_is_saved_with_the_network(rows, tmp_path):
    inputs = keras.Input((8, 6, 3))
    model = keras.Model(inputs, InputNormalization(name="normalization")(inputs))
    model.layers[-1].adapt_to_rows(rows)
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(np.asarray(loaded(rows)), np.asarray(model(rows)))
    assert [weight.name for weight in loaded.weights] == ["mean", "variance", "count"]
    assert loaded.trainable_weights == []
