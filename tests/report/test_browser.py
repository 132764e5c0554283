"""The page in a real browser: it draws every chart, complains of nothing and asks the network for nothing."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from fer_audit.report.numbers import with_interval
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
    galleries = [
        one.model_copy(update={"title": HOSTILE, "caption": HOSTILE, "columns": [HOSTILE]}) for one in few.galleries
    ]
    told = {"dataset": dataset, "cells": cells, "sheets": [], "galleries": galleries}
    changed = few.model_copy(update=told)
    seen = visit(render(make_folder(changed)), tmp_path)
    found = Elements(seen.dom)
    assert "owned" not in seen.dom[seen.dom.index("<title>") : seen.dom.index("</title>")]
    assert found.images
    assert all(source.startswith("data:image/png;base64,") for source in found.images)
    assert found.charts == found.plots >= 10
    assert seen.console == []
    assert seen.urls == []


ACTIONS = """
<script>
addEventListener("load", () => setTimeout(() => {
  const one = (selector) => document.querySelector(selector);
  const fire = (place, value, kind) => { place.value = value; place.dispatchEvent(new Event(kind)); };
  const said = { dark: document.documentElement.dataset.theme };
  one("#theme").click();
  said.toggled = document.documentElement.dataset.theme;
  fire(one("[data-filter=cells]"), "randaug symmetric", "input");
  said.filtered = one("[data-count=cells]").textContent;
  const heads = [...document.querySelectorAll("[data-table=cells] thead button")];
  const accuracy = heads.find((head) => head.textContent === "Accuracy");
  const column = accuracy.closest("th").cellIndex;
  const values = () => [...one("[data-table=cells]").tBodies[0].rows].map((row) => row.cells[column].dataset.v ?? null);
  accuracy.click();
  said.rising = values();
  accuracy.click();
  said.falling = values();
  const select = one("#cell-roc");
  const last = select.options[select.options.length - 1].value;
  fire(select, last, "change");
  said.together = one("#cell-classes").value === last;
  const details = one("[data-numbers=tradeoff]");
  const heat = one("[data-numbers=corruptions]");
  details.open = heat.open = true;
  setTimeout(() => {
    said.numbers = details.querySelectorAll("tbody tr").length;
    said.first = details.querySelector("tbody tr").textContent;
    said.heat = heat.querySelector("tbody tr").cells[5].textContent;
    said.curve = one("[data-chart=roc]").data[1].y[0];
    document.title = JSON.stringify(said);
  }, 1500);
}, 3000));
</script>
"""


def test_tables_sort_and_filter_and_choices_move_together(few, make_folder, tmp_path):
    undone = {"status": "failed", "utility": None, "privacy": None}
    cells = [few.cells[0].model_copy(update=undone), *few.cells[1:]]
    page = render(make_folder(few.model_copy(update={"cells": cells})))
    text = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text(encoding="utf-8"))
    page.write_text(text.replace("</body>", ACTIONS + "</body>"), encoding="utf-8")
    seen = visit(page, tmp_path)
    said = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", seen.dom).group(1)))
    known = sorted(cell.utility.accuracy.value for cell in cells[1:])
    assert {said["dark"], said["toggled"]} == {"dark", "light"}
    assert said["filtered"] == "1 of 4 rows"
    assert [float(value) for value in said["rising"][:-1]] == known
    assert [float(value) for value in said["falling"][:-1]] == known[::-1]
    assert said["rising"][-1] is None
    assert said["falling"][-1] is None
    assert said["together"]
    assert said["numbers"] == 3
    assert "0.7894 (0.7529\u20130.8259)" in said["first"]
    severest = cells[-1].corruptions.kinds[0].accuracy[4]
    assert said["heat"] == with_interval(severest)
    assert said["curve"] == pytest.approx(cells[-1].privacy.attacks[0].roc.tpr[1], rel=1e-5)
    assert seen.console == []
