"""The same results on every engine, and on a store that lies elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 120, "test_rows": 40, "population_rows": 0}},
    "models": ["mini-xception"],
    "augmentations": ["none", "own"],
    "attacks": {"membership": ["loss-threshold"]},
    "training": {"image_size": 16, "epochs": 2, "batch_size": 30},
    "privacy": {"references": 4},
    "plugins": ["plug-ins of ours"],
}

#: An augmentation of the user's own, with a helper beside it that it imports: both have to travel.
OWN = '''
"""Turns images upside down."""

from fer_audit.augmentations.augmentation import Augmentation
from turning import turned


class Own(Augmentation):
    """Upside down (no source: a test)."""

    name = "own"

    def apply(self, images, labels, rng):
        """Turns all."""
        return turned(images), labels
'''

pytestmark = [pytest.mark.release, pytest.mark.skipif(sys.platform != "linux", reason="Ray's own limits")]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    plugins = folder / "plug-ins of ours"
    plugins.mkdir()
    (plugins / "own.py").write_text(OWN)
    (plugins / "turning.py").write_text("def turned(images):\n    return images[:, ::-1].copy()\n")
    (folder / "grid.yaml").write_text(yaml.safe_dump(GRID))
    return folder / "grid.yaml"


def results(grid, store, reports, engine, **environment):
    command = [sys.executable, "-m", "fer_audit", "run", str(grid), "--store", str(store), "--reports", str(reports)]
    ended = subprocess.run(
        [*command, "--engine", engine], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    return (Path(reports) / "grid" / "results.json").read_bytes(), ended.stdout


@pytest.fixture(scope="module")
def expected(grid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    return results(grid, folder / "store", folder / "reports", "local")[0]


def test_ray_gives_the_same_bytes(grid, expected, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'fer-audit[ray]')")
    found, told = results(grid, tmp_path / "store", tmp_path / "reports", "ray")
    assert found == expected
    assert "ray: 1 node with room for" in told
    again, told = results(grid, tmp_path / "store", tmp_path / "reports", "ray")
    assert again == expected
    assert "0 trained, 10 taken from the store" in told


@pytest.fixture
def bucket():
    """A bucket of a server that speaks S3, on this machine, and how it is reached."""
    boto3 = pytest.importorskip("boto3", reason="no client for S3 (pip install boto3)")
    server_of = pytest.importorskip("moto.server", reason="no server for S3 (pip install moto flask flask-cors)")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    access = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    access["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patched:
        for name, value in access.items():
            patched.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        client.close()
        yield "s3://bucket/fer-audit", access
    server.stop()


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning"
)  # the server's and the client's own
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_store_on_s3_is_gone_on_with_by_a_machine_that_has_nothing(grid, expected, tmp_path, bucket):
    address, access = bucket
    first, _ = results(grid, address, tmp_path / "a", "ray", **access, FER_AUDIT_CACHE=str(tmp_path / "cache-a"))
    second, told = results(grid, address, tmp_path / "b", "local", **access, FER_AUDIT_CACHE=str(tmp_path / "cache-b"))
    assert first == second == expected
    assert "0 trained, 10 taken from the store" in told
