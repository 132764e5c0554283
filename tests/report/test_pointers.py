"""Every number of tables, tiles, findings and charts is found at the place that it names."""

import json
import math
import re

import pytest

from fer_audit.report.adversarial import adversarial_table
from fer_audit.report.audited_models import audited_models_table
from fer_audit.report.batch_invariance import batch_invariance_table
from fer_audit.report.checkpoint_rows import checkpoints_table
from fer_audit.report.corrupted_rows import corrupted_rows_table
from fer_audit.report.corruptions import corruption_errors_table, corruptions_table
from fer_audit.report.cost import cost_table, layer_tables, speed_table
from fer_audit.report.explanations import explanations_table
from fer_audit.report.exposure import exposure_table
from fer_audit.report.findings import findings
from fer_audit.report.guarantees import guarantees_table
from fer_audit.report.headline import headline
from fer_audit.report.hygiene import attributes_table, blind_table, copies_table, sizes_table
from fer_audit.report.label_errors import label_errors_table
from fer_audit.report.matched import matched_table
from fer_audit.report.noise import noise_area_table, noise_table
from fer_audit.report.pointers import Pointers, escaped, holders
from fer_audit.report.promises import promises_table
from fer_audit.report.sections import sections
from fer_audit.report.slices import canaries_table, slices_table
from fer_audit.report.tables import (
    cells_table,
    corruption_table,
    decisions_table,
    memorisation_table,
    splits_table,
)
from fer_audit.report.transferred import transferred_table
from fer_audit.results import (
    BlindCheck,
    CopyCount,
    DataReport,
    Estimate,
    Hygiene,
    ImageSizes,
    Latency,
    RunRecord,
)

