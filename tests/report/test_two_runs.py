import base64
import hashlib
import html
import re
import shutil
from pathlib import Path

import pytest

from fer_audit.report.cell_changes import cell_changes
from fer_audit.report.finished_run import FinishedRun
from fer_audit.report.provenance_changes import facts, grid_difference, other_rows, shortened
from fer_audit.report.run_differences import cost_changes, differences, measures
from fer_audit.report.two_runs import TwoRuns, two_runs
from fer_audit.report.two_runs_page import LISTED, two_runs_html, write_two_runs
from fer_audit.results import Estimate, Latency, PluginRecord, RunRecord, SourceFile

HOSTILE = "</script></style><img src=x onerror=\"document.title='owned'\">"
CHROMIUM = shutil.which("chromium")


def run(results, folder="a", **record):
    made = RunRecord(started="2000-01-01T00:00:00+00:00", machine="a machine", git_commit="ab" * 20, git_dirty=False)
    return FinishedRun(Path(folder), results, made.model_copy(update=record))


def runs(one, other, **record):
    return TwoRuns(run(one), run(other, "b", **record))


def with_cells(results, change):
    """The results with `change(cell)` in the place of each cell; a cell that becomes None is gone."""
    return results.model_copy(update={"cells": [new for cell in results.cells if (new := change(cell))]})


def with_accuracy(cell, value, half=0.03):
    estimate = Estimate(value=value, low=value - half, high=value + half, n=700)
    return cell.model_copy(
        update={"utility": cell.utility.model_copy(update={"accuracy": estimate, "training": "f" * 64})}
    )


def told(found):
    return " ".join(f"{one.title}: {one.text}" for one in found.findings())


def test_a_run_does_not_differ_from_itself(few):
    found = runs(few, few)
    assert found.changed == found.shown == []
    assert found.identical
    assert grid_difference(found.one, found.other) == []
    assert not any(change.changed for change in found.costs)
    assert {one.difference.value for one in found.differences} == {0.0}
    assert "No difference: Every number is the same in both runs" in told(found)
    assert "Nothing changed in the provenance" in told(found)
    page = two_runs_html(found)
    assert "Nothing changed." in page
    assert "The text of the grid is the same" in page


def test_one_folder_twice_is_said(few, make_folder):
    folder = make_folder(few)
    assert "A and B are the same folder" in told(two_runs(folder, folder / "results.json"))
    assert "same folder" not in told(runs(few, few))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fer_audit": "9"}, ("software", "fer-audit", "0.0.fixture", "9")),
        ({"packages": {"tensorflow": "2.21.0", "keras": "3.16.0", "numpy": "1.26.4"}}, ("software", "keras")),
        ({"packages": {"tensorflow": "2.21.0", "keras": "3.15.0"}}, ("software", "numpy", "1.26.4", "\u2014")),
        ({"python": "3.11.9"}, ("software", "Python", "3.11.0", "3.11.9")),
        ({"recipe": {"image_size": 48, "epochs": 20, "batch_size": 64, "optimizer": "adamw"}}, ("recipe", "epochs")),
        ({"seeds": [0, 1]}, ("grid", "seeds", "0", "0, 1")),
        (
            {
                "code": [
                    SourceFile(path="plugins/mine.py", sha256="ab" * 32, plugins=["model mine"]),
                    SourceFile(path="plugins/unused.py", sha256="cd" * 32),
                ]
            },
            ("code", "plugins/mine.py", "\u2014", "ab" * 32),
        ),
    ],
)
def test_what_changed_in_the_provenance_comes_first_and_nothing_else_did(few, change, expected):
    other = few.model_copy(update={"provenance": few.provenance.model_copy(update=change)})
    first, *rest = facts(run(few), run(other))
    assert (first.group, first.name, first.one, first.other)[: len(expected)] == expected
    assert first.changed
    assert not any(fact.changed for fact in rest)


def test_recipes_are_told_apart_field_by_field(few):
    recipes = ({"optimizer": {"name": "adamw", "learning_rate": rate}} for rate in (0.1, 0.2))
    one, other = (
        few.model_copy(update={"provenance": few.provenance.model_copy(update={"recipe": recipe})})
        for recipe in recipes
    )
    changed = [fact for fact in facts(run(one), run(other)) if fact.changed]
    assert [(fact.name, fact.one, fact.other) for fact in changed] == [("optimizer learning_rate", "0.1", "0.2")]


def test_machine_and_commit_are_facts_where_they_are_known(few):
    changed = runs(few, few, machine="another", git_commit="cd" * 20, git_dirty=True).changed
    assert [(fact.name, fact.other) for fact in changed] == [
        ("machine", "another"),
        ("Git commit", "cd" * 20),
        ("changes not committed", "yes"),
    ]
    assert shortened("cd" * 20) == "cdcdcdcdcdcd\u2026"
    unknown = TwoRuns(run(few), FinishedRun(Path("b"), few, None))
    assert {fact.other for fact in unknown.changed} == {"\u2014"}


