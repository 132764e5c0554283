"""The page in a real browser: it draws every chart, complains of nothing and asks the network for nothing."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from fer_audit.report.page import render

CHROMIUM = shutil.which("chromium")
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--window-size=1400,1000",
    "--virtual-time-budget=20000",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@dataclass
class Visit:
    dom: str
    console: list[str]
    urls: list[str]


def visit(page, tmp_path) -> Visit:
    log, profile = tmp_path / "net.json", tmp_path / "profile"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"--log-net-log={log}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Visit(done.stdout, console, requested(json.loads(log.read_text())))


def requested(log) -> list[str]:
    """What the page asked for; what the browser asks for on its own account has no origin as its initiator."""
    started = [event.get("params", {}) for event in log["events"]]
    asked = [found for found in started if found.get("initiator") not in (None, "not an origin")]
    return [found["url"] for found in asked if not found["url"].startswith(("file:", "data:", "blob:"))]


class Elements(HTMLParser):
    """Collects what the browser made of the page."""

    def __init__(self, dom):
        super().__init__()
        self.charts, self.plots, self.images, self.drawn = 0, 0, [], None
        self.feed(dom)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        classes = (found.get("class") or "").split()
        self.charts += "data-chart" in found
        self.plots += "js-plotly-plot" in classes
        if tag == "html":
            self.drawn = found.get("data-drawn")
        if tag == "img":
            self.images.append(found.get("src"))


def test_the_probe_sees_a_request(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<img src='http://example.invalid/x.png'><script>console.error('seen')</script>")
    seen = visit(page, tmp_path)
    assert seen.urls == ["http://example.invalid/x.png"]
    assert any("seen" in line for line in seen.console)


def test_every_chart_is_drawn_offline_and_silently(results, make_folder, tmp_path):
    seen = visit(render(make_folder(results)), tmp_path)
    found = Elements(seen.dom)
    assert found.drawn == "yes"
    assert found.charts == found.plots > 10
    assert "main-svg" in seen.dom
    assert seen.console == []
    assert seen.urls == []


def test_hostile_labels_are_text_in_the_browser(few, make_folder, tmp_path):
    dataset = few.dataset.model_copy(update={"classes": [HOSTILE + name for name in few.dataset.classes]})
    cells = [cell.model_copy(update={"model": HOSTILE + cell.model}) for cell in few.cells]
    changed = few.model_copy(update={"dataset": dataset, "cells": cells, "sheets": []})
    seen = visit(render(make_folder(changed)), tmp_path)
    found = Elements(seen.dom)
    assert "owned" not in seen.dom[seen.dom.index("<title>") : seen.dom.index("</title>")]
    assert found.images == []
    assert found.charts == found.plots >= 10
    assert seen.console == []
    assert seen.urls == []
