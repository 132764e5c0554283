import pytest
from scipy.special import stdtrit

from fer_audit.report.comparison import direction, effects, side, widened
from fer_audit.report.findings import findings
from fer_audit.report.numbers import MINUS, signed
from fer_audit.report.paired import Difference, PairedDifferences, turned
from fer_audit.results import Estimate, PairedDifference, Results


def around(value, half):
    return Estimate(value=value, low=value - half, high=value + half)


def titles(results):
    return [finding.title for finding in findings(results)]


def with_interval_half(results, half):
    """The same point estimates with intervals of another width."""

    def walk(found):
        if isinstance(found, list):
            return [walk(one) for one in found]
        if not isinstance(found, dict):
            return found
        if set(found) == set(Estimate.model_fields) and found["value"] is not None:
            return found | {"low": found["value"] - half, "high": found["value"] + half}
        return {key: walk(one) for key, one in found.items()}

    return Results.model_validate(walk(results.model_dump()))


def about(results, title):
    """The only finding whose title starts so."""
    (found,) = (finding for finding in findings(results) if finding.title.startswith(title))
    return found


def with_measure(results, field, change):
    """The results with a measure of every cell changed."""
    cells = [
        cell.model_copy(update={field: done.model_copy(update=change(done))})
        if (done := getattr(cell, field)) is not None
        else cell
        for cell in results.cells
    ]
    return results.model_copy(update={"cells": cells})


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


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (around(0.6, 0.05), 1),
        (around(0.4, 0.05), -1),
        (around(0.5, 0.05), 0),
        (around(0.6, 0.1), 0),
        (Estimate(value=0.9), 0),
        (Estimate(value=None), 0),
    ],
    ids=["above", "below", "on it", "touching", "no interval", "no value"],
)
def test_a_side_needs_the_whole_interval(estimate, expected):
    assert side(estimate, 0.5, 1) == expected


def test_wide_intervals_claim_nothing(results):
    found = findings(with_interval_half(results, 0.45))
    assert {finding.tone for finding in found} <= {"open", "plain", "bad"}
    said = " ".join(finding.title for finding in found)
    assert "No leak can be shown" in said
    assert "No cell can be told from chance" in said
    assert said.count("no difference can be shown") == 3
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


def test_the_first_findings_are_what_a_reader_must_know(results):
    assert [title.partition(" from ")[0] for title in titles(results)[:5]] == [
        "Membership leaks",
        "Expressions are recognised",
        "What augmentation does to leakage",
        "What augmentation does to accuracy",
        "What corrupted labels cost",
    ]


def test_findings_are_short(results, make_results):
    texts = [finding.text for found in (results, make_results(seeds=(0, 1))) for finding in findings(found)]
    assert max(len(text.split()) for text in texts) <= 55
    assert sum(len(text.split()) for text in texts) <= 40 * len(texts)


def test_many_augmentations_are_counted_together():
    rise, fall, same = (Difference(around(value, 0.001)) for value in (0.2, -0.2, 0.0))
    pairs = [(name, fall) for name in "abcde"] + [("e", same), ("e", rise), ("a", Difference(around(-0.1, 0.001)))]
    pairs += [(name, same) for name in "vwxyz"]
    text = effects("What it does", "it", pairs, "good", signed, " points").text
    assert f"it is lower in 2 of 2 comparisons with a ({MINUS}20.0 to {MINUS}10.0 points); " in text
    assert f"lower in 1 of 1 comparison with b ({MINUS}20.0 points); " in text
    assert "lower in 2 and higher in 1 of 4 comparisons with 2 others." in text
    assert " with d" not in text
    assert text.endswith("For 5 others no difference can be shown at this size.")


def test_augmentations_are_judged_by_paired_differences_where_there_are_any(results):
    plain, mixed = (next(c for c in results.cells if c.augmentation == name) for name in ("none", "mixup"))
    told = around(-0.112, 0.02)
    pair = PairedDifference(metric="balanced_accuracy", cell=mixed.id, baseline=plain.id, difference=told)
    wide = with_interval_half(results, 0.4).model_copy(update={"comparisons": [pair]})
    found = about(wide, "What augmentation does to accuracy")
    assert f"lower in 1 of 4 comparisons with mixup ({MINUS}11.2 points)" in found.text
    assert [(id(record), name) for record, name in found.of] == [(id(told), "value")]


def test_a_paired_difference_is_turned_with_its_interval(results):
    one, other = results.cells[:2]
    told = Estimate(value=0.1, low=0.05, high=0.2)
    pair = PairedDifference(metric="accuracy", cell=one.id, baseline=other.id, difference=told)
    paired = PairedDifferences(results.model_copy(update={"comparisons": [pair]}))
    values = (one.utility.accuracy, other.utility.accuracy)
    assert paired.of("accuracy", (one, other), values).estimate is told
    back = paired.of("accuracy", (other, one), values[::-1])
    assert (back.estimate.value, back.estimate.low, back.estimate.high) == (-0.1, -0.2, -0.05)
    assert turned(back.estimate) == told
    apart = paired.of("balanced_accuracy", (one, other), values).estimate
    assert apart.value == pytest.approx(values[0].value - values[1].value)
    assert apart.method == "square-and-add, unpaired"