def test_other_data_are_a_warning(few):
    dataset = few.dataset.model_copy(update={"digest": "00" * 32})
    found = runs(few, few.model_copy(update={"dataset": dataset}))
    assert other_rows(found.one, found.other)
    assert "need not be of the same rows" in told(found)
    assert "need not be of the same rows" not in told(runs(few, few))


def test_grids_are_a_unified_diff(few):
    text = few.provenance.grid_text.replace("mobilenet-v2", "resnet-18")
    other = few.model_copy(update={"provenance": few.provenance.model_copy(update={"grid_text": text})})
    lines = grid_difference(run(few), run(other))
    assert lines[:2] == ["--- A", "+++ B"]
    assert "-models: [ghostface, mobilenet-v2]" in lines
    assert "+models: [ghostface, resnet-18]" in lines
    assert '<span class="new">+models: [ghostface, resnet-18]</span>' in two_runs_html(runs(few, other))


def test_cells_are_matched_by_their_id(few):
    first, second, *others = few.cells
    new = first.model_copy(update={"id": "new"})
    found = cell_changes(few, few.model_copy(update={"cells": [new, *others, second]}))
    assert [one.id for one, _ in found.both] == [cell.id for cell in few.cells[1:]]
    assert all(one.id == other.id for one, other in found.both)
    assert (found.only_one, found.only_other) == ([first], [new])


def test_status_changes_are_told_with_their_error(few):
    gone = {"status": "failed", "error": "ValueError: the first line\nthe second", "utility": None, "privacy": None}
    failed = few.cells[1].id
    found = runs(few, with_cells(few, lambda c: c.model_copy(update=gone) if c.id == failed else c))
    assert [(one.status, other.status) for one, other in found.cells.statuses] == [("done", "failed")]
    assert f"{failed}: done in A, failed in B" in told(found)
    page = two_runs_html(found)
    assert "ValueError: the first line" in page
    assert "the second" not in page


def test_the_same_name_with_other_code_is_told(few):
    def coded(source):
        plugin = PluginRecord(name="ghostface", source=source)
        return with_cells(few, lambda cell: cell.model_copy(update={"model_plugin": plugin}))

    assert runs(coded("aa"), coded("bb")).cells.plugins == ["model ghostface: other code"]
    assert runs(coded("aa"), coded("aa")).cells.plugins == []
    assert runs(few, coded("bb")).cells.plugins == []  # the code of A is not known


def test_other_parameters_of_the_same_name_are_told(few):
    plugin = PluginRecord(name="ghostface", params={"width": 2})
    other = with_cells(few, lambda cell: cell.model_copy(update={"model_plugin": plugin}))
    assert runs(few, other).cells.plugins == ["model ghostface: other parameters"]


def test_differences_are_b_less_a_and_unpaired(few):
    cell = few.cells[0]
    one, other = (with_cells(few, lambda c, v=v: with_accuracy(c, v)) for v in (0.6, 0.62))
    found = next(d for d in runs(one, other).differences if d.measure.title == "accuracy" and d.cell.id == cell.id)
    assert found.difference.value == pytest.approx(0.02)
    assert found.difference.low == pytest.approx(0.02 - 0.03 * 2**0.5)
    assert (found.sign, found.word, found.tone) == (0, "not shown", "plain")


def test_what_can_be_shown_comes_first_and_only_that_is_marked(few):
    target = few.cells[2].id
    other = with_cells(few, lambda c: with_accuracy(c, c.utility.accuracy.value - 0.3) if c.id == target else c)
    found = runs(few, other)
    (shown,) = found.shown
    assert found.differences[0] is shown
    assert (shown.cell.id, shown.measure.title, shown.word, shown.tone) == (target, "accuracy", "lower in B", "bad")
    assert f"1 of {len(found.differences)} numbers: accuracy is lower in B in 1 cell." in told(found)


def test_a_difference_must_pass_the_widened_interval(few):
    """Just beyond its own interval, a difference among many may be there by chance."""
    half = 0.03
    one, other = (with_cells(few, lambda c, v=v: with_accuracy(c, v, half)) for v in (0.5, 0.5 + 1.05 * 2**0.5 * half))
    pairs = cell_changes(one, other).both
    alone = [d for d in differences(pairs) if d.measure.title == "accuracy"]
    assert all(d.difference.low > 0 for d in alone)
    assert not any(d.sign for d in alone)


