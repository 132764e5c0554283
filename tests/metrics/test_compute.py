import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_audit.errors import PluginError
from fer_audit.metrics.compute import ComputeCount, count, fvcore, layers, measure_speed
from fer_audit.registry import Registry
from fer_audit.training.profiler import profile

L = keras.layers
PROJECT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("FER_AUDIT_GOLDEN", PROJECT.parent / "shared" / "golden")) / "compute.json"
TABLE = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {"keras_applications": [], "fer_models": []}
no_golden = pytest.mark.skipif(
    not TABLE["fer_models"], reason=f"no golden data at {GOLDEN}; set FER_AUDIT_GOLDEN to its folder"
)

# layer, input shape, MACs by hand
LAYERS = [
    (L.Conv2D(4, 3, padding="same"), (8, 6, 2), 8 * 6 * 9 * 2 * 4),
    (L.Conv2D(4, 3, strides=2, padding="valid"), (9, 9, 2), 4 * 4 * 9 * 2 * 4),
    (L.Conv2D(4, 3, groups=2, padding="same"), (8, 8, 6), 8 * 8 * 9 * 3 * 4),
    (L.Conv2D(4, 3, dilation_rate=2, padding="same"), (8, 8, 6), 8 * 8 * 9 * 6 * 4),
    (L.Conv1D(4, 5, padding="same"), (10, 3), 10 * 5 * 3 * 4),
    (L.DepthwiseConv2D(3, padding="same"), (8, 8, 6), 8 * 8 * 9 * 6),
    (L.DepthwiseConv2D(3, strides=2, depth_multiplier=4, padding="same"), (8, 8, 6), 4 * 4 * 9 * 6 * 4),
    (L.SeparableConv2D(5, 3, padding="same"), (8, 8, 6), 8 * 8 * (9 * 6 + 6 * 5)),
    (L.Conv2DTranspose(5, 4, strides=2, padding="same"), (8, 8, 3), 8 * 8 * 16 * 3 * 5),
    (L.Dense(7), (5,), 5 * 7),
    (L.Dense(7), (3, 4, 5), 3 * 4 * 5 * 7),
    (L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3)), (6, 5), 6 * 5 * 2 * 3),
    (L.EinsumDense("...x,xy->...y", output_shape=7), (3, 4, 5), 3 * 4 * 5 * 7),
    (L.BatchNormalization(), (8, 8, 3), 0),
    (L.PReLU(), (8, 8, 3), 0),
    (L.MaxPooling2D(), (8, 8, 3), 0),
]


def through(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize(("layer", "shape", "macs"), LAYERS, ids=lambda value: getattr(value, "name", str(value)))
def test_macs_by_hand(layer, shape, macs):
    assert count(through(layer, shape)).macs == macs


def test_parameters_and_flops():
    model = through(L.BatchNormalization(), (8, 8, 3))
    assert count(model) == ComputeCount(params_total=12, params_trainable=6, macs=0)
    dense = count(through(L.Dense(7), (5,)))
    assert (dense.params_total, dense.flops) == (42, 70)


def test_a_shared_layer_counts_each_call_and_its_weights_once():
    left, right, shared = keras.Input((5,)), keras.Input((5,)), L.Dense(7)
    costs = count(keras.Model([left, right], L.Add()([shared(left), shared(right)])))
    assert (costs.params_total, costs.macs) == (42, 70)


def test_a_call_outside_the_model_does_not_count():
    shared = L.Dense(5)
    inputs = keras.Input((5,))
    inner = keras.Model(inputs, shared(inputs))
    shared(shared(keras.Input((5,))))
    assert count(inner).macs == 25


def test_nested_and_sequential_models():
    body = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3, padding="same"), L.GlobalAveragePooling2D()])
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, L.Dense(7)(L.Add()([body(inputs), body(inputs)])))
    assert count(body).macs == 8 * 8 * 9 * 3 * 4
    assert count(model).macs == 2 * 8 * 8 * 9 * 3 * 4 + 4 * 7


def test_a_custom_layer_declares_its_macs():
    class Scores(L.Layer):
        def build(self, input_shape):
            self.table = self.add_weight(shape=(input_shape[-1], 2), name="table")

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.table)

    class Declared(Scores):
        def macs(self, input_shape):
            return input_shape[-1] * 2

    assert count(through(Declared(), (5,))).macs == 10
    with pytest.raises(PluginError, match=r"'scores' \(Scores\) has kernels whose MACs are unknown"):
        count(through(Scores(name="scores"), (5,)))


