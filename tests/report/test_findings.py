import pytest

from fer_audit.report.findings import direction, findings, widened
from fer_audit.results import Estimate


def around(value, half):
    return Estimate(value=value, low=value - half, high=value + half)


def titles(results):
    return [finding.title for finding in findings(results)]


def with_interval_half(results, half):
    """The same point estimates with intervals of another width."""

    def attack(found):
        return found.model_copy(update={"auc": around(found.auc.value, half)})

    def cell(found):
        privacy = found.privacy.model_copy(update={"attacks": [attack(one) for one in found.privacy.attacks]})
        balanced = around(found.utility.balanced_accuracy.value, half)
        utility = found.utility.model_copy(update={"balanced_accuracy": balanced})
        return found.model_copy(update={"privacy": privacy, "utility": utility})

    return results.model_copy(update={"cells": [cell(found) for found in results.cells]})


def test_one_comparison_keeps_the_interval():
    assert widened(around(0.6, 0.1), 1) == pytest.approx((0.5, 0.7))


def test_more_comparisons_widen_it():
    low, high = widened(around(0.6, 0.1), 20)
    assert low < 0.5
    assert high > 0.7


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (around(0.6, 0.04), around(0.5, 0.04), 1),
        (around(0.5, 0.04), around(0.6, 0.04), -1),
        (around(0.6, 0.05), around(0.5, 0.05), 0),
        (around(0.6, 0.2), around(0.5, 0.01), 0),
        (Estimate(value=0.9), around(0.5, 0.01), 0),
        (Estimate(value=None), around(0.5, 0.01), 0),
    ],
    ids=["above", "below", "touching", "overlapping", "no interval", "no value"],
)
def test_direction_needs_separate_intervals(one, other, expected):
    assert direction(one, other, 1) == expected


def test_wide_intervals_claim_nothing(results):
    found = findings(with_interval_half(results, 0.45))
    assert {finding.tone for finding in found} <= {"open", "plain", "bad"}
    said = " ".join(finding.title for finding in found)
    assert "No leak can be shown" in said
    assert "No cell can be told from chance" in said
    assert said.count("no difference can be shown") == 2
    assert "No harm of corrupted labels" in said
    text = " ".join(finding.text for finding in found)
    assert " is lower in" not in text
    assert " is higher in" not in text


def test_an_auc_that_straddles_one_half_is_no_leak(results):
    found = next(finding for finding in findings(with_interval_half(results, 0.4)) if "leak" in finding.title)
    assert found.tone == "open"
    assert "no proof" in found.text


def test_narrow_intervals_show_what_the_numbers_say(results):
    found = {finding.title: finding for finding in findings(with_interval_half(results, 0.0005))}
    assert "Membership leaks from 16 of 16 attacked cells" in found
    effect = found["What augmentation does to leakage"]
    assert effect.tone == "good"
    assert "lower in 12 of 12 comparisons with mixup" in effect.text


def test_a_mixed_effect_is_neither_good_nor_bad(results):
    cells = list(with_interval_half(results, 0.0005).cells)
    raised = [a.model_copy(update={"auc": around(0.95, 0.0005)}) for a in cells[2].privacy.attacks]
    cells[2] = cells[2].model_copy(update={"privacy": cells[2].privacy.model_copy(update={"attacks": raised})})
    found = {finding.title: finding for finding in findings(results.model_copy(update={"cells": cells}))}
    assert found["What augmentation does to leakage"].tone == "plain"
    assert "higher in" in found["What augmentation does to leakage"].text


def test_without_attacks_leakage_is_unknown(make_results):
    assert "Leakage is unknown" in titles(make_results(attacks={}))


def test_an_incomplete_grid_is_said_first(results):
    undone = {"status": "failed", "utility": None, "privacy": None}
    cells = [results.cells[0].model_copy(update=undone), *results.cells[1:]]
    found = findings(results.model_copy(update={"cells": cells}))
    assert found[0].title == "The grid is not complete"
    assert "1 failed and 0 are missing of 16 cells" in found[0].text


def test_costs_are_compared_as_counts(results):
    assert "4.8 times as many" in next(f.text for f in findings(results) if "models cost" in f.title)
