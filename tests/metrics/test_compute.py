import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_audit.errors import PluginError
from fer_audit.metrics.compute import ComputeCount, Latency, count, measure_latency

L = keras.layers
PROJECT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("FER_AUDIT_GOLDEN", PROJECT.parent / "shared" / "golden")) / "compute.json"
APPLICATIONS = json.loads(GOLDEN.read_text())["keras_applications"] if GOLDEN.is_file() else []
# Another number of classes only widens the last layer: one network of a family shows it.
APPLICATIONS_AND_CLASSES = [
    (entry, classes) for entry in APPLICATIONS for classes in (7, 1000) if classes == 7 or "Mobile" in entry["model"]
]

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


@pytest.mark.skipif(not APPLICATIONS, reason=f"no golden data at {GOLDEN}; set FER_AUDIT_GOLDEN to its folder")
@pytest.mark.parametrize(
    ("entry", "classes"),
    APPLICATIONS_AND_CLASSES,
    ids=lambda value: value["model"] if isinstance(value, dict) else None,
)
def test_keras_applications_are_golden(entry, classes):
    model = getattr(keras.applications, entry["model"])(weights=None, input_shape=(224, 224, 3), classes=classes)
    expected = [entry[f"{key}_{classes}"] for key in ("params", "trainable_params", "macs_conv_dense")]
    assert count(model) == ComputeCount(*expected)


def test_latency_is_of_one_image_and_leaves_the_warmup_out():
    seen = []
    latency = measure_latency(lambda images: seen.append(images) or images, (4, 6, 3), runs=10, warmup=3)
    assert len(seen) == 13
    assert (seen[0].shape, seen[0].dtype) == ((1, 4, 6, 3), np.uint8)
    assert isinstance(latency, Latency)
    assert 0 <= latency.p50_ms <= latency.p95_ms
    assert latency.runs == 10


def test_latency_of_a_network():
    p50, p95, runs = measure_latency(through(L.Conv2D(4, 3), (8, 8, 3)), (8, 8, 3), runs=2, warmup=1)
    assert 0 < p50 <= p95
    assert runs == 2
    with pytest.raises(ValueError, match="expected runs >= 1, got 0"):
        measure_latency(np.asarray, (8, 8, 3), runs=0)


def test_counting_imports_neither_keras_nor_tensorflow():
    code = "import sys, fer_audit.metrics.compute; sys.exit(any(n in sys.modules for n in ('keras', 'tensorflow')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