def test_what_has_no_graph_or_no_size_is_refused():
    class Loose(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(PluginError, match="has no graph to count"):
        count(Loose(name="loose"))
    with pytest.raises(PluginError, match="build the network for one size"):
        count(through(L.Conv2D(4, 3), (None, None, 3)))


def summed(model):
    costs = layers(model)
    return ComputeCount(*(sum(getattr(cost, key) for cost in costs) for key in ComputeCount.__dataclass_fields__))


def test_layers_by_hand():
    inputs = keras.Input((8, 6, 2))
    x = L.Conv2D(4, 3, strides=2, padding="same", name="conv")(inputs)
    x = L.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, L.Dense(7, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    found = [dataclasses.astuple(cost) for cost in layers(model)]
    assert found == [
        ("conv", "Conv2D", (4, 3, 4), 9 * 2 * 4 + 4, 9 * 2 * 4 + 4, 4 * 3 * 9 * 2 * 4, 4 * 4 * 3 * 4),
        ("norm", "BatchNormalization", (4, 3, 4), 16, 8, 0, 4 * 4 * 3 * 4),
        ("pool", "GlobalAveragePooling2D", (4,), 0, 0, 0, 4 * 4),
        ("logits", "Dense", (7,), 4 * 7 + 7, 4 * 7 + 7, 4 * 7, 4 * 7),
    ]
    assert [cost.flops for cost in layers(model)] == [2 * cost.macs for cost in layers(model)]
    assert fvcore(model) == 4 * 3 * 9 * 2 * 4 + 4 * 7 + 2 * 4 * 3 * 4


def test_layers_of_shared_nested_and_frozen_models_add_up():
    body = keras.Sequential([keras.Input((5,)), L.Dense(5, name="first"), L.Dense(5, name="second")], name="body")
    inputs, shared = keras.Input((5,)), L.Dense(5, name="shared")
    model = keras.Model(inputs, L.Add(name="sum")([body(shared(inputs)), body(shared(shared(inputs)))]))
    body.get_layer("first").trainable = False
    costs = layers(model)
    by_name = {name: [cost for cost in costs if cost.name == name] for name in {cost.name for cost in costs}}
    assert [len(by_name[name]) for name in ("shared", "body/first", "body/second", "sum")] == [3, 2, 2, 1]
    # Weights belong to the first call, work to every call.
    assert sorted(cost.params_total for cost in by_name["body/first"]) == [0, 30]
    assert {cost.macs for cost in by_name["shared"]} == {25}
    assert summed(model) == count(model) == ComputeCount(params_total=90, params_trainable=60, macs=7 * 25)


def test_weights_outside_the_graph_are_not_lost():
    class Extra(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(shape=(3,), name="scale")

    inputs = keras.Input((5,))
    model = Extra(inputs, L.Dense(7)(inputs))
    assert summed(model) == count(model) == ComputeCount(45, 45, 35)
    assert layers(model)[-1].name == "(outside the graph)"


@pytest.mark.parametrize("name", ["ghostface", "efficientface", "mobilenet-v3-small"])
def test_layers_of_a_model_add_up(name):
    model = Registry.load().create("model", name).create((48, 48, 3), 7)
    assert summed(model) == count(model)


def of_application(entry, classes):
    return ComputeCount(*(entry[f"{key}_{classes}"] for key in ("params", "trainable_params", "macs_conv_dense")))


def with_seven_classes(model, build):
    """The application for 7 classes; another number of classes only widens a dense head, so that needs no new body."""
    head = model.layers[-1]
    return keras.Model(model.input, L.Dense(7)(head.input)) if isinstance(head, L.Dense) else build(7)


@pytest.mark.parametrize("entry", TABLE["keras_applications"], ids=lambda entry: entry["model"])
def test_keras_applications_are_golden(entry):
    def build(classes):
        return getattr(keras.applications, entry["model"])(
            weights=None, input_shape=(224, 224, 3), classes=classes, classifier_activation="softmax"
        )

    model = build(1000)
    assert count(model) == of_application(entry, 1000)
    assert count(with_seven_classes(model, build)) == of_application(entry, 7)
    operations, expected = profile(model, (224, 224, 3)), entry["tf_profiler_float_ops_1000_millions"]
    if entry["model"] == "ConvNeXtTiny":  # Keras 3 normalises its layers with other operations than Keras 2
        assert expected < operations.profiler / 1e6 < 1.005 * expected
    else:
        assert operations.profiler / 1e6 == pytest.approx(expected, abs=0.0005)
        assert operations.profiler >= count(model).flops
    if entry["keras_flops_0_1_2_1000_millions"] is not None:
        assert operations.keras_flops / 1e6 == pytest.approx(entry["keras_flops_0_1_2_1000_millions"], abs=0.0005)


@no_golden
def test_ghostface_is_golden():
    entry = TABLE["fer_models"][0]
    for name in ("ghostface", "ghostface-origin"):
        costs = count(Registry.load().create("model", name).create((224, 224, 3), entry["classes"]))
        assert (costs.params_total, costs.params_trainable) == (entry["params_total"], entry["params_trainable"])
        assert costs.macs == round(1e6 * entry["macs_conv_dense_millions"])


@no_golden
def test_efficientface_is_golden():
    entry = TABLE["fer_models"][1]
    model = Registry.load().create("model", "efficientface").create((224, 224, 3), entry["classes"])
    assert count(model).params_trainable == round(1e6 * entry["params_millions"])
    assert f"{count(model).macs / 1e6:.2f}" == f"{entry['macs_conv_fc_millions']:.2f}"
    assert f"{fvcore(model) / 1e6:.2f}" == f"{entry['fvcore_millions']:.2f}"


def test_speed_is_of_a_batch():
    seen = []

    def slow(images):
        seen.append(images)
        time.sleep(0.002)
        return images

    speed = measure_speed(slow, (4, 6, 3), batch=32, runs=5, warmup=2)
    assert [(images.shape, images.dtype) for images in seen] == 7 * [((32, 4, 6, 3), np.uint8)]
    assert (speed.batch, speed.runs) == (32, 5)
    assert 2 <= speed.p50_ms <= speed.p95_ms
    assert speed.images_per_s <= 32 / 0.002
    with pytest.raises(ValueError, match="expected batch >= 1, got 0"):
        measure_speed(slow, (4, 6, 3), batch=0)


def test_speed_of_a_network():
    speed = measure_speed(through(L.Conv2D(4, 3), (8, 8, 3)), (8, 8, 3), batch=1, runs=2, warmup=1)
    assert 0 < speed.p50_ms <= speed.p95_ms
    with pytest.raises(ValueError, match="expected runs >= 1, got 0"):
        measure_speed(np.asarray, (8, 8, 3), batch=1, runs=0)


def test_counting_imports_neither_keras_nor_tensorflow():
    code = "import sys, fer_audit.metrics.compute; sys.exit(any(n in sys.modules for n in ('keras', 'tensorflow')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