@pytest.mark.parametrize(
    ("title", "tone"),
    [("accuracy", "good"), ("AUC of shadow-mia", "bad"), ("mCE", "bad"), ("PGD accuracy at 8/255", "good")],
)
def test_every_measure_knows_what_is_better(results, title, tone):
    pairs = cell_changes(results, results).both
    (found,) = [d for d in differences(pairs) if d.measure.title == title][:1]
    assert type(found)(**vars(found) | {"sign": 1}).tone == tone
    assert type(found)(**vars(found) | {"sign": -1}).tone == {"good": "bad", "bad": "good"}[tone]


def test_measures_are_those_that_both_runs_have(results):
    fewer = with_cells(
        results, lambda c: c.model_copy(update={"privacy": c.privacy.model_copy(update={"attacks": []})})
    )
    every = {one.title for one in measures(cell_changes(results, results).both)}
    left = {one.title for one in measures(cell_changes(results, fewer).both)}
    assert every - left == {
        f"{what} of {name}"
        for what in ("AUC", "TPR at 1 % FPR")
        for name in ("shadow-mia", "loss-threshold", "confidence-entropy")
    }
    assert "Attacks only in A: shadow-mia, loss-threshold and confidence-entropy" in told(runs(results, fewer))
    assert {d.measure.title for d in differences(cell_changes(results, results).both)} == every


def test_attacks_with_other_parameters_are_other_attacks(few):
    def with_params(cell):
        attacks = [
            one.model_copy(update={"attack": PluginRecord(name=one.attack.name, params={"k": 3})})
            for one in cell.privacy.attacks
        ]
        return cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"attacks": attacks})})

    found = runs(few, with_cells(few, with_params))
    assert not any("AUC" in one.measure.title for one in found.differences)
    assert 'Attacks only in B: shadow-mia {"k": 3}' in told(found)


def test_what_the_data_cannot_resolve_is_not_compared(few):
    unknown = Estimate(value=None, note="not resolvable (needs at least 100)")

    def lost(cell):
        return cell.model_copy(update={"utility": cell.utility.model_copy(update={"accuracy": unknown})})

    titles = {one.measure.title for one in runs(few, with_cells(few, lost)).differences}
    assert "accuracy" not in titles
    assert "balanced accuracy" in titles


def test_invalid_attacks_are_not_compared(few):
    def spoilt(cell):
        return cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"invalid": "the splits differ"})})

    found = runs(few, with_cells(few, spoilt))
    assert not any("AUC" in one.measure.title for one in found.differences)


def test_mce_needs_the_same_baseline(few):
    def moved(cell):
        return cell.model_copy(update={"corruptions": cell.corruptions.model_copy(update={"baseline": "another"})})

    found = runs(few, with_cells(few, moved))
    assert not any(one.measure.title == "mCE" for one in found.differences)
    assert "mCE can't be compared" in told(found)
    assert any(one.measure.title == "mCE" for one in runs(few, few).differences)


def test_counts_are_exact_and_times_show_nothing(few):
    costs = [cost.model_copy(update={"macs": cost.macs + 1}) for cost in few.costs]
    slow = Latency(model="ghostface", image_size=48, p50_ms=9.0, p95_ms=9.5, runs=50)
    fast = slow.model_copy(update={"p50_ms": 1.0})
    found = cost_changes(run(few, latencies=[slow]), run(few.model_copy(update={"costs": costs}), latencies=[fast]))
    assert [one.measure for one in found if one.changed] == ["macs"] * len(costs)
    (time,) = [one for one in found if not one.exact]
    assert (time.measure, time.one, time.other, time.changed) == ("p50 ms", 9.0, 1.0, False)


def test_the_very_same_training_is_told(few):
    moved = with_cells(few, lambda c: c.model_copy(update={"status": "missing"}) if c is few.cells[0] else c)
    assert "In 4 of 4 cells both runs have the very same utility model" in told(runs(few, moved))
    other = with_cells(few, lambda c: with_accuracy(c, 0.5))
    assert "very same utility model" not in told(runs(few, other))


def test_no_cell_in_both_is_said(few):
    other = with_cells(few, lambda c: c.model_copy(update={"id": f"other/{c.id}"}))
    assert "No cell is in both runs" in told(runs(few, other))
    assert two_runs_html(runs(few, other)).count("<table>") == 3  # facts, cells in one run only, costs


def test_answers_alone_can_be_compared(audited):
    found = runs(audited, audited)
    assert {one.measure.title.partition(" of ")[0] for one in found.differences} == {"AUC", "TPR at 1 % FPR"}
    assert "<h2>Costs" not in two_runs_html(found)


def test_lines_that_differ_are_marked(few):
    target = few.cells[2].id
    other = with_cells(few, lambda c: with_accuracy(c, c.utility.accuracy.value - 0.3) if c.id == target else c)
    found = runs(few, other)
    page = two_runs_html(found)
    body = re.search(r'id="differences-table".*?</table>', page, re.DOTALL).group()
    assert body.count("<tr data-same>") == len(found.differences) - 1
    assert body.count('<span class="tag bad">lower in B</span>') == 1
    assert "\u221230.0 points" in body


