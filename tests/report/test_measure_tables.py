"""Tables of corrupted labels, corrupted images and heat maps."""

import pytest

from fer_audit.report.adversarial import adversarial_table
from fer_audit.report.batch_invariance import batch_invariance_table
from fer_audit.report.corrupted_rows import corrupted_rows_table
from fer_audit.report.corruptions import corruption_errors_table, corruptions_table
from fer_audit.report.explanations import explanations_table
from fer_audit.report.label_errors import label_errors_table
from fer_audit.report.noise import noise_area_table, noise_table
from fer_audit.report.numbers import interval, points, ratio
from fer_audit.report.tables import corruption_remarks

TABLES = (
    *(noise_table, noise_area_table, corrupted_rows_table, label_errors_table, corruptions_table),
    *(corruption_errors_table, adversarial_table, batch_invariance_table, explanations_table),
)


def column(table, title):
    """The entries below a head."""
    place = [one.title for one in table.columns].index(title)
    return [row[place] for row in table.rows]


@pytest.mark.parametrize("make", TABLES)
def test_rows_are_as_long_as_the_head(make, results, make_results):
    for found in (results, make_results(seeds=(0, 1), augmentations=["none"])):
        table = make(found)
        assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize("make", TABLES)
def test_what_was_not_measured_has_no_row(make, results, unmeasured):
    cells = [cell.model_copy(update=unmeasured) for cell in results.cells]
    assert make(results.model_copy(update={"cells": cells, "noise_curves": []})).rows == ()


def test_noise_has_every_point_and_the_shared_clean_one_once(results):
    table = noise_table(results)
    symmetric, flips = results.noise_curves[:2]
    assert [entry.note for entry in column(table, "Cells")[:7]] == [
        "clean labels",
        *(point.label_attack for curve in (symmetric, flips) for point in curve.points[1:]),
    ]
    assert [entry.sort for entry in column(table, "Accuracy")[:4]] == [one.accuracy.value for one in symmetric.points]
    drops = column(table, "Balanced drop")
    assert drops[0].text == "\u2014"
    assert drops[3].sort == symmetric.points[3].balanced_drop.value
    assert drops[3].note == interval(symmetric.points[3].balanced_drop, points)


def test_curves_have_their_area(results):
    table = noise_area_table(results)
    assert [entry.sort for entry in column(table, "Mean accuracy")] == [one.area.value for one in results.noise_curves]
    assert [entry.note for entry in column(table, "Curve")] == [one.kind for one in results.noise_curves]


def test_corrupted_rows_are_those_of_the_last_epoch(results):
    table = corrupted_rows_table(results)
    done = [cell.memorisation for cell in results.cells if cell.memorisation]
    assert [entry.sort for entry in column(table, "Corrupted rows")] == [one.corrupted_rows for one in done]
    for title, field in (("Memorised", "memorised"), ("Recovered", "recovered"), ("Clean rows", "clean_accuracy")):
        assert [entry.sort for entry in column(table, title)] == [getattr(one, field).value for one in done]


def test_label_errors_stand_beside_chance_and_link_their_rows(results):
    table = label_errors_table(results)
    clean, noisy = results.cells[0].label_errors, results.cells[1].label_errors
    assert [entry.sort for entry in column(table, "Suspected")[:2]] == [clean.suspected, noisy.suspected]
    assert [entry.sort for entry in column(table, "Average precision")[:2]] == [None, noisy.average_precision.value]
    assert column(table, "Chance")[1].sort == noisy.chance
    for title, level in (("Precision at 10", "10"), ("at 100", "100"), ("at as many", "corrupted")):
        assert column(table, title)[1].note == interval(noisy.precision_at[level])
    assert column(table, "All rows")[1].link == "./suspects/a%20cell.csv"


def test_corruptions_name_the_baseline(results):
    table = corruptions_table(results)
    assert [entry.text for entry in column(table, "Baseline")[:2]] == ["itself", "ghostface \u00b7 none"]
    assert [entry.sort for entry in column(table, "mCE")] == [cell.corruptions.mce.value for cell in results.cells]
    assert column(table, "Corrupted")[1].note == interval(results.cells[1].corruptions.accuracy)


def test_every_kind_has_its_error(results):
    table = corruption_errors_table(results)
    for kind in results.cells[3].corruptions.kinds:
        assert column(table, kind.kind)[3].note == interval(kind.error, ratio)


def test_a_kind_that_a_cell_lacks_is_unknown(results):
    done = results.cells[1].corruptions
    less = results.cells[1].model_copy(update={"corruptions": done.model_copy(update={"kinds": done.kinds[1:]})})
    table = corruption_errors_table(results.model_copy(update={"cells": [results.cells[0], less]}))
    assert column(table, done.kinds[0].kind)[1].text == "\u2014"


def test_adversarial_accuracy_of_every_attack_and_epsilon(results):
    table = adversarial_table(results)
    for point in results.cells[2].adversarial.points:
        entry = column(table, f"{point.attack.upper()}, {point.epsilon:g}")[2]
        assert (entry.sort, entry.note) == (point.accuracy.value, interval(point.accuracy))
    assert column(table, "Largest change")[2].sort == 8


def test_a_model_that_depends_on_the_batch_fails(results):
    verdicts = column(batch_invariance_table(results), "Verdict")
    assert [entry.text for entry in verdicts].count("failed") == 1
    assert (verdicts[3].tone, verdicts[3].note) == ("bad", results.cells[3].batch_invariance.explanation)
    assert verdicts[0].tone == "good"


def test_heat_maps_are_judged_by_the_interval_of_the_difference(results):
    table = explanations_table(results)
    done = results.cells[0].explanation
    assert [entry.sort for entry in column(table, "Heat maps")[:4]] == [one.value.value for one in done.measures]
    assert [entry.sort for entry in column(table, "Random maps")[:4]] == [one.baseline.value for one in done.measures]
    assert [entry.tone for entry in column(table, "Verdict")[:4]] == ["good", "good", "good", "open"]
    assert [entry.note for entry in column(table, "Measure")[:2]] == ["lower is better", "higher is better"]
    assert column(table, "Layer")[0].note == "7 \u00d7 7"


def test_a_cell_without_heat_maps_says_why(results):
    refused = [row for row in explanations_table(results).rows if row[1].text == "no heat maps"]
    assert [row[1].note for row in refused] == [results.cells[2].explanation.refused]


def test_remarks_name_the_label_attack_and_the_seed(make_results):
    results = make_results(seeds=(0, 1), augmentations=["none"])
    (remark,) = results.cells[2].corruption.remarks
    assert corruption_remarks(results) == [f"symmetric(rate=0.2), seed {seed}: {remark}" for seed in (0, 1)]
