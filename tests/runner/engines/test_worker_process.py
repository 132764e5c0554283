"""The local engine: what its workers inherit, and what its events say."""

from pathlib import Path

from fer_audit.runner.engines.worker_process import worker_environment


def test_nothing_that_steers_computing_is_inherited(tmp_path):
    inherited = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "OMP_NUM_THREADS": "7",
        "KERAS_BACKEND": "jax",
        "KERAS_HOME": "/home/me/.keras",
    }
    environment = worker_environment(inherited, tmp_path / "keras")
    assert environment["PATH"] == "/bin"
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert "TF_XLA_FLAGS" not in environment
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["KERAS_BACKEND"] == "tensorflow"
    assert Path(environment["KERAS_HOME"]) == tmp_path / "keras"
    assert worker_environment({"PATH": "/bin", "HOME": "/home/me"}, tmp_path / "keras") == environment
