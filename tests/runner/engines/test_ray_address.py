"""Finding the cluster without Ray."""

import socket
import time

import pytest

from fer_audit.runner.engines.dealing import ClusterError
from fer_audit.runner.engines.ray_address import OWN, cluster_address


@pytest.fixture
def head():
    """Something that answers, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def gone():
    """An address at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.fixture
def noted(monkeypatch, tmp_path):
    """Writes what Ray notes of the cluster of this machine."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    return (tmp_path / "ray" / "ray_current_cluster").write_text


def test_without_any_cluster_one_is_made(noted, monkeypatch):
    assert cluster_address() == OWN
    noted("")
    assert cluster_address() == OWN
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert cluster_address() == OWN


def test_the_cluster_of_this_machine_is_used_while_it_lives(noted, head, gone, monkeypatch):
    noted(head)
    assert cluster_address() == head
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert cluster_address() == head
    noted(gone)  # its head was killed, and took no note away
    assert cluster_address() == OWN


def test_the_named_cluster_is_used_if_it_answers(noted, head, gone, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", head)
    assert cluster_address() == head
    monkeypatch.setenv("RAY_ADDRESS", gone)
    began = time.monotonic()
    with pytest.raises(ClusterError, match=f"no Ray cluster answers at RAY_ADDRESS, {gone} .Connection refused"):
        cluster_address()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:", ":6379", "host:port", "127.0.0.1:99999999"])
def test_what_is_no_address_is_refused(noted, monkeypatch, address):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError, match="no Ray cluster answers at RAY_ADDRESS"):
        cluster_address()


def test_the_address_of_rays_client_is_refused(noted, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with pytest.raises(ClusterError, match="expected HOST:PORT of the head"):
        cluster_address()
