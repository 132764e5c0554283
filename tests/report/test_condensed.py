"""The page of a grid with too many cells for a line each: groups and a few cells, and every number has its place."""

import csv
import html
import json
import re
import statistics

import pytest

from fer_audit.report import condensed as module
from fer_audit.report.charts import groups as group_figures
from fer_audit.report.findings import findings
from fer_audit.report.gates import judge, verdict
from fer_audit.report.headline import headline
from fer_audit.report.live import Live
from fer_audit.report.page import render
from fer_audit.report.payload import unpacked
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Cell, Gate, read_results, write_results

LIMIT, SHOWN = 100, 10
WHERE = re.compile(
    r"(mean|number) of results\.json#/cells/\*(?:/(\S+?))?(, the largest of each cell that is not invalid,)? where (.*)"
)
MINUS = "\u2212"
RANGED = {one.key: one for one in group_figures.RANGED}


def moved(cell, seed):
    """The cell with another seed, a hundredth more accurate and easier to attack for each."""

    def up(found):
        return found.model_copy(update={"value": found.value + seed / 100})

    utility = cell.utility.model_copy(update={"balanced_accuracy": up(cell.utility.balanced_accuracy)})
    attacks = [attack.model_copy(update={"auc": up(attack.auc)}) for attack in cell.privacy.attacks]
    privacy = cell.privacy.model_copy(update={"attacks": attacks})
    return cell.model_copy(update={"id": f"{cell.id}-{seed}", "seed": seed, "utility": utility, "privacy": privacy})


@pytest.fixture(scope="module")
def made(results, tmp_path_factory):
    """The folder of a condensed page of 112 cells, of which one failed and one is missing."""
    cells = [moved(cell, seed) for cell in results.cells for seed in range(7)]
    undone = {name: None for name, field in Cell.model_fields.items() if not field.is_required() and not field.default}
    undone |= {"error": "it broke", "defence": "none"}
    for place, status in ((30, "failed"), (31, "missing")):
        cells[place] = cells[place].model_copy(update=undone | {"status": status})
    gates = [Gate(metric="mia_auc", max=0.6), Gate(metric="balanced_accuracy", min=0.1)]
    folder = tmp_path_factory.mktemp("condensed")
    some = {"cells": cells, "gates": gates, "galleries": [], "sheets": []}
    write_results(results.model_copy(update=some), folder / "results.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_CELLS", LIMIT)
        patch.setattr(module, "DETAILED", SHOWN)
        render(folder)
    return folder


@pytest.fixture(scope="module")
def large(made):
    return read_results(made / "results.json")


