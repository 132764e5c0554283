"""One table over all models beside the conformance kit: a new model is a new row by being in the registry."""

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fer_audit.errors import PluginError
from fer_audit.metrics.compute import ComputeCount, count
from fer_audit.registry import Registry

REGISTRY = Registry.load()
MODELS = REGISTRY.names("model")
PROJECT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("FER_AUDIT_GOLDEN", PROJECT.parent / "shared" / "golden")) / "compute.json"

# At 224 px and 7 classes: total parameters, trained parameters, MACs.
COSTS = {
    "efficientface": ComputeCount(1_293_405, 1_275_293, 149_728_880),
    "efficientnet-b0": ComputeCount(4_058_538, 4_016_515, 384_543_712),
    "ghostface": ComputeCount(1_285_619, 1_278_130, 64_673_166),
    "ghostface-origin": ComputeCount(1_285_619, 1_278_130, 64_673_166),
    "mini-xception": ComputeCount(58_423, 56_951, 133_990_592),
    "mobilenet-v2": ComputeCount(2_266_951, 2_232_839, 299_503_232),
    "mobilenet-v3-small": ComputeCount(1_537_143, 1_525_031, 55_493_568),
    "resnet-18": ComputeCount(11_189_703, 11_180_103, 1_813_564_928),
}
KERAS_NAMES = {
    "efficientnet-b0": "EfficientNetB0",
    "mobilenet-v2": "MobileNetV2",
    "mobilenet-v3-small": "MobileNetV3Small",
}


@cache
def network(name, size=48, classes=7):
    return REGISTRY.create("model", name).create((size, size, 3), classes)


def images(count, size=48):
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def logits(model, batch):
    return np.asarray(model(batch.astype(np.float32), training=False))


def golden():
    if not GOLDEN.is_file():
        pytest.skip(f"no golden data at {GOLDEN}; set FER_AUDIT_GOLDEN to its folder")
    return json.loads(GOLDEN.read_text())


def test_the_models_are_those_of_the_cost_table():
    assert sorted(COSTS) == MODELS


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_finite_at_224_px(name):
    answer = logits(network(name, 224), images(2, 224))
    assert answer.shape == (2, 7)
    assert answer.dtype == np.float32
    assert np.isfinite(answer).all()


@pytest.mark.parametrize("name", MODELS)
def test_weights_have_stable_unique_names(name):
    paths = [weight.path for weight in network(name).weights]
    again = REGISTRY.create("model", name).create((48, 48, 3), 7)
    assert len(set(paths)) == len(paths)
    assert [weight.path for weight in again.weights] == paths


@pytest.mark.parametrize("name", MODELS)
def test_costs_are_the_published_ones(name):
    assert count(network(name, 224)) == COSTS[name]


@pytest.mark.parametrize("name", sorted(KERAS_NAMES))
def test_costs_of_keras_applications_are_golden(name):
    entry = next(entry for entry in golden()["keras_applications"] if entry["model"] == KERAS_NAMES[name])
    expected = ComputeCount(entry["params_7"], entry["trainable_params_7"], entry["macs_conv_dense_7"])
    assert count(network(name, 224)) == expected


@pytest.mark.parametrize("name", ["ghostface", "ghostface-origin"])
def test_costs_of_ghostface_are_golden(name):
    entry = next(entry for entry in golden()["fer_models"] if entry["model"] == "GhostFace (origin)")
    costs = count(network(name, 224))
    assert (costs.params_total, costs.params_trainable) == (entry["params_total"], entry["params_trainable"])
    assert costs.macs / 1e6 == pytest.approx(entry["macs_conv_dense_millions"], abs=5e-7)


def test_costs_of_efficientface_are_golden():
    entry = next(entry for entry in golden()["fer_models"] if entry["model"].startswith("EfficientFace"))
    costs = count(network("efficientface", 224))
    assert costs.params_trainable / 1e6 == pytest.approx(entry["params_millions"], abs=5e-7)
    assert costs.macs / 1e6 == pytest.approx(entry["macs_conv_fc_millions"], abs=0.005)


def test_resnet_18_costs_what_the_reference_implementation_does():
    costs = count(network("resnet-18", 224, 1000))
    assert (costs.params_trainable, costs.macs) == (11_689_512, 1_814_073_344)


def test_an_image_that_is_too_small_is_refused_with_the_least_size():
    with pytest.raises(PluginError, match="needs images of at least 5x5 px, received 5x4"):
        REGISTRY.create("model", "mini-xception").create((5, 4, 3), 7)


@pytest.mark.parametrize(
    ("size", "stem", "stride"), [(48, "auto", 1), (96, "auto", 2), (96, "small", 1), (48, "imagenet", 2)]
)
def test_resnet_18_chooses_its_stem(size, stem, stride):
    model = REGISTRY.create("model", "resnet-18", {"stem": stem}).create((size, size, 3), 7)
    assert model.get_layer("stem_conv").strides == (stride, stride)


def test_norm_momentum_reaches_every_batch_normalisation():
    model = REGISTRY.create("model", "mobilenet-v2", {"norm_momentum": 0.5}).create((32, 32, 3), 7)
    assert {layer.momentum for layer in model.layers if hasattr(layer, "moving_mean")} == {0.5}


def test_mini_xception_sees_luminance_only():
    grey = np.repeat(images(2)[..., :1], 3, axis=-1).astype(np.float32)
    tinted = grey + np.array([0.587, -0.2989, 0.0], dtype=np.float32) * 20
    answers = [np.asarray(network("mini-xception")(batch)) for batch in (grey, tinted)]
    np.testing.assert_allclose(*answers, atol=1e-5)


def test_listing_models_imports_neither_keras_nor_tensorflow():
    code = (
        "import sys; from fer_audit.registry import Registry; Registry.load().names('model'); "
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("path", sorted((PROJECT / "fer_audit" / "models").rglob("*.py")), ids=lambda path: path.name)
def test_models_are_written_for_every_backend(path):
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.partition(".")[0] for name in imported} & {"jax", "tensorflow", "torch"}
