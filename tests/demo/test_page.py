"""The page as a visitor meets it: a real server, a real browser, and what is left behind."""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from fer_audit.demo.picture import LARGEST_FILE

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")


@dataclass
class Served:
    """A demo that is running."""

    process: subprocess.Popen
    url: str
    uploads: Path  #: where it puts temporary files

    @property
    def address(self):
        return self.url.removeprefix("http://").strip("/").rpartition(":")

    def left(self):
        """Files that are there beside those that TensorFlow writes its traced code to until it ends."""
        files = [path for path in self.uploads.rglob("*") if path.is_file()]
        return [path for path in files if not path.name.startswith("__autograph_generated_file")]


@contextlib.contextmanager
def served(finished, uploads, *cells):
    chosen = [part for cell in cells for part in ("--cell", cell)]
    complaints = uploads.parent / f"{uploads.name}.log"
    with complaints.open("w") as log:
        process = subprocess.Popen(
            finished.command("demo", finished.folder, *chosen, "--port", 0, "--no-browser"),
            cwd=finished.place,
            env=finished.environment(TMPDIR=str(uploads)),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, line + complaints.read_text()
        yield Served(process, re.search(r"http://\S+", line)[0], uploads)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def demo(finished, tmp_path_factory):
    with served(finished, tmp_path_factory.mktemp("uploads"), *finished.cells) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser, demo):
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.elsewhere = []
    opened.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((demo.url, "data:", "blob:")) else opened.elsewhere.append(asked.url)
        ),
    )
    opened.goto(demo.url)
    opened.wait_for_selector("#said")
    yield opened
    context.close()


def give(page, path):
    page.set_input_files("#picture input[type=file]", path)


def read_probabilities(page, cell):
    rows = page.locator(f'.reading[data-model="{cell}"] tr')
    return {row.get_attribute("data-class"): float(row.get_attribute("data-probability")) for row in rows.all()}


@pytest.fixture
def face(finished, tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(finished.faces[4]).save(path)
    return path


def test_two_models_read_a_drawn_face_as_the_networks_do(finished, demo, page, face):
    give(page, face)
    page.wait_for_selector(".reading")
    assert page.locator(".reading").count() == 2
    for cell in finished.cells:
        expected = finished.probabilities(cell, finished.faces[4])
        assert read_probabilities(page, cell) == pytest.approx(expected, abs=2e-6)
        top = max(expected, key=expected.get)
        verdict = page.locator(f'.reading[data-model="{cell}"] .verdict').inner_text()
        assert verdict.split("\n")[0] == top
        assert float(re.search(r"[\d.]+", verdict)[0]) == pytest.approx(100 * expected[top], abs=0.051)
        # As the model is shown it, and its heat map, or that there is none.
        assert page.locator(f'.reading[data-model="{cell}"] figure').count() == 2
    assert "the whole picture" in page.locator("#said").inner_text()  # what drawn faces are read by first
    one, other = (page.locator(f'.reading[data-model="{cell}"]').bounding_box() for cell in finished.cells)
    assert one["y"] == other["y"]
    assert one["x"] + one["width"] < other["x"]
    assert page.elsewhere == []
    assert demo.left() == []


def test_a_photographed_face_is_found_and_chosen(finished, demo, page):
    matplotlib = pytest.importorskip("matplotlib")
    give(page, Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg")
    page.wait_for_selector(".reading")
    assert page.locator("#said").inner_text().startswith("1 face found")
    whole = read_probabilities(page, finished.cells[0])
    page.get_by_label("the face", exact=True).check()
    page.wait_for_selector("#seen .chosen")
    assert page.locator("#said").inner_text() == "1 face found; what is read is the face."
    assert read_probabilities(page, finished.cells[0]) != whole
    assert demo.left() == []


def test_a_face_is_drawn_to_try(page):
    page.get_by_role("button", name="Draw a face to try").click()
    page.wait_for_selector(".reading")
    assert page.locator(".reading").count() == 2


def test_the_page_says_what_it_is_and_has_the_model_cards(finished, page):
    assert "reads expressions in pictures, not what people feel" in page.locator(".top").inner_text()
    page.get_by_text(f"Model card: {finished.cells[0]}").click()
    page.locator(".card").first.get_by_role("heading", name=finished.cells[0]).wait_for()
    assert "library_name:" not in page.locator(".card").first.inner_text()  # the head of a model's repository


def test_a_text_called_a_picture_gets_one_sentence(demo, page, tmp_path):
    path = tmp_path / "text.png"
    path.write_text("no picture")
    give(page, path)
    page.wait_for_selector("#said.problem")
    assert page.locator("#said").inner_text() == (
        "This file is no picture that can be read; expected a JPEG, PNG, WebP, GIF or BMP picture."
    )
    assert page.locator(".reading").count() == 0
    assert demo.left() == []


def test_too_large_a_file_is_refused_by_page_and_server(demo, page, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(bytes(LARGEST_FILE + 1))
    give(page, path)
    page.get_by_text("exceed the maximum allowed size of 10").wait_for()
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + bytes(LARGEST_FILE + 1)
    asked = urllib.request.Request(  # noqa: S310 - the address of our own server
        f"{demo.url}gradio_api/upload",
        data=body + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    with pytest.raises(urllib.error.HTTPError, match="413") as refused:
        urllib.request.urlopen(asked)  # noqa: S310
    refused.value.close()
    assert demo.left() == []


def status(demo, path, **headers):
    asked = urllib.request.Request(demo.url + path, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(asked) as answer:  # noqa: S310
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, {}


def test_nothing_but_the_page_is_served(demo):
    code, headers = status(demo, "")
    assert code == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    for path in ("gradio_api/info", "gradio_api/runs", "monitoring", "gradio_api/file=/etc/hosts", "docs", "logout"):
        assert status(demo, path)[0] == 404, path
    assert status(demo, "", Host="evil.example")[0] == 421


def test_no_other_interface_answers(demo):
    host, _, port = demo.address
    socket.create_connection((host, int(port)), 2).close()
    others = {"127.0.0.2", *(found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET))}
    for other in others - {"127.0.0.1"}:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((other, int(port)), 2)


def test_control_c_ends_it_cleanly_with_a_page_open(finished, browser, face, tmp_path):
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    with served(finished, uploads, finished.cells[0]) as demo:
        page = browser.new_page()
        page.goto(demo.url)
        give(page, face)
        page.wait_for_selector(".reading")
        began = time.monotonic()
        demo.process.send_signal(signal.SIGINT)
        said, _ = demo.process.communicate(timeout=15)
        assert demo.process.returncode == 0
        assert time.monotonic() - began < 10
        assert said.splitlines()[-1] == "stopped; no picture was kept"
        assert list(uploads.glob("fer-audit-demo-*")) == []
        page.close()