@pytest.fixture(scope="module")
def document(made):
    return json.loads((made / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(made):
    """The page without scripts and packed data, and the data."""
    return text_of(made)


def text_of(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    data = unpacked(re.search(r'id="payload">([^<]*)<', text).group(1))
    bare = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(bare), data


def resolved(document, pointer):
    """What stands at a JSON pointer."""
    value = document
    for step in pointer.partition("#")[2].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def matching(results, condition):
    """The cells that a condition such as `model=a, status=failed` is true of."""
    wanted = dict(part.split("=", 1) for part in re.split(r", (?=\w+=)", condition))
    return [cell for cell in results.cells if all(getattr(cell, name) == value for name, value in wanted.items())]


def computed(results, where):
    """The number that words such as `mean of results.json#/cells/*/... where ...` describe."""
    what, place, largest, condition = WHERE.fullmatch(where).groups()
    cells = matching(results, condition)
    if what == "number":
        return len(cells)
    if largest:
        assert place == "privacy/attacks/*/auc/value"
        return statistics.fmean(attack.auc.value for cell in cells if (attack := strongest_attack(cell)))
    part, field, _ = place.split("/")
    return statistics.fmean(getattr(cell.utility, field).value for cell in cells if getattr(cell, part))


def test_everything_on_a_condensed_page_has_its_place(page, large, document):
    _, data = page
    kinds = {"computed": 0, "quoted": 0}
    for name, table in data["tables"].items():
        for row in table["rows"]:
            for column, (text, sort, *more) in zip(table["columns"], row, strict=True):
                where = more[4] if len(more) > 4 else ""
                if column["numeric"] and re.search(r"\d", text):
                    assert where, (name, column["title"], text)
                if where and not where.startswith("results.json"):
                    if where.startswith("run.json"):
                        continue
                    assert sort == pytest.approx(computed(large, where), rel=1e-12), where
                    kinds["computed"] += 1
                elif where:
                    values = [resolved(document, one) for one in where.split(f" {MINUS} ")]
                    assert sort == (values[0] if len(values) == 1 else values[0] - values[1]), where
                    kinds["quoted"] += 1
    assert min(kinds.values()) > 80, kinds


def test_groups_and_a_few_cells_stand_for_all(page, large):
    text, data = page
    assert len(data["cells"]) == len(data["tables"]["cells"]["rows"]) == SHOWN
    groups = data["tables"]["groups"]
    assert len(groups["rows"]) == 16
    titles = [column["title"] for column in groups["columns"]]
    counts = [[row[titles.index(title)][1] for row in groups["rows"]] for title in ("Cells", "Failed", "Missing")]
    assert [sum(found) for found in counts] == [112, 1, 1]
    assert "Defence" not in titles
    rule = "The grid has 112 cells, too many for a line each. Cells of the same model, augmentation and labels are"
    assert f"{rule} put together, whatever their seed: 16 groups in all." in text
    assert f"{SHOWN} of 112 cells are shown one by one" in text
    assert "The other 102 are in results.csv and results.json" in text
    assert data["unshown"] == 102
    assert {cell["id"] for cell in data["cells"]} <= {cell.id for cell in large.cells}
    reasons = {row[0][2] for row in data["tables"]["cells"]["rows"]}
    assert reasons == {"breaks a gate", "leaks most", "least accurate", "most accurate", "failed"}


def test_charts_are_of_groups_and_of_the_shown_cells_at_their_places(page, large):
    _, data = page
    charts = data["charts"]
    assert {"groups", "ranges"} <= set(charts)
    assert "tradeoff" not in charts
    rows = data["tables"]["groups"]["rows"]
    columns = {"auc": "Attack AUC", "balanced_accuracy": "Balanced acc.", "accuracy": "Accuracy"}
    means = {name: {f"{row[titles(data).index(title)][1]:.6g}" for row in rows} for name, title in columns.items()}
    for key, variant in charts["ranges"]["variants"].items():
        assert {f"{x:.6g}" for trace in variant["data"] for x in trace["x"]} == means[key]
        assert variant["source"] == [f"results.json#/cells/*/{RANGED[key].place}"]
    for key, variant in charts["groups"]["variants"].items():
        drawn = {axis: {f"{x:.6g}" for trace in variant["data"] for x in trace[axis]} for axis in "xy"}
        assert drawn == {"x": means["auc"], "y": means[key]}
        assert variant["source"] == [f"results.json#/cells/*/{RANGED[name].place}" for name in (key, "auc")]
    shown = {cell["id"] for cell in data["cells"]}
    for key, variant in charts["confusion"]["variants"].items():
        assert key in shown
        place = int(re.match(r"results\.json#/cells/(\d+)/", variant["source"][0]).group(1))
        assert large.cells[place].id == key


def titles(data):
    return [column["title"] for column in data["tables"]["groups"]["columns"]]


def test_findings_headline_and_gates_are_of_all_cells(page, large, document):
    text, _ = page
    judged = judge(large, None, large.gates)
    assert verdict(judged, large).text in text
    for finding in findings(large):
        assert f"<h3>{finding.title}</h3><p>{finding.text}</p>" in text
    for tile in headline(large):
        assert f"<strong>{tile.value}</strong>" in text
    places = re.findall(r'<dd data-p="([^"]*)"', text) + re.findall(r'<li class="\w+" data-p="([^"]*)"', text)
    for place in (one for found in places for one in re.split(rf", | {MINUS} ", found)):
        assert resolved(document, place) is not None
    assert len(places) >= 6


def test_the_csv_has_every_cell(made, large):
    with (made / "results.csv").open(encoding="utf-8", newline="") as file:
        assert {row["cell"] for row in csv.DictReader(file)} == {cell.id for cell in large.cells}
    assert not list(made.glob(".*.tmp"))


def test_as_many_cells_as_there_may_be_have_a_line_each(few, make_folder, monkeypatch):
    folder = make_folder(few)
    before = render(folder).read_bytes()
    monkeypatch.setattr(module, "MOST_CELLS", len(few.cells))
    assert render(folder).read_bytes() == before
    text, data = text_of(folder)
    assert "too many for a line each" not in text
    assert "groups" not in data["tables"]
    assert "unshown" not in data
    monkeypatch.setattr(module, "MOST_CELLS", len(few.cells) - 1)
    render(folder)
    assert "too many for a line each" in text_of(folder)[0]


def test_a_run_that_has_just_begun_has_a_page(few, make_folder, unmeasured, monkeypatch):
    monkeypatch.setattr(module, "MOST_CELLS", 2)
    cells = [cell.model_copy(update=unmeasured | {"status": "missing"}) for cell in few.cells]
    folder = make_folder(few.model_copy(update={"cells": cells, "noise_curves": [], "galleries": []}))
    render(folder, Live(done=0, total=4, trained=0, trainings=9, left=None, every=5))
    text, data = text_of(folder)
    assert "No cell is done or failed yet" in text
    assert data["cells"] == []
    assert len(data["tables"]["groups"]["rows"]) == 4


@pytest.mark.parametrize("kind", ["private", "broken_promise", "followed", "only_answers", "audited"])
def test_every_kind_of_results_can_be_condensed(kind, request, make_folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_CELLS", 0)
    monkeypatch.setattr(module, "DETAILED", 3)
    results = request.getfixturevalue(kind)
    folder = make_folder(results)
    render(folder)
    text, data = text_of(folder)
    assert len(data["cells"]) == min(3, len(results.cells))
    for finding in findings(results):
        assert f"<p>{finding.text}</p>" in text
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for table in data["tables"].values():
        for row in table["rows"]:
            for entry in row:
                where = entry[6] if len(entry) > 6 else ""
                for place in where.split(f" {MINUS} ") if where.startswith("results.json") else ():
                    assert resolved(document, place) is not None


def test_results_in_memory_make_the_same_page(few, make_folder):
    folder = make_folder(few)
    before = render(folder).read_bytes()
    kept = read_results(folder / "results.json")
    write_results(few.model_copy(update={"grid": "another"}), folder / "results.json")
    assert render(folder, results=kept).read_bytes() == before
