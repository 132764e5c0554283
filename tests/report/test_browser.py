"""The page in a real browser: it draws, answers, can be linked and read, and asks the network for nothing."""

import contextlib
import csv
import io
import json
import math
import random
import re
import shutil
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from fer_audit.report import condensed
from fer_audit.report.live import Live
from fer_audit.report.numbers import with_interval
from fer_audit.report.page import render
from fer_audit.results import Estimate, PairedDifference

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")

LOCAL = ("file:", "data:", "blob:")
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"
ROWS = '[data-table="cells"] tbody tr'
THIN, MINUS = "\u202f", "\u2212"


@dataclass
class Watched:
    """A page that is open, and what it did."""

    page: object
    requests: list[str] = field(default_factory=list)  #: to elsewhere
    complaints: list[str] = field(default_factory=list)  #: of its scripts and of its policy

    def value(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def texts(self, selector):
        return self.page.locator(selector).all_inner_texts()

    @property
    def hash(self):
        return self.value("location.hash")


@contextlib.contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND"]
        )
        yield browser
        browser.close()


def visit(browser, path, hash="", *, drawn=False, ready=True, **context):  # noqa: A002
    """Opens a page and waits until its tables are interactive or, with `drawn`, until all its charts are drawn."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True, **context).new_page()
    seen = Watched(page)
    page.on("request", lambda asked: None if asked.url.startswith(LOCAL) else seen.requests.append(asked.url))
    page.on("console", lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(path.as_uri() + hash)
    if ready:
        page.wait_for_selector("html[data-ready=yes]", state="attached")
    if drawn:
        page.wait_for_selector("html[data-drawn=yes]", state="attached", timeout=60_000)
    return seen


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def column(seen, title, table="cells"):
    """Sort keys of the lines that are shown."""
    return seen.value(
        """([table, title]) => {
          const place = document.querySelector(`[data-table="${table}"]`);
          const column = [...place.tHead.rows[0].cells].findIndex((head) => head.innerText.trim() === title);
          return [...place.tBodies[0].rows].map((row) => row.cells[column].dataset.v ?? null);
        }""",
        [table, title],
    )


def test_the_probe_sees_requests_and_complaints(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<img src='http://example.invalid/x.png'><script>console.error('seen')</script>")
    seen = visit(browser, path, ready=False)
    assert seen.requests == ["http://example.invalid/x.png"]
    assert "seen" in seen.complaints


@pytest.mark.parametrize("kind", ["results", "broken_promise"])
def test_every_chart_is_drawn_offline_and_silently(browser, make_folder, kind, request):
    seen = visit(browser, render(make_folder(request.getfixturevalue(kind))), drawn=True)
    charts = seen.page.locator("[data-chart]").count()
    assert charts == seen.page.locator("[data-chart].js-plotly-plot .main-svg:first-child").count() > 10
    assert seen.complaints == []
    assert seen.requests == []


@pytest.mark.parametrize("kind", ["answers alone", "permuted", "one cell", "no cell", "nothing done", "odd names"])
def test_other_results_open_silently(browser, few, audited, permuted, unmeasured, make_folder, kind):
    failed = [cell.model_copy(update=unmeasured | {"status": "failed", "error": "no"}) for cell in few.cells]
    odd = [cell.model_copy(update={"id": f"a'b\"c#d&e=f%41/\u00e9[{place}]"}) for place, cell in enumerate(few.cells)]
    cells = {"one cell": few.cells[:1], "no cell": [], "nothing done": failed, "odd names": odd}
    given = {"answers alone": audited, "permuted": permuted}
    results = given[kind] if kind in given else few.model_copy(update={"cells": cells[kind]})
    seen = visit(browser, render(make_folder(results, run=kind != "answers alone")), drawn=True)
    links = seen.page.locator("[data-table] tbody th a[href^='#cell=']")
    if links.count():
        links.last.click()
        assert results.cells[-1].id in seen.page.locator("#cell").inner_text()
        again = visit(browser, make_folder(results) / "report.html", seen.hash)
        assert results.cells[-1].id in again.page.locator("#cell").inner_text()
    else:
        assert kind in ("no cell", "one cell")
    assert seen.complaints == []
    assert seen.requests == []


def test_policy_forbids_the_network_and_other_scripts(browser, few, make_folder):
    path = render(make_folder(few))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("</body>", "<script>document.title = 'owned'</script></body>"), encoding="utf-8")
    seen, stopped = visit(browser, path), []
    seen.page.on("requestfailed", lambda asked: stopped.append((asked.url, asked.failure)))
    seen.value("() => { const image = new Image(); image.src = 'http://example.invalid/x.png'; }")
    seen.value("() => fetch('http://example.invalid/').catch(() => null)")
    seen.page.wait_for_timeout(200)
    assert seen.page.title() != "owned"
    assert len([text for text in seen.complaints if "Content Security Policy" in text]) >= 3
    assert {failure for _, failure in stopped} <= {"csp"}
    assert len(stopped) == len(seen.requests)


def test_hostile_labels_are_text_in_the_browser(browser, few, make_folder):
    dataset = few.dataset.model_copy(update={"classes": [HOSTILE + name for name in few.dataset.classes]})
    undone = {"status": "failed", "error": HOSTILE, "id": HOSTILE + few.cells[0].id}
    cells = [cell.model_copy(update={"model": HOSTILE + cell.model}) for cell in few.cells]
    cells[0] = cells[0].model_copy(update=undone)
    galleries = [
        one.model_copy(update={"title": HOSTILE, "caption": HOSTILE, "columns": [HOSTILE]}) for one in few.galleries
    ]
    changed = few.model_copy(update={"dataset": dataset, "cells": cells, "sheets": [], "galleries": galleries})
    seen = visit(browser, render(make_folder(changed)), f"#cell={quote(cells[0].id)}", drawn=True)
    assert HOSTILE in seen.page.locator("#cell").inner_text()
    assert seen.page.title() != "owned"
    sources = seen.value("() => [...document.images].map((image) => image.getAttribute('src'))")
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert seen.complaints == []
    assert seen.requests == []


@pytest.mark.parametrize("kind", ["results", "broken_promise"])
def test_the_scripts_lines_are_those_that_stand_in_the_page(browser, make_folder, kind, request):
    path = render(make_folder(request.getfixturevalue(kind)))
    still = visit(browser, path, ready=False, java_script_enabled=False)
    alive = visit(browser, path)
    script = """() => { const number = (text) => (isNaN(text ?? NaN) ? text : Number(text));
      return Object.fromEntries([...document.querySelectorAll('[data-table]')].map((table) => [
      table.dataset.table, [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => [
        cell.tagName, cell.className, cell.scope ?? '', number(cell.dataset.v), cell.dataset.p, cell.textContent.trim(),
        decodeURIComponent(cell.querySelector('a')?.getAttribute('href') ?? ''),
        [...cell.querySelectorAll('i, b')].map((bar) => [parseFloat(bar.style.left), parseFloat(bar.style.width || 0)]),
      ]))])); }"""
    written, drawn = still.value(script), alive.value(script)
    assert written == drawn
    assert len(drawn) > 8


def test_words_and_choices_filter_and_stand_in_the_address(browser, results, make_folder):
    path = render(make_folder(results))
    seen = visit(browser, path)
    total = len(results.cells)
    seen.page.fill("[data-filter=cells]", "mixup symmetric")
    wanted = [c for c in results.cells if "mixup" in c.augmentation and c.label_attack_plugin]
    assert seen.page.locator(ROWS).count() == len(wanted)
    assert seen.texts("[data-count=cells]") == [f"{len(wanted)} of {total} rows"]
    seen.page.select_option("#facet-model", "ghostface")
    both = [cell for cell in wanted if cell.model == "ghostface"]
    assert seen.page.locator(ROWS).count() == len(both)
    attacks = sum(len(cell.privacy.attacks) for cell in results.cells if cell.privacy and cell.model == "ghostface")
    assert seen.texts("[data-count=decisions]")[0].startswith(f"{attacks} of ")
    assert "only model ghostface" in seen.texts("[data-count=decisions]")[0]
    again = visit(browser, path, seen.hash)
    assert again.texts(ROWS) == seen.texts(ROWS)
    assert again.page.input_value("[data-filter=cells]") == "mixup symmetric"
    again.page.get_by_role("button", name="Show all").click()
    assert again.page.locator(ROWS).count() == total


def test_a_defence_is_a_choice_and_part_of_each_cell(browser, private, few, make_folder):
    path = render(make_folder(private))
    seen = visit(browser, path)
    seen.page.select_option("#facet-defence", "dp-sgd(epsilon=8)")
    mine = [cell for cell in private.cells if cell.defence == "dp-sgd(epsilon=8)"]
    assert seen.page.locator(ROWS).count() == len(mine)
    assert seen.page.locator('[data-table="guarantees"] tbody tr').count() == 3 * len(mine)
    seen.page.locator(f"{ROWS} th a").first.click()
    text = seen.page.locator("#cell").inner_text()
    assert mine[0].id in text
    assert "What training promises" in text
    assert "Promises and what audits show" in text
    assert visit(browser, render(make_folder(few))).page.locator("#facet-defence").count() == 0


def test_the_row_of_a_refuted_promise_is_framed(browser, broken_promise, make_folder):
    seen = visit(browser, render(make_folder(broken_promise)))
    frames = seen.value(
        """() => [...document.querySelectorAll('[data-table=promises] tbody tr')]
          .map((row) => parseFloat(getComputedStyle(row.cells[1]).borderTopWidth))"""
    )
    assert frames[0] == 2
    assert set(frames[1:]) == {0}
    assert seen.page.locator(".verdict.bad h2").inner_text() == "Refutes a promise of privacy"


def test_status_and_attack_are_choices_too(browser, few, make_folder):
    gone = {"status": "failed", "error": "it broke", "utility": None, "privacy": None}
    cells = [few.cells[0].model_copy(update=gone), *few.cells[1:]]
    seen = visit(browser, render(make_folder(few.model_copy(update={"cells": cells}))), "#status=failed")
    assert seen.page.locator(ROWS).count() == 1
    seen.page.select_option("#facet-status", "")
    seen.page.select_option("#facet-attack", "loss-threshold")
    assert seen.page.locator(ROWS).count() == 3
    assert seen.page.locator('[data-table="decisions"] tbody tr').count() == 3


def test_heads_sort_both_ways_with_unknown_values_last(browser, few, make_folder):
    undone = {"status": "failed", "utility": None, "privacy": None}
    cells = [few.cells[0].model_copy(update=undone), *few.cells[1:]]
    path = render(make_folder(few.model_copy(update={"cells": cells})))
    seen = visit(browser, path)
    known = sorted(cell.utility.accuracy.value for cell in cells[1:])
    head = seen.page.locator('[data-table="cells"] thead').get_by_role("button", name="Accuracy", exact=True)
    head.click()
    assert [float(value) for value in column(seen, "Accuracy")[:-1]] == known
    head.click()
    assert [float(value) for value in column(seen, "Accuracy")[:-1]] == known[::-1]
    assert column(seen, "Accuracy")[-1] is None
    again = visit(browser, path, seen.hash)
    assert column(again, "Accuracy") == column(seen, "Accuracy")
    assert again.page.locator("th[aria-sort=descending]").inner_text().startswith("Accuracy")


def test_columns_can_be_chosen(browser, few, make_folder):
    path = render(make_folder(few))
    seen = visit(browser, path)
    seen.page.locator("#cells-table .menu summary").click()
    seen.page.locator("#cells-table [data-columns]").get_by_label("MACs", exact=True).uncheck()
    heads = seen.page.locator('[data-table="cells"] thead th:visible').all_inner_texts()
    assert "MACs" not in heads
    assert seen.value(f"() => document.querySelector({json.dumps(ROWS)}).cells.length") == len(heads)
    again = visit(browser, path, seen.hash)
    assert again.page.locator('[data-table="cells"] thead th:visible').all_inner_texts() == heads


def test_a_link_to_one_cell_shows_all_of_it(browser, results, make_folder):
    path, cell = render(make_folder(results)), results.cells[5]
    seen = visit(browser, path, f"#cell={quote(cell.id, safe='')}", drawn=True)
    assert seen.page.locator("#cell").is_visible()
    text = seen.page.locator("#cell").inner_text()
    assert cell.id in text
    assert with_interval(cell.utility.accuracy).split(" (")[0] in text
    assert f"fer-audit run fixture.yaml --cell '{cell.id}'" in text or f"--cell '{cell.id}'" in text
    assert seen.value("() => document.querySelector('#cell-roc').value") == cell.id
    curve = seen.value("() => document.querySelector('[data-chart=roc]').data.find((t) => t.name.includes('AUC')).y")
    assert curve == pytest.approx([y for x, y in zip(cell.privacy.attacks[0].roc.fpr, curve, strict=False)], abs=1)
    seen.page.locator("#cell [data-close]").click()
    assert not seen.page.locator("#cell").is_visible()
    assert seen.value("() => document.activeElement.closest('section').id") == "all-cells"
    assert "cell=" not in seen.hash
    seen.page.go_back()
    seen.page.wait_for_selector("#cell:visible")


def test_a_line_leads_to_its_cell_and_an_unknown_cell_is_said_so(browser, few, make_folder):
    path = render(make_folder(few))
    seen = visit(browser, path)
    seen.page.locator(f"{ROWS} th a").nth(2).click()
    assert few.cells[2].id in seen.page.locator("#cell").inner_text()
    missing = visit(browser, path, "#cell=nobody")
    assert "no cell \u201cnobody\u201d" in missing.page.locator("#cell").inner_text()


def test_choices_of_charts_move_together_and_stand_in_the_address(browser, few, make_folder):
    path = render(make_folder(few))
    seen = visit(browser, path, drawn=True)
    last = few.cells[-1]
    seen.page.select_option("#cell-roc", last.id)
    assert seen.page.input_value("#cell-classes") == last.id
    again = visit(browser, path, seen.hash, drawn=True)
    assert again.page.input_value("#cell-curves") == last.id
    again.page.locator("[data-numbers=corruptions] summary").click()
    again.page.wait_for_selector("[data-numbers=corruptions] tbody td")  # filled once it is open
    cells = again.page.locator("[data-numbers=corruptions] tbody tr").first.locator("td").all_inner_texts()
    assert with_interval(last.corruptions.kinds[0].accuracy[4]) in cells


def paired(results, one, other, value, half):
    difference = Estimate(value=value, low=value - half, high=value + half, method="fixture")
    return PairedDifference(metric="accuracy", cell=one.id, baseline=other.id, difference=difference)


def test_every_cell_is_compared_with_the_baseline_that_is_picked(browser, few, make_folder):
    first, second, third, fourth = few.cells
    pairs = [paired(few, second, first, -0.05, 0.01), paired(few, third, first, 0.002, 0.01)]
    path = render(make_folder(few.model_copy(update={"comparisons": pairs})))
    seen = visit(browser, path)
    table = seen.page.locator("#compare table")
    told = dict(
        zip(table.locator("tbody th").all_inner_texts(), table.locator("tbody tr").all_inner_texts(), strict=True)
    )
    assert len(told) == 3
    lines = list(told.values())
    assert f"{MINUS}5.0" in lines[0]
    assert f"{MINUS}6.0 to {MINUS}4.0" in lines[0]
    assert "not paired" not in lines[0].split("\t")[1]
    apart = fourth.utility.accuracy.value - first.utility.accuracy.value
    assert f"{100 * apart:+.1f}".replace("-", MINUS) in lines[2]
    assert "not paired" in lines[2].split("\t")[1]
    framed = table.locator("tbody tr").first.locator("td").first.locator(".tag")
    assert framed.count() == 1
    seen.page.select_option("#baseline", second.id)
    turned = seen.page.locator("#compare tbody tr").first.locator("td").first.inner_text()
    assert turned.startswith("+5.0")
    assert "+4.0 to +6.0" in turned
    again = visit(browser, path, seen.hash)
    assert again.page.input_value("#baseline") == second.id


def test_only_what_differs_is_shown_on_demand(browser, few, make_folder):
    first, second, third, _ = few.cells
    alike = [
        c.model_copy(update={**first.model_dump(include=set()), "utility": first.utility, "privacy": None})
        for c in few.cells
    ]
    measures = {"memorisation": None, "corruptions": None}
    alike = [cell.model_copy(update=measures) for cell in alike]
    pairs = [paired(few, second, first, -0.05, 0.01), paired(few, third, first, 0.002, 0.01)]
    changed = few.model_copy(update={"cells": alike, "comparisons": pairs})
    seen = visit(browser, render(make_folder(changed)), "#differs=1")
    assert seen.page.locator("#compare tbody tr").count() == 1
    assert seen.texts("#compare thead th") == ["Cell", "Accuracy, points"]
    assert seen.texts("#compare output")[0].startswith("1 of 3 cells differ")
    seen.page.locator("#differs").uncheck()
    assert seen.page.locator("#compare tbody tr").count() == 3


def test_what_has_no_value_is_compared_with_nothing(browser, few, make_folder):
    cell = few.cells[1]
    unknown = cell.privacy.attacks[0].model_copy(update={"auc": Estimate(value=None, note="not resolvable")})
    privacy = cell.privacy.model_copy(update={"attacks": [unknown, *cell.privacy.attacks[1:]]})
    cells = [few.cells[0], cell.model_copy(update={"privacy": privacy}), *few.cells[2:]]
    seen = visit(browser, render(make_folder(few.model_copy(update={"cells": cells}))))
    text = seen.page.locator("#compare").inner_text()
    assert "NaN" not in text
    assert "\u2014" in seen.page.locator("#compare tbody tr").first.inner_text()


def test_a_chart_without_data_shows_no_other_cells_numbers(browser, few, make_folder):
    cells = [few.cells[0], few.cells[1].model_copy(update={"privacy": None}), *few.cells[2:]]
    seen = visit(browser, render(make_folder(few.model_copy(update={"cells": cells}))), drawn=True)
    seen.page.locator("[data-numbers=roc] summary").click()
    assert seen.page.locator("[data-numbers=roc] tbody tr").count() > 5
    seen.page.select_option("#cell-classes", cells[1].id)
    seen.page.wait_for_function("() => !document.querySelector('[data-numbers=roc] tbody tr')")
    assert "Nothing was recorded" in seen.page.locator("[data-chart=roc]").inner_text()
    assert seen.value("() => document.querySelector('#cell-roc').selectedIndex") == -1


@pytest.mark.parametrize("hash_", ["#show.measure=bogus", "#cell=toString", "#show.cell=constructor&baseline=valueOf"])
def test_a_mistyped_address_falls_back(browser, few, make_folder, hash_):
    seen = visit(browser, render(make_folder(few)), hash_, drawn=True)
    assert seen.page.locator("[data-chart=tradeoff] .main-svg").count() > 0
    assert seen.page.locator("[data-chart=roc] .main-svg").count() > 0
    assert seen.page.locator("#compare tbody tr").count() == 3
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_until_it_is_switched(browser, few, make_folder, scheme):
    seen = visit(browser, render(make_folder(few)), color_scheme=scheme, drawn=True)
    other = {"light": "dark", "dark": "light"}[scheme]
    paper = "() => getComputedStyle(document.body).backgroundColor"
    ink = "() => getComputedStyle(document.querySelector('[data-chart=tradeoff] .xtitle')).fill"
    before = seen.value(paper), seen.value(ink)
    assert seen.value("() => document.documentElement.dataset.theme") == scheme
    seen.page.get_by_role("button", name="Switch between light and dark").click()
    assert seen.value("() => document.documentElement.dataset.theme") == other
    seen.page.wait_for_function(f"({ink})() !== {json.dumps(before[1])}")
    assert seen.value(paper) != before[0]


def test_what_is_left_of_a_table_can_be_downloaded(browser, results, make_folder):
    seen = visit(browser, render(make_folder(results)), "#model=ghostface&cells.sort=-Accuracy")
    shown = sorted((c for c in results.cells if c.model == "ghostface"), key=lambda c: -c.utility.accuracy.value)
    with seen.page.expect_download() as waiting:
        seen.page.locator("#cells-table [data-download=csv]").click()
    assert waiting.value.suggested_filename == "cells.csv"
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert [float(row["Accuracy"]) for row in rows] == [cell.utility.accuracy.value for cell in shown]
    assert {row["cell"] for row in rows} == {cell.id for cell in shown}
    with seen.page.expect_download() as waiting:
        seen.page.locator("#cells-table [data-download=json]").click()
    told = json.loads(waiting.value.path().read_text(encoding="utf-8"))
    assert [row["Accuracy"]["value"] for row in told["rows"]] == [cell.utility.accuracy.value for cell in shown]
    assert seen.requests == []


def test_a_downloaded_csv_runs_nothing_in_a_spreadsheet(browser, few, make_folder):
    cells = [cell.model_copy(update={"model": "=HYPERLINK(1)"}) for cell in few.cells]
    seen = visit(browser, render(make_folder(few.model_copy(update={"cells": cells}))))
    with seen.page.expect_download() as waiting:
        seen.page.locator("#cells-table [data-download=csv]").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert {row["Model"] for row in rows} == {"'=HYPERLINK(1)"}


def test_everything_is_reached_by_the_keyboard(browser, few, make_folder):
    seen = visit(browser, render(make_folder(few)))
    press = seen.page.keyboard.press
    press("Tab")
    assert seen.value("() => document.activeElement.className") == "skip"
    press("Enter")
    assert seen.value("() => document.activeElement.closest('section').id") == "summary"
    head = seen.page.locator('[data-table="cells"] thead').get_by_role("button", name="Accuracy", exact=True)
    head.focus()
    press("Enter")
    assert seen.page.locator("th[aria-sort=ascending]").count() == 1
    seen.page.locator("#facet-augmentation").focus()
    press("ArrowDown")
    assert "augmentation=" in seen.hash
    link = seen.page.locator(f"{ROWS} th a").first
    link.focus()
    press("Enter")
    assert seen.page.locator("#cell").is_visible()
    assert seen.value("() => document.activeElement.closest('section').id") == "cell"
    visited = set()
    for _ in range(12):
        press("Tab")
        visited.add(seen.value("() => document.activeElement.id || document.activeElement.tagName"))
    assert "cell-choice" in visited
    outline = seen.value("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


@pytest.mark.parametrize(("kind", "scheme"), [("few", "light"), ("broken_promise", "dark"), ("followed", "light")])
def test_axe_finds_nothing(browser, make_folder, scheme, kind, request):
    from axe_playwright_python.sync_playwright import Axe

    results = request.getfixturevalue(kind)
    cells = [*results.cells[:-1], results.cells[-1].model_copy(update={"status": "failed", "error": "it broke"})]
    folder = make_folder(results.model_copy(update={"cells": cells}))
    hash_ = f"#cell={quote(cells[0].id, safe='')}"
    seen = visit(browser, render(folder), hash_, drawn=True, color_scheme=scheme)
    for details in seen.page.locator("details:not(.menu) > summary").all():
        details.evaluate("(summary) => { summary.parentElement.open = true; }")
    found = Axe().run(seen.page).response["violations"]
    assert [(one["id"], one["impact"], one["nodes"][0]["target"]) for one in found] == []


def parsed(text):
    """A number as the page writes it, and half a unit of its last digit; None where the text is no number."""
    match = re.fullmatch(rf"([{MINUS}+-]?)([\d,]+)(\.\d+)?(?:{THIN}(%|[kMGT]|\w+))?", text.strip())
    if match is None:
        return None
    sign, whole, fraction, unit = match.groups()
    scale = {"%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(unit, 1.0)
    value = float(whole.replace(",", "") + (fraction or "")) * scale
    digits = len(fraction) - 1 if fraction else 0
    return (-value if sign in (MINUS, "-") else value), 0.5 * scale * 10.0**-digits


def looked_up(files, pointer):
    file, _, path = pointer.partition("#/")
    value = files[file]
    for part in path.split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def test_fifty_numbers_drawn_at_random_are_found_where_the_page_says(browser, results, make_folder):
    pairs = [paired(results, results.cells[1], results.cells[0], -0.05, 0.01)]
    folder = make_folder(results.model_copy(update={"comparisons": pairs}))
    seen = visit(browser, render(folder))
    files = {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in ("results.json", "run.json")}
    script = """() => [...document.querySelectorAll('main [data-p]')].map((place) => {
      const said = place.querySelector('strong, .tag') ?? place;
      const own = [...place.childNodes].find((node) => node.nodeType === 3)?.textContent ?? '';
      return [said === place ? own : said.textContent, place.dataset.p, place.closest('section').id];
    })"""
    numbers = [(parsed(text), text, place, section) for text, place, section in seen.value(script) if parsed(text)]
    assert len(numbers) > 500
    assert {section for *_, section in numbers} >= {"summary", "all-cells", "compare", "privacy", "cost"}
    drawn = random.Random(0).sample(numbers, 50) + random.Random(1).sample(
        [number for number in numbers if number[3] == "compare"], 10
    )
    for (value, half), text, place, _ in drawn:
        signs = place.startswith(MINUS)
        parts = [looked_up(files, part) for part in re.split(rf"\s?{MINUS}\s", place) if part]
        there = parts[0] - sum(parts[1:]) if not signs else -parts[0]
        scales = (1.0, 100.0)  # differences of shares are written in percentage points
        assert any(math.isclose(value, there * by, abs_tol=half * 1.001 + 1e-9) for by in scales), (text, place, there)


@pytest.mark.parametrize("kind", ["results", "private"])
def test_no_number_of_a_table_is_without_its_place(browser, make_folder, kind, request):
    seen = visit(browser, render(make_folder(request.getfixturevalue(kind))))
    script = """() => [...document.querySelectorAll('main table td.n')]
      .filter((place) => !place.dataset.p && /\\d/.test(place.firstChild?.textContent ?? ''))
      .map((place) => [place.closest('table').caption?.textContent, place.textContent])"""
    assert seen.value(script) == []


def test_numbers_of_charts_say_where_they_come_from(browser, few, make_folder):
    folder = make_folder(few)
    seen = visit(browser, render(folder), drawn=True)
    written = (folder / "results.json").read_text(encoding="utf-8")
    for summary in seen.page.locator("[data-numbers] summary").all():
        summary.evaluate("(summary) => { summary.parentElement.open = true; }")
    seen.page.wait_for_function(
        "() => [...document.querySelectorAll('[data-numbers]')].every((d) => d.querySelector('td'))"
    )
    sources = seen.value("() => [...document.querySelectorAll('[data-source]')].map((place) => place.dataset.source)")
    assert len(sources) == seen.page.locator("[data-chart]").count()
    assert all(source.startswith("results.json#/") for source in sources)
    assert json.loads(written)


def test_places_are_shown_on_demand(browser, few, make_folder):
    seen = visit(browser, render(make_folder(few)))
    shown = "() => getComputedStyle(document.querySelector('[data-table=cells] td[data-p]'), '::after').content"
    assert seen.value(shown) == "none"
    seen.page.get_by_role("button", name="Sources").click()
    assert "results.json#/cells/" in seen.value(shown)


def test_a_printed_page_has_its_tables_and_no_tools(browser, few, make_folder):
    seen = visit(browser, render(make_folder(few)), drawn=True)
    seen.page.emulate_media(media="print")
    assert not seen.page.locator("nav").is_visible()
    assert not seen.page.locator("#facets").is_visible()
    assert seen.page.locator(ROWS).count() == len(few.cells)
    assert len(seen.page.pdf()) > 50_000


def test_paper_is_white_and_the_page_is_as_before(browser, few, make_folder):
    seen = visit(browser, render(make_folder(few)), drawn=True, color_scheme="dark")
    ink = "() => getComputedStyle(document.querySelector('[data-chart=tradeoff] .xtitle')).fill"
    dark = seen.value(ink)
    seen.page.emulate_media(media="print")
    assert seen.value("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    seen.value("() => dispatchEvent(new Event('beforeprint'))")
    assert seen.value(ink) != dark
    seen.page.emulate_media(media="screen")
    seen.value("() => dispatchEvent(new Event('afterprint'))")
    seen.page.wait_for_function(f"() => ({ink})() === {json.dumps(dark)}")


def test_a_page_of_a_run_that_lasts_reloads_itself_and_can_be_paused(browser, few, make_folder):
    path = render(make_folder(few), live=Live(done=1, total=4, trained=5, trainings=20, left=57.4, every=2))
    seen = visit(browser, path, "#model=ghostface")
    told = seen.page.locator("[data-live]").inner_text().replace(THIN, " ")
    assert "5 of 20 trainings and 1 of 4 cells done, about 58 s left" in told
    seen.value("() => { window.before = true; }")
    seen.page.wait_for_function("() => !window.before && document.documentElement.dataset.ready === 'yes'")
    assert "model=ghostface" in seen.hash
    seen.value("() => scrollTo(0, 700)")
    seen.page.wait_for_function("() => !window.before && document.documentElement.dataset.ready === 'yes'")
    seen.page.get_by_role("button", name="Pause").click()
    seen.value("() => { window.before = true; }")
    seen.page.wait_for_timeout(3000)
    assert seen.value("() => window.before") is True
    assert "reloads itself" not in seen.page.locator("[data-live]").inner_text()
    render(path.parent)
    assert visit(browser, path).page.locator("[data-live]").count() == 0


def test_long_tables_come_in_pieces(browser, make_results, make_folder):
    many = make_results(seeds=tuple(range(14)), models=["ghostface"], augmentations=["none", "randaug"])
    seen = visit(browser, render(make_folder(many)))
    total = len(many.cells)
    assert total > 50
    assert seen.page.locator(ROWS).count() == 50
    seen.page.locator("#cells-table [data-more]").click()
    assert seen.page.locator(ROWS).count() == total
    assert seen.texts("[data-count=cells]") == [f"{total} rows"]


def test_a_condensed_page_opens_and_says_what_it_leaves_out(browser, few, make_folder, monkeypatch):
    monkeypatch.setattr(condensed, "MOST_CELLS", 3)
    monkeypatch.setattr(condensed, "DETAILED", 2)
    seen = visit(browser, render(make_folder(few)), f"#cell={quote('a/cell/elsewhere')}")
    (said,) = seen.texts("[data-cell] .none")
    assert said.startswith("This page has no details of cell \u201ca/cell/elsewhere\u201d")
    assert said.endswith("2 cells are in results.csv and results.json alone.")
    assert seen.page.locator('[data-table="groups"] tbody tr').count() == 4
    assert seen.page.locator(ROWS).count() == 2
    for chart in ("groups", "ranges"):
        seen.page.locator(f"[data-chart={chart}]").scroll_into_view_if_needed()
        seen.page.wait_for_selector(f"[data-chart={chart}] .main-svg")
    assert not seen.complaints
    seen.page.set_viewport_size({"width": 390, "height": 800})
    seen.page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    seen.page.get_by_role("button", name="Sources").click()
    shown = seen.value(
        "() => getComputedStyle(document.querySelector('[data-table=groups] tbody td.n'), '::after').content"
    )
    assert "number of results.json#/cells/* where model=ghostface" in shown


@pytest.mark.parametrize(("kind", "width"), [("few", 360), ("few", 800), ("broken_promise", 390)])
def test_a_narrow_window_needs_no_sideways_scrolling(browser, make_folder, kind, width, request):
    seen = visit(browser, render(make_folder(request.getfixturevalue(kind))), drawn=True)
    seen.page.set_viewport_size({"width": width, "height": 800})
    fits = f"() => document.documentElement.scrollWidth <= {width}"
    seen.page.wait_for_function(fits)  # charts follow the window one after another
    assert seen.value(fits)
