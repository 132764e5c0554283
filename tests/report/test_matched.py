"""Comparisons at equal accuracy: what is shown, once intervals are widened, and what can't be compared."""

import pytest

from fer_audit.report.comparison import widened
from fer_audit.report.findings import findings
from fer_audit.report.matched import matched, matched_table, unmatched
from fer_audit.results import Estimate


def around(value, half):
    return Estimate(value=value, low=value - half, high=value + half)


def with_differences(results, *values, half=0.02):
    """The first comparisons, with these differences."""
    pairs = zip(results.matched, values, strict=False)
    found = [one.model_copy(update={"difference": around(value, half)}) for one, value in pairs]
    return results.model_copy(update={"matched": found})


def told(results):
    (found,) = [one for one in findings(results) if "equal accuracy" in one.title or "the accuracy of" in one.title]
    return found


def test_every_comparison_is_a_row(private):
    table = matched_table(private)
    assert len(table.rows) == len(private.matched) > 0
    assert {len(row) for row in table.rows} == {len(table.columns)}
    first = private.matched[0]
    cells = {cell.id: cell for cell in private.cells}
    cell, attack, accuracy, between, auc, reference, difference, word = table.rows[0]
    assert (cell.cell, attack.text) == (first.cell, first.attack.name)
    assert (accuracy.sort, reference.sort, difference.sort) == (
        first.accuracy,
        first.reference,
        first.difference.value,
    )
    assert between.text.endswith(cells[first.below].defence)
    assert between.note.endswith(cells[first.above].defence)
    assert auc.sort - reference.sort == pytest.approx(difference.sort)
    assert (word.text, word.tone) == ("more", "bad")


def test_the_interval_is_widened_for_all_comparisons(private):
    # Alone 0.025 lies further from 0 than 0.02, and among three it does: 0.02 * 2.39 / 1.96 is 0.0244; among four not.
    three = with_differences(private, 0.025, 0.0, 0.0)
    four = with_differences(private, 0.025, 0.0, 0.0, 0.0)
    assert widened(around(0.025, 0.02), 3)[0] > 0 > widened(around(0.025, 0.02), 4)[0]
    assert [one.sign for one in matched(three)] == [1, 0, 0]
    assert [one.sign for one in matched(four)] == [0, 0, 0, 0]
    assert matched_table(four).rows[0][-1].text == "not told apart"


def test_a_difference_without_an_interval_shows_nothing(private):
    first = private.matched[0].model_copy(update={"difference": Estimate(value=0.3, note="no interval")})
    (one,) = matched(private.model_copy(update={"matched": [first]}))
    assert one.sign == 0


def test_a_comparison_of_a_cell_or_an_attack_that_is_gone_is_left_out(private):
    first = private.matched[0]
    gone = first.model_copy(update={"cell": "nobody"})
    other = first.model_copy(update={"attack": first.attack.model_copy(update={"params": {"gamma": 2}})})
    assert matched(private.model_copy(update={"matched": [gone, other]})) == []


@pytest.mark.parametrize(
    ("values", "title", "tone"),
    [
        ((0.1, 0.0), "Leakage at the accuracy of private training", "bad"),
        ((-0.1, 0.0), "Leakage at the accuracy of private training", "good"),
        ((0.1, 0.0, 0.0, -0.1), "Leakage at the accuracy of private training", "plain"),
        ((0.01, -0.005), "At equal accuracy no difference to private training can be shown", "open"),
    ],
)
def test_a_finding_says_which_cell_leaks_more_or_less(private, values, title, tone):
    found = told(with_differences(private, *values))
    assert (found.title, found.tone) == (title, tone)
    assert f"Of {len(values)} comparisons with private training of the same accuracy" in found.text


def test_the_sentence_holds_the_difference_with_its_interval(private):
    text = told(with_differences(private, 0.07, 0.0, 0.0, -0.1)).text
    assert "1 show more leakage and 1 less." in text
    assert "Furthest above: ghostface \u00b7 none, by shadow-mia, +0.070 (+0.050\u2013+0.090) AUC." in text
    assert "by shadow-mia, \u22120.100 (\u22120.120 to \u22120.080) AUC." in text


def test_cells_outside_the_range_of_private_training_are_told_with_the_nearest(private):
    found = unmatched(private)
    lines = {True: [], False: []}
    for cell in private.cells:
        lines[cell.guarantee is not None].append(cell)
    best = {
        labels: max(cell.utility.balanced_accuracy.value for cell in lines[True] if cell.label_attack == labels)
        for labels in ("none", "symmetric(rate=0.2)")
    }
    above = [cell for cell in lines[False] if cell.utility.balanced_accuracy.value > best[cell.label_attack]]
    assert len(found) == len(above) > 0
    assert all("is more than all private training has, the nearest 5" in text for text in found)


def test_less_accurate_than_all_private_training_is_told_too(private):
    place = next(at for at, cell in enumerate(private.cells) if cell.defence == "none")
    cell = private.cells[place]
    poor = cell.utility.model_copy(update={"balanced_accuracy": around(0.1, 0.02)})
    cells = [*private.cells[:place], cell.model_copy(update={"utility": poor}), *private.cells[place + 1 :]]
    others = [one for one in private.matched if one.cell != cell.id]
    found = unmatched(private.model_copy(update={"cells": cells, "matched": others}))
    assert (
        "ghostface \u00b7 none: its balanced accuracy, 10.0\u202f% (8.0\u201312.0\u202f%), is less than all" in found[0]
    )


def test_without_private_training_nothing_is_to_be_compared(few):
    assert matched(few) == []
    assert unmatched(few) == []
