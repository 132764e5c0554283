import asyncio

import pytest

from fer_audit.demo.guard import Guard

LARGEST = 10 << 20


async def inner(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})
    await send({"type": "http.response.body", "body": b"inner"})


def answer(method, path, hosts=("localhost", "127.0.0.1", "[::1]"), kind="http", **headers):
    sent = []

    async def send(message):
        sent.append(message)

    given = [(name.replace("_", "-").encode(), str(value).encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": method, "path": path, "headers": given}
    asyncio.run(Guard(inner, hosts, LARGEST)(scope, None, send))
    return (sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]) if sent else None


def test_the_page_is_answered_with_a_policy():
    status, headers, body = answer("GET", "/", host="127.0.0.1:7860")
    assert (status, body) == (200, b"inner")
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert b"http" not in headers[b"content-security-policy"]
    assert headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1:1", "[::1]:7860"])
def test_names_of_this_machine(host):
    assert answer("GET", "/config", host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:7860", ""])
def test_other_names_are_refused(host):
    assert answer("GET", "/config", host=host)[0] == 421
    assert answer("GET", "/config", hosts=None, host=host)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/proxy=https://example.org"),
        ("GET", "/gradio_api/info"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/call/given"),
        ("POST", "/gradio_api/vibe-edit/"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/"),
        ("DELETE", "/gradio_api/upload"),
        ("OPTIONS", "/gradio_api/upload"),
    ],
)
def test_everything_else_is_not_there(method, path):
    assert answer(method, path, host="localhost", content_length=1)[0] == 404


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/gradio_api/upload", LARGEST, 200),
        ("/gradio_api/upload", LARGEST + (64 << 10) + 1, 413),
        ("/gradio_api/queue/join", 64 << 10, 200),
        ("/gradio_api/queue/join", (64 << 10) + 1, 413),
        ("/gradio_api/upload", "many", 411),
    ],
)
def test_bodies_have_limits(path, length, status):
    assert answer("POST", path, host="localhost", content_length=length)[0] == status


def test_a_body_without_a_length_is_refused():
    assert answer("POST", "/gradio_api/upload", host="localhost", transfer_encoding="chunked")[0] == 411


def test_web_sockets_are_not_answered():
    assert answer("GET", "/", kind="websocket", host="localhost") is None
