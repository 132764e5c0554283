"""TensorFlow's profiler, against counts by hand and the released count of GhostFace."""

import json
import os
from pathlib import Path

import keras
import pytest

from fer_audit.metrics.claims import check_claim
from fer_audit.metrics.compute import count
from fer_audit.metrics.published import PUBLISHED
from fer_audit.models import ghostface
from fer_audit.training.profiler import FloatOps, profile

L = keras.layers
GOLDEN = Path(os.environ.get("FER_AUDIT_GOLDEN", Path(__file__).parents[3] / "shared" / "golden")) / "compute.json"


def through(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize(
    ("layer", "shape", "profiler", "keras_flops"),
    [
        (L.Dense(7, use_bias=False), (5,), 2 * 5 * 7, 2 * 5 * 7),
        (L.Conv2D(4, 3, padding="same"), (8, 6, 2), 8 * 6 * 4 * (2 * 9 * 2 + 1), 8 * 6 * 4 * (2 * 9 * 2 + 1)),
        (L.DepthwiseConv2D(3, padding="same", use_bias=False), (8, 6, 2), 2 * 8 * 6 * 2 * 9, 2 * 8 * 6 * 2 * 9),
        (L.BatchNormalization(), (8, 6, 2), 0, 2 * 8 * 6 * 2 + 6 * 2),
        (L.Lambda(lambda x: keras.ops.max(x, axis=-1)), (8, 6, 5), 0, 8 * 6 * 4),
    ],
    ids=["dense", "convolution", "depthwise", "batch norm", "max"],
)
def test_float_operations_by_hand(layer, shape, profiler, keras_flops):
    assert profile(through(layer, shape), shape) == FloatOps(profiler, keras_flops)


def test_the_profiler_is_blind_to_grouped_convolutions():
    model = through(L.Conv2D(4, 3, groups=2, padding="same", use_bias=False), (8, 8, 6))
    assert profile(model, (8, 8, 6)).profiler < count(model).flops


def test_profiling_is_silent_and_leaves_the_network_as_it_was(capfd):
    model = through(L.BatchNormalization(), (8, 6, 2))
    before = [type(layer) for layer in model.layers]
    profile(model, (8, 6, 2))
    assert [type(layer) for layer in model.layers] == before
    assert capfd.readouterr() == ("", "")


def released_attention(x, swapped, name):
    """Triplet attention as the paper has it: the map is turned, gated and turned back, three times, then averaged."""
    branches = []
    for branch, there, back in (
        ("hw", (0, 1, 2, 3), (0, 1, 2, 3)),
        ("hc", (0, 1, 3, 2), (0, 1, 3, 2)),
        ("ch", (0, 3, 1, 2), (0, 2, 3, 1)),
    ):
        turned = keras.ops.transpose(x, there)
        gate = ghostface._gate(ghostface._pool(turned, axis=3), name=f"{name}_{branch}")
        branches.append(keras.ops.transpose(turned * gate, back))
    return (branches[0] + branches[1] + branches[2]) / 3


def test_the_released_count_of_ghostface_is_that_of_its_released_layout(monkeypatch):
    """The published count is reproduced to the unit; our layout of the same network needs 767,017 operations less."""
    shape = (224, 224, 3)
    ours = profile(ghostface.GhostFaceOrigin().create(shape, 7), shape)
    monkeypatch.setattr(ghostface, "_triplet_attention", released_attention)
    released = ghostface.GhostFaceOrigin().create(shape, 7)
    assert count(released).macs == 64_673_166
    assert profile(released, shape) == FloatOps(131_921_307, 134_655_852)
    assert ours.keras_flops == 134_655_852 - 767_017


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"no golden data at {GOLDEN}; set FER_AUDIT_GOLDEN to its folder")
def test_published_counts_are_those_of_the_golden_claim():
    golden = json.loads(GOLDEN.read_text())
    released, theirs = golden["fer_models"]
    claim = golden["claims"][0]
    assert released["tf_profiler_float_ops_millions"] == 131.921307
    ours, against = PUBLISHED["ghostface-origin"].value, PUBLISHED["efficientface"].value
    assert ours / 1e6 == released["keras_flops_millions"] == claim["numerator"]["value_millions"]
    assert against / 1e6 == theirs["published_flops_millions"] == claim["denominator"]["value_millions"]
    check = check_claim(12.66, 2, {"keras_flops": ours, "macs": 64_673_166}, {"fvcore": against, "macs": 149_730_000})
    (pair,) = check.reproducing
    assert pair.reduction == pytest.approx(claim["value_percent"], abs=5e-5)
    assert not pair.like_units
    assert check.one_unit[0].reduction == pytest.approx(claim["same_unit"]["value_percent"], abs=0.005)