NUMBER = re.compile(r"([+\u2212]?)(\d[\d,]*(?:\.\d+)?)(?:e([+-]\d+))?(?:\u202f?(%|[kMGT]?B|[kMGT]\b))?")
UNITS = {"%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
WITHIN = "<\u202f"  #: before the limit that a p-value lies below
EPOCHS = {"accuracy-curves", "loss-curves", "corrupted-rows"}  #: charts whose x is the place in a list


def numbers_in(text, scale=1.0):
    """The numbers that a text shows, each with half a unit of its last digit; `scale` is the unit of bare ones."""
    found = []
    for sign, digits, exponent, unit in NUMBER.findall(text):
        size = UNITS.get(unit[:1], scale if not unit else 1.0) * 10.0 ** int(exponent or 0)
        decimals = len(digits.partition(".")[2])
        value = float(digits.replace(",", "")) * (-1 if sign == "\u2212" else 1)
        found.append((value * size, 0.5 * 10.0**-decimals * size))
    return found


def shows(text, value, scale=1.0):
    """Whether a text that holds one number shows `value`."""
    ((shown, half),) = numbers_in(text, scale)
    if text.startswith(WITHIN):
        return value < shown
    return abs(shown - value) <= half * (1 + 1e-9)


def quotes(text, value):
    """Whether a sentence shows `value` among its numbers: as it is, in percent or in percentage points."""
    every = numbers_in(text) + numbers_in(text, 0.01)
    near = any(abs(shown - value) <= half * (1 + 1e-9) for shown, half in every)
    return near or any(WITHIN + f"{limit:g}" in text and value < limit for limit in (0.001,))


def resolved(documents, pointer):
    """What stands at a pointer, read as RFC 6901 says."""
    file, _, path = pointer.partition("#")
    value = documents[file]
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def matches(value, steps):
    """What stands at all places that a pattern names, `*` being each of a list or of an object."""
    if not steps:
        return [value]
    first, *rest = steps
    if first == "*":
        every = value if isinstance(value, list) else value.values()
        return [one for item in every for one in matches(item, rest)]
    if value is None:
        return []
    here = value[int(first)] if isinstance(value, list) else value[first]
    return matches(here, rest)


def leaves(value):
    """All numbers below a place."""
    if isinstance(value, dict):
        return {number for item in value.values() for number in leaves(item)}
    if isinstance(value, list):
        return {number for item in value for number in leaves(item)}
    return {value} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def hygiene():
    auc = Estimate(value=0.71, low=0.66, high=0.76, n=900)
    check = BlindCheck(one="train", other="test", seed=None, auc=auc, telling="hue", telling_auc=0.7, found=True)
    unknown = {"auc": Estimate(value=None, note="few"), "telling_auc": None, "found": False}
    return Hygiene(
        exact=CopyCount(groups=2, rows=5, conflicting_groups=1, across={"test/train ~ copies": 1_003}),
        near=CopyCount(groups=4, rows=11, conflicting_groups=2, across={}),
        shared_subjects={},
        blind=[check, check.model_copy(update=unknown)],
        remarks=[],
    )


@pytest.fixture(scope="module")
def traced(results):
    """Results with all that a page can show."""
    return results.model_copy(update={"dataset": results.dataset.model_copy(update={"hygiene": hygiene()})})


@pytest.fixture(scope="module")
def run():
    speeds = [
        Latency(model=model, image_size=48, batch=batch, p50_ms=8.44 * batch, p95_ms=131.2, runs=9, images_per_s=1234.5)
        for model in ("ghostface", "mobilenet-v2")
        for batch in (1, 32)
    ]
    return RunRecord(started="2000-01-01T00:00:00+00:00", latencies=speeds)


@pytest.fixture(scope="module")
def documents(traced, run):
    return {"results.json": json.loads(traced.model_dump_json()), "run.json": json.loads(run.model_dump_json())}


def tables(results, run):
    return [
        cells_table(results, run),
        noise_table(results),
        noise_area_table(results),
        corrupted_rows_table(results),
        label_errors_table(results),
        corruptions_table(results),
        corruption_errors_table(results),
        adversarial_table(results),
        batch_invariance_table(results),
        explanations_table(results),
        decisions_table(results),
        transferred_table(results),
        slices_table(results, 60),
        canaries_table(results, 60),
        exposure_table(results, 60),
        memorisation_table(results),
        cost_table(results),
        speed_table(results, run),
        splits_table(results.dataset),
        copies_table(results.dataset.hygiene),
        blind_table(results.dataset.hygiene),
        corruption_table(results),
        *layer_tables(results),
    ]


def check_entry(column, entry, places, documents):
    """The entry says what stands at its places."""
    values = [resolved(documents, place) for place in places]
    value = values[0] if len(values) == 1 else values[0] - values[1]
    assert entry.sort == value, (column.title, entry, places)
    scale = 0.01 if "percentage points" in column.hint else 1.0
    assert shows(entry.text, value, scale), (column.title, entry, places)
    if len(places) == 1 and places[0].endswith("/value"):
        check_interval(entry, resolved(documents, places[0].removesuffix("/value")), scale)


def check_interval(entry, estimate, scale):
    """The ends of an interval, on the first line below the number, stand beside it."""
    span = entry.note.partition("\n")[0]
    found = numbers_in(span, 0.01 if span.endswith("%") else scale)
    ends = [estimate["low"], estimate["high"]]
    assert len(found) == 2, entry
    for (shown, half), end in zip(found, ends, strict=True):
        assert abs(shown - end) <= half * (1 + 1e-9), (entry, ends)


def test_every_number_of_every_table_stands_where_it_says(traced, run, documents):
    pointers = Pointers(traced, run)
    for table in tables(traced, run):
        assert checked(table, pointers, documents), table.id


def checked(table, pointers, documents):
    """How many numbers of a table stand where it says; all that it shows."""
    found = 0
    for row in table.rows:
        for column, entry in zip(table.columns, row, strict=True):
            if column.numeric and any(letter.isdigit() for letter in entry.text):
                assert entry.of, (table.id, column.title, entry)
            if entry.of:
                check_entry(column, entry, pointers.all(entry.of).split(" \u2212 "), documents)
                found += 1
    return found


@pytest.fixture(scope="module", params=["private", "broken_promise"])
def promised(request):
    """Results with promises of privacy."""
    return request.getfixturevalue(request.param)


def test_every_number_of_promises_stands_where_it_says(promised):
    pointers, documents = Pointers(promised), {"results.json": json.loads(promised.model_dump_json())}
    for table in (cells_table(promised, None), guarantees_table(promised), promises_table(promised)):
        assert checked(table, pointers, documents) >= 3 * len(table.rows), table.id
    assert checked(matched_table(promised), pointers, documents) == 4 * len(promised.matched)


def test_findings_of_promises_quote_what_stands_where_they_say(promised):
    pointers, documents = Pointers(promised), {"results.json": json.loads(promised.model_dump_json())}
    told = [(finding, origin) for finding in findings(promised) for origin in finding.of]
    for finding, origin in told:
        assert quotes(finding.text, resolved(documents, pointers.of(origin))), (finding.title, pointers.of(origin))
    places = {pointers.of(origin).rpartition("/")[2] for _, origin in told}
    assert {"lower_bound", "promised", "value"} <= places
    matched = [origin for finding, origin in told if finding.title == "Leakage at the accuracy of private training"]
    assert all(pointers.of(origin).startswith("results.json#/matched/") for origin in matched)
    assert len(matched) == 2


def test_charts_of_private_training_draw_what_stands_below_their_sources(private):
    check_charts(sections(private).charts(), {"results.json": json.loads(private.model_dump_json())})


@pytest.mark.parametrize("kind", ["followed", "permuted", "only_answers"])
def test_every_number_of_models_that_were_given_stands_where_it_says(kind, request):
    given = request.getfixturevalue(kind)
    pointers, documents = Pointers(given), {"results.json": json.loads(given.model_dump_json())}
    made = (audited_models_table(given), checkpoints_table(given), memorisation_table(given), decisions_table(given))
    found = {table.id: checked(table, pointers, documents) for table in made}
    assert found["audited_models"] >= len(given.cells)
    assert (found["checkpoints"] > 0) == (kind == "followed")
    assert checked(splits_table(given.dataset), pointers, documents)
    for tile in headline(given)[1:]:
        assert shows(tile.value, resolved(documents, pointers.all(tile.of)))
    for finding in findings(given):
        for origin in finding.of:
            assert quotes(finding.text, resolved(documents, pointers.of(origin))), finding.title
    check_charts(sections(given).charts(), documents)


def test_an_unknown_number_has_no_place(traced, run):
    entries = [entry for table in tables(traced, run) for row in table.rows for entry in row]
    unknown = [entry for entry in entries if entry.text in {"\u2014", "not resolvable"}]
    assert unknown
    assert not [entry for entry in unknown if entry.of]


def test_every_tile_stands_where_it_says(traced, documents):
    pointers = Pointers(traced)
    cells, *others = headline(traced)
    assert pointers.all(cells.of) == "results.json#/cells"
    found = resolved(documents, "results.json#/cells")
    assert cells.value == f"{sum(cell['status'] == 'done' for cell in found)} of {len(found)}"
    assert len(others) == 3
    for tile in others:
        (origin,) = tile.of
        assert shows(tile.value, resolved(documents, pointers.of(origin)))


def test_the_tile_of_signals_stands_where_it_says(audited):
    tile = headline(audited)[0]
    assert Pointers(audited).all(tile.of) == "results.json#/dataset/pool/rows"
    assert tile.value == "960"


def test_findings_quote_what_stands_where_they_say(traced, documents):
    pointers = Pointers(traced)
    told = findings(traced)
    for finding in told:
        for origin in finding.of:
            value = resolved(documents, pointers.of(origin))
            assert quotes(finding.text, value), (finding.title, pointers.of(origin), value)
    counts_alone = [finding.title for finding in told if not finding.of]
    assert counts_alone == [
        "What augmentation does to leakage",
        "What augmentation does to accuracy",
        "What augmentation does to wrong labels learnt by heart",
        "Not all heat maps can be told from random ones",
    ]


def test_findings_of_finished_cells_have_the_places_of_all_cells(results, unmeasured):
    undone = results.cells[0].model_copy(update=unmeasured | {"status": "failed"})
    some = results.model_copy(update={"cells": [undone, *results.cells[1:]]})
    pointers = Pointers(some)
    best = next(finding for finding in findings(some) if finding.title == "Expressions are recognised")
    assert pointers.all(best.of) == "results.json#/cells/14/utility/balanced_accuracy/value"
    assert best.text.startswith("The best on clean labels, mobilenet-v2 \u00b7 randaug+mixup,")


@pytest.fixture(scope="module")
def charts(traced):
    return sections(traced).charts()


def variants(charts):
    return [(chart, variant) for chart in charts for variant in chart.variants]


def below(documents, variant):
    """The numbers that the sources of a variant lead to."""
    found = set()
    for pattern in variant.source:
        file, _, path = pattern.partition("#")
        here = matches(documents[file], path.split("/")[1:])
        assert [one for one in here if one is not None], pattern
        found |= leaves(here)
    return found


def test_every_chart_names_its_sources(charts):
    assert not [(chart.id, variant.key) for chart in charts for variant in chart.variants if not variant.source]
    assert len(charts) >= 18


def drawn(chart, trace):
    """The numbers that a trace shows, but for places in a list; those of a cross table are written in it."""
    if chart.id == "confusion":
        return [float(text.replace(",", "")) for row in trace["text"] for text in row]
    axes = ("y",) if chart.id in EPOCHS else ("x", "y", "z")
    rows = [trace.get(name) or [] for name in axes]
    flat = [number for row in rows for item in row for number in (item if isinstance(item, list | tuple) else [item])]
    return [number for number in flat if isinstance(number, int | float)]


def test_what_charts_draw_stands_below_their_sources(charts, documents):
    check_charts(charts, documents)


def check_charts(charts, documents):
    """All that the charts draw stands below their sources."""
    for chart, variant in variants(charts):
        known = {f"{number:.9g}" for number in below(documents, variant)}
        if chart.id.startswith("adversarial"):
            known.add("0")  # epsilon 0 is the accuracy without an attack
        traces = [trace for trace in variant.figure.to_plotly_json()["data"] if trace.get("hoverinfo") != "skip"]
        shown = [number for trace in traces for number in drawn(chart, trace)]
        assert shown, (chart.id, variant.key)
        assert {f"{number:.9g}" for number in shown} <= known, (chart.id, variant.key)


def test_epochs_are_counted_from_one(charts, private):
    for chart, variant in variants([*charts, *sections(private).charts()]):
        if chart.id in EPOCHS:
            for trace in variant.figure.data:
                assert list(trace.x) == list(range(1, len(trace.y) + 1))


def test_a_name_is_a_pointer_relative_to_its_record(traced, documents):
    pointers, utility = Pointers(traced), traced.cells[2].utility
    place = pointers.of((utility, "confusion/0/2"))
    assert place == "results.json#/cells/2/utility/confusion/0/2"
    assert resolved(documents, place) == utility.confusion[0][2]
    assert pointers.of((traced.dataset.pool, "per_class/3")) == "results.json#/dataset/pool/per_class/3"
    assert escaped("a/b~c") == "a~1b~0c"


def test_records_that_are_looked_into_later_have_their_place_too(traced):
    pointers = Pointers(traced)
    attack = traced.cells[5].privacy.attacks[1]
    place = "results.json#/cells/5/privacy/attacks/1"
    assert pointers.of((attack.slices[2].auc, "low")) == f"{place}/slices/2/auc/low"
    assert pointers.of((attack.targets[3].confusion, "tp")) == f"{place}/targets/3/confusion/tp"
    assert pointers.under(attack) == place


def test_of_very_many_cells_only_those_are_looked_into_that_hold_what_is_wanted(traced):
    auc, corrupted = traced.cells[3].privacy.attacks[1].auc, traced.cells[9].privacy.attacks[0].slices[4].difference
    wanted = (traced.cells[5], auc, corrupted, traced.dataset.pool)
    every, some = Pointers(traced), Pointers(traced, None, wanted)
    for record in (*wanted, traced.cells[5].utility.accuracy, traced.cells[3].utility, traced.costs[0]):
        assert some.under(record) == every.under(record) != ""
    assert every.under(traced.cells[4])
    assert some.under(traced.cells[4]) == ""
    assert holders(traced.cells, wanted) == {3, 5, 9}
    assert holders(traced.cells, ()) == set()


def test_a_number_of_elsewhere_has_no_place(traced):
    pointers = Pointers(traced)
    assert pointers.of((Estimate(value=0.5), "value")) == ""
    assert pointers.under(RunRecord(started="")) == ""
    assert pointers.all(((traced.costs[0], "macs"), (Estimate(value=0.5), "value"))) == "results.json#/costs/0/macs"


def test_the_page_of_a_dataset_says_where_its_numbers_stand(traced):
    report = DataReport(
        name="faces",
        include_images=False,
        dataset=traced.dataset,
        sizes=[ImageSizes(split="train", smallest=(10, 12), median=(48, 48), largest=(99, 100), grey=0.514)],
        attributes={"age/group": {"old": 3, "~young": 1_200}},
    )
    documents = {"data.json": json.loads(report.model_dump_json())}
    pointers = Pointers(report)
    for table in (splits_table(report.dataset), copies_table(report.dataset.hygiene), attributes_table(report)):
        places = 0
        for row in table.rows:
            for column, entry in zip(table.columns, row, strict=True):
                if entry.of:
                    check_entry(column, entry, [pointers.all(entry.of)], documents)
                    places += 1
        assert places >= 2
    ((_, *sizes, grey),) = sizes_table(report.sizes).rows
    for entry in sizes:
        pair = resolved(documents, pointers.all(entry.of))
        assert (entry.text, entry.sort) == (" x ".join(map(str, pair)), math.prod(pair))
    assert shows(grey.text, resolved(documents, pointers.all(grey.of)))


@pytest.mark.parametrize(
    ("text", "value", "scale"),
    [
        ("71.2\u202f%", 0.7121, 1),
        ("\u22123.4", -0.0342, 0.01),
        ("+0.5", 0.0049, 0.01),
        ("1,234", 1234, 1),
        ("64.7\u202fM", 64_673_166, 1),
        ("1.50\u202fkB", 1501, 1),
        ("180 B", 180, 1),
        ("3.1e-06", 3.12e-6, 1),
        ("<\u202f0.001", 0.0002, 1),
    ],
)
def test_a_shown_number_is_read_as_it_is_written(text, value, scale):
    assert shows(text, value, scale)
    assert not shows(text, value * 1.1 + 0.1, scale)