def test_intervals_of_few_people_are_widened_by_t():
    few = Estimate(value=0.1, low=0.0, high=0.2, freedom=9)
    many = few.model_copy(update={"freedom": 10_000})
    plain = few.model_copy(update={"freedom": None})
    assert widened(few, 90)[1] == pytest.approx(0.1 + 0.1 * stdtrit(9, 1 - 0.025 / 90) / stdtrit(9, 0.975))
    assert widened(few, 90)[1] > widened(many, 90)[1]
    assert widened(many, 90)[1] == pytest.approx(widened(plain, 90)[1], rel=1e-3)


def test_costs_are_compared_as_counts(results):
    assert "4.8 times as many" in next(f.text for f in findings(results) if "models cost" in f.title)


def test_corrupted_labels_are_compared_on_the_same_rows(results):
    found = about(results, "What corrupted labels cost")
    assert found.tone == "bad"
    assert "in 22 of 48 comparisons" in found.text
    assert "ghostface \u00b7 none \u00b7 pair-flip(rate=0.4), 25.5 (23.0\u201328.0) points" in found.text


def test_memorised_labels_are_compared_with_no_augmentation(results):
    found = about(results, "What augmentation does to wrong labels")
    assert found.tone == "good"
    assert "lower in 2 of 2 comparisons with randaug+mixup" in found.text
    wide = with_measure(results, "memorisation", lambda done: {"memorised": around(done.memorised.value, 0.4)})
    assert about(wide, "What augmentation does to wrong labels").tone == "open"


def test_what_was_not_measured_is_not_told(results, unmeasured):
    cells = [cell.model_copy(update=unmeasured) for cell in results.cells]
    bare = results.model_copy(update={"cells": cells, "noise_curves": []})
    assert titles(bare) == ["Leakage is unknown", "What the models cost"]


def test_wrong_labels_are_found_only_above_chance(results):
    found = about(results, "Wrong labels can be found")
    assert found.tone == "good"
    assert "In 8 of 8 cells" in found.text
    assert "chance being 0.200" in found.text
    wide = with_measure(results, "label_errors", lambda done: {"average_precision": around(0.4, 0.25)})
    assert about(wide, "Wrong labels can't be shown to be found").tone == "open"


def test_corrupted_images_name_the_largest_fall_and_the_baseline(results, make_results):
    found = about(results, "What corrupted images cost")
    assert found.tone == "bad"
    assert "Largest fall: mobilenet-v2 \u00b7 randaug+mixup, from 76.4" in found.text
    better = with_measure(results, "corruptions", lambda _: {"mce": around(0.8, 0.01)})
    text = about(better, "What corrupted images cost").text
    assert "Relative to ghostface \u00b7 none, mCE is lower in 15 and higher in 0 of 15 other cells." in text
    several = about(make_results(seeds=(0, 1)), "What corrupted images cost").text
    assert "Relative to the baseline of each seed, mCE is lower" in several
    same = with_measure(results, "corruptions", lambda done: {"accuracy": done.clean})
    assert about(same, "No harm of corrupted images").tone == "open"


def test_adversarial_accuracy_is_told_at_one_epsilon_and_of_the_stronger_attack(results):
    found = about(results, "What adversarial changes cost")
    assert found.text.startswith("At epsilon 2 of 255, PGD lowers accuracy in 16 of 16 cells.")
    assert "Least is left for ghostface \u00b7 none \u00b7 symmetric(rate=0.2): 25.0" in found.text
    weak = with_measure(results, "adversarial", lambda done: {"clean": around(0.3, 0.29)})
    assert about(weak, "No harm of adversarial changes").tone == "open"


def test_only_failures_of_batch_invariance_are_told(results):
    found = about(results, "Answers depend")
    assert found.tone == "bad"
    assert "In 1 of 16 cells" in found.text
    assert "ghostface \u00b7 randaug \u00b7 symmetric(rate=0.2), by 0.42; 5 of its 128 predictions" in found.text
    passed = with_measure(results, "batch_invariance", lambda _: {"passed": True})
    assert not [title for title in titles(passed) if title.startswith("Answers depend")]


def with_differences(results, half, sign=1):
    """Every measure of heat maps, by `sign` better (1) or worse (-1) than random maps."""

    def change(done):
        signs = {"higher": sign, "lower": -sign}
        measures = [
            one.model_copy(update={"difference": around(0.1 * signs[one.better], half)}) for one in done.measures
        ]
        return {"measures": measures}

    return with_measure(results, "explanation", change)


def test_heat_maps_that_are_no_better_than_random_are_told(results):
    found = about(results, "Not all heat maps")
    assert found.tone == "open"
    assert "by deletion in 15 of 15 cells" in found.text
    assert "inside in 0 of 15 cells" in found.text
    assert about(with_differences(results, 0.01), "Heat maps say more").tone == "good"
    worse = about(with_differences(results, 0.01, sign=-1), "Some heat maps are worse")
    assert worse.tone == "bad"
    assert "worse by deletion in 15, insertion in 15" in worse.text
    assert "deletion in 0 of 15" in about(with_differences(results, 0.5), "Heat maps can't be told").text