def test_long_lists_are_cut_and_say_so(few, monkeypatch):
    found = runs(few, few)
    monkeypatch.setattr("fer_audit.report.two_runs_page.LISTED", 5)
    assert f"{len(found.differences) - 5} more that can't be shown are left out" in two_runs_html(found)
    apart = runs(few, with_cells(few, lambda c: c.model_copy(update={"id": f"other/{c.id}"})))
    assert "3 more are left out" in two_runs_html(apart)
    assert LISTED == 1000


def hostile(results):
    def changed(cell):
        plugin = PluginRecord(name=HOSTILE, source="00")
        update = {"id": HOSTILE + cell.id, "model": HOSTILE, "augmentation": HOSTILE, "model_plugin": plugin}
        return cell.model_copy(update=update | {"error": HOSTILE})

    made = with_cells(results, changed)
    costs = [cost.model_copy(update={"model": HOSTILE}) for cost in results.costs]
    recipe, packages = {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}
    told = {"grid_text": HOSTILE, "recipe": recipe, "packages": packages}
    origin = results.provenance.model_copy(update=told)
    return made.model_copy(update={"grid": HOSTILE, "costs": costs, "provenance": origin})


def hostile_runs(few):
    """Two runs in which every text that a user can choose is hostile, and everything differs."""
    one = hostile(few)
    failed = one.cells[0].model_copy(update={"status": "failed", "utility": None})
    code = PluginRecord(name=HOSTILE, source="11")
    cells = [failed, *(cell.model_copy(update={"model_plugin": code}) for cell in one.cells[1:])]
    origin = one.provenance.model_copy(update={"grid_text": f"{HOSTILE} again", "recipe": {HOSTILE: f"{HOSTILE} 2"}})
    other = one.model_copy(update={"cells": [*cells[:-1]], "provenance": origin})
    return TwoRuns(run(one, HOSTILE), run(other, f"{HOSTILE}b", machine=HOSTILE, git_commit=HOSTILE))


def test_names_are_text(few):
    page = two_runs_html(hostile_runs(few))
    assert "<img" not in page
    assert page.count("</script>") == page.count("<script>") == 2
    assert page.count("</style>") == 1
    assert "&lt;img src=x" in page


def test_policy_lets_only_the_scripts_of_the_page_run(few):
    page = two_runs_html(runs(few, few))
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert len(digests) == 2
    assert set(re.findall(r"'sha256-([^']*)'", policy)) == digests
    assert "default-src 'none'" in policy


def test_nothing_is_loaded_from_elsewhere(few):
    page = two_runs_html(runs(few, few))
    assert not re.findall(r"<(?:link|iframe|object|embed|base|form|img)\b|\bsrc=|url\(|@import|https?://", page)
    assert all(target.startswith("#") for target in re.findall(r'\bhref="([^"]*)"', page))
    anchors = {target[1:] for target in re.findall(r'\bhref="([^"]*)"', page)}
    assert anchors <= set(re.findall(r'\bid="([^"]*)"', page))


@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")
def test_only_what_differs_can_be_shown_and_the_page_is_accessible(few, tmp_path):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    target = few.cells[2].id
    other = with_cells(few, lambda c: with_accuracy(c, c.utility.accuracy.value - 0.3) if c.id == target else c)
    write_two_runs(runs(few, other), tmp_path / "compare.html")
    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # The policy of the page would keep the checker out as well.
        context = browser.new_context(offline=True, bypass_csp=True)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((tmp_path / "compare.html").as_uri())
        every = page.locator("tbody tr:visible").count()
        page.get_by_label("Show only what differs").focus()
        page.keyboard.press("Space")
        left = page.locator("tbody tr:visible")
        assert left.count() == 1
        assert every > 20
        assert "lower in B" in left.inner_text()
        assert page.locator("#facts-table").inner_text() == "Nothing differs here."
        assert page.locator("#kept").inner_text() == f"1 of {every} lines"
        page.keyboard.press("Space")
        assert page.locator("tbody tr:visible").count() == every
        for _ in range(2):
            found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
            assert found.violations_count == 0, found.generate_report()
            page.click("#theme")
        browser.close()
    assert complaints == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")
def test_the_policy_lets_the_scripts_run_and_hostile_names_do_nothing(few, tmp_path):
    from playwright.sync_api import sync_playwright

    write_two_runs(hostile_runs(few), tmp_path / "compare.html")
    complaints, asked = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "compare.html").as_uri())
        page.check("#only")
        assert page.title().endswith("fer-audit")
        assert page.locator("html").get_attribute("data-theme") in ("light", "dark")
        assert "line" in page.locator("#kept").inner_text()
        browser.close()
    assert complaints == []
    assert asked == [(tmp_path / "compare.html").as_uri()]
