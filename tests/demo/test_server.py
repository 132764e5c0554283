import os
import socket

import pytest

from fer_audit.demo.server import DemoError, is_loopback, listening, uploads


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("x", False)],  # noqa: S104
)
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


def test_a_port_that_is_taken_is_one_sentence_unless_none_was_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"can't listen on 127.0.0.1, port {port}: .*; choose another"):
            listening("127.0.0.1", port)
    with listening("127.0.0.1", None) as one, listening("127.0.0.1", None) as other:
        assert one.getsockname() != other.getsockname()


def test_an_address_that_is_not_there():
    with pytest.raises(DemoError, match="no address 'no host'"):
        listening("no host", None)
    with pytest.raises(DemoError, match=r"can't listen on 192\.0\.2\.1"):
        listening("192.0.2.1", None)


def test_uploads_go_with_their_folder(monkeypatch):
    monkeypatch.setenv("GRADIO_SHARE", "True")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with uploads() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        assert os.environ["GRADIO_SHARE"] == os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        (folder / "picture.png").write_bytes(b"x")
    assert not folder.exists()
    assert os.environ["GRADIO_SHARE"] == "True"
    assert "GRADIO_TEMP_DIR" not in os.environ
