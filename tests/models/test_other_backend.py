"""The models on another Keras backend: plain layers, the same numbers."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("jax", reason="jax is not installed; pip install '.[dev]' brings it")

#: Builds each model with weights that any backend can make, and prints its logits.
SCRIPT = """
import json, sys
import keras, numpy as np
from fer_audit.registry import Registry

registry = Registry.load([])
images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")
found = {}
for name in sys.argv[1:]:
    network = registry.create("model", name).create((32, 32, 3), 7)
    for number, weight in enumerate(network.weights):
        rng = np.random.default_rng([number, *weight.path.encode()])
        if weight.dtype == "float32":
            weight.assign(rng.uniform(0.5, 1.5, weight.shape) / max(1, np.prod(weight.shape[:-1])) ** 0.5)
    found[name] = np.array(network(images, training=False)).tolist()
network.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
found["losses"] = [float(network.train_on_batch(images, np.eye(7)[:4])) for _ in range(3)]
print(json.dumps([keras.backend.backend(), found]))
"""

#: Own layers and ops; separable convolutions. The last one is also trained.
MODELS = ["ghostface", "mini-xception"]


def answers(backend):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *MODELS], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    used, found = json.loads(done.stdout.splitlines()[-1])
    assert used == backend
    return found


@pytest.mark.release
def test_models_compute_and_train_the_same_on_jax():
    tensorflow, jax = answers("tensorflow"), answers("jax")
    for name in MODELS:
        ours, theirs = np.array(tensorflow[name]), np.array(jax[name])
        assert np.ptp(ours) > 0
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-3 * np.abs(ours).max(), err_msg=name)
    assert tensorflow["losses"][0] != tensorflow["losses"][-1]
    np.testing.assert_allclose(jax["losses"], tensorflow["losses"], rtol=1e-3)
