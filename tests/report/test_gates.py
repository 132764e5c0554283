"""Gates in closed form: numbers and intervals are set, and what must become of the gate is known."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import ResultsError
from fer_audit.gate_section import METRICS
from fer_audit.report.gated import READERS, accuracy_gap, gated, sources
from fer_audit.report.gates import exit_code, gates_table, judge, selects, verdict
from fer_audit.report.judged_cell import difference_text, limit_text
from fer_audit.report.pointers import Pointers
from fer_audit.results import Estimate, Gate, Latency, RunRecord

LEVEL = 0.95


def estimate(value, half=0.0):
    return Estimate(value=value, low=value - half, high=value + half, confidence=LEVEL)


UNRESOLVED = Estimate(value=None, note="not resolvable (needs at least 1,000)")


@pytest.fixture(scope="module")
def base(few):
    """Four cells, each with three attacks."""
    return few


@pytest.fixture(scope="module")
def attacked(base):
    """Gives the cells attacks with these AUCs, one list of estimates a cell."""

    def make(*aucs):
        cells = []
        for cell, of_cell in zip(base.cells, aucs, strict=False):
            attacks = [
                cell.privacy.attacks[0].model_copy(
                    update={
                        "auc": auc,
                        "attack": cell.privacy.attacks[0].attack.model_copy(update={"name": f"a{place}"}),
                    }
                )
                for place, auc in enumerate(of_cell)
            ]
            privacy = cell.privacy.model_copy(update={"attacks": attacks})
            cells.append(cell.model_copy(update={"privacy": privacy}))
        return base.model_copy(update={"cells": cells})

    return make


def only(results, gate, run=None):
    (found,) = judge(results, run, [gate])
    return found


def counts(found):
    return found.passed, found.failed, found.unknown


def changed(results, place, **update):
    cells = list(results.cells)
    cells[place] = cells[place].model_copy(update=update)
    return results.model_copy(update={"cells": cells})


def test_every_metric_has_a_reader_and_every_reader_a_metric():
    assert set(READERS) == set(METRICS)


def test_a_value_on_the_limit_keeps_it(attacked):
    results = attacked([estimate(0.6, 0.1)], [estimate(0.5, 0.1)])
    assert only(results, Gate(metric="mia_auc", max=0.6)).outcome == "pass"
    assert only(results, Gate(metric="mia_auc", min=0.5)).outcome == "pass"
    found = only(results, Gate(metric="mia_auc", max=0.5999))
    assert (found.outcome, counts(found)) == ("fail", (1, 1, 0))
    assert found.difference == pytest.approx(0.0001)


def test_an_interval_end_on_the_limit_keeps_it_for_certain(attacked):
    low, high = 0.1, 0.7  # value - (value - low) is not low in floating point for all of these
    for value in (0.3, 0.15, 0.37, 0.69):
        results = attacked([Estimate(value=value, low=low, high=high)])
        assert only(results, Gate(metric="mia_auc", max=high, certain=True)).outcome == "pass"
        assert only(results, Gate(metric="mia_auc", min=low, certain=True)).outcome == "pass"


def test_the_worst_cell_and_its_attack_are_named(attacked):
    results = attacked([estimate(0.61)], [estimate(0.55), estimate(0.7, 0.2), estimate(0.6)], [estimate(0.4)])
    found = only(results, Gate(metric="mia_auc", max=0.6))
    assert counts(found) == (1, 2, 0)
    assert found.cell is results.cells[1]
    assert (found.attack, found.estimate.value) == ("a1", 0.7)
    assert found.difference == pytest.approx(0.1)
    assert (
        "0.700 (0.500\u20130.900), by a1, 0.100 beyond the limit. Its interval reaches across the limit." in found.text
    )


def test_a_least_value_is_asked_of_the_largest_attack(attacked):
    results = attacked([estimate(0.3), estimate(0.8)])
    assert only(results, Gate(metric="mia_auc", min=0.8)).outcome == "pass"
    found = only(results, Gate(metric="mia_auc", min=0.9))
    assert (found.outcome, found.attack, found.difference) == ("fail", "a1", pytest.approx(0.1))


def test_what_straddles_is_inconclusive_only_where_certainty_is_asked(attacked):
    results = attacked([estimate(0.55, 0.1)], [estimate(0.4, 0.1)])
    assert only(results, Gate(metric="mia_auc", max=0.6)).outcome == "pass"
    found = only(results, Gate(metric="mia_auc", max=0.6, certain=True))
    assert (found.outcome, counts(found)) == ("inconclusive", (1, 0, 1))
    assert found.cell is results.cells[0]
    assert found.reasons[0].endswith("the interval of a0 straddles the limit")


def test_a_break_must_survive_as_many_comparisons_as_were_made(attacked):
    # z = 1.96 of one comparison, 2.50 of four: an interval 2.2 standard errors away fails alone and not among four.
    normal, limit, error = NormalDist(), 0.5, 0.02
    one, four = (normal.inv_cdf(1 - 0.05 / 2 / k) for k in (1, 4))
    gate = Gate(metric="mia_auc", max=limit, certain=True)

    def broken(distance, cells):
        rest = [[estimate(0.3, one * error)]] * (cells - 1)
        return only(attacked([estimate(limit + distance * error, one * error)], *rest), gate)

    assert broken(one + 0.01, 1).outcome == "fail"
    assert broken(one - 0.01, 1).outcome == "inconclusive"
    assert broken(four + 0.01, 4).outcome == "fail"
    assert broken(four - 0.01, 4).outcome == "inconclusive"
    assert "not once it is widened" in broken(four - 0.01, 4).reasons[0]
    assert "widened for 4 comparisons" in broken(four + 0.01, 4).text
    # The attacks of one cell count like cells.
    gang = [estimate(limit + (four - 0.01) * error, one * error), *[estimate(0.3, one * error)] * 3]
    assert only(attacked(gang), gate).outcome == "inconclusive"


def test_that_all_keep_a_limit_needs_no_correction(attacked):
    results = attacked(*[[estimate(0.5, 0.0999), estimate(0.45, 0.1)]] * 4)
    found = only(results, Gate(metric="mia_auc", max=0.6, certain=True))
    assert (found.outcome, counts(found)) == ("pass", (4, 0, 0))


def test_that_one_attack_of_several_reaches_a_value_needs_correction(attacked):
    # One of the attacks was picked as the largest, so that its interval is widened for their number.
    found = only(attacked([estimate(0.71, 0.1), estimate(0.3, 0.1)]), Gate(metric="mia_auc", min=0.6, certain=True))
    assert found.outcome == "inconclusive"
    assert only(attacked([estimate(0.71, 0.1)]), Gate(metric="mia_auc", min=0.6, certain=True)).outcome == "pass"


def test_what_is_not_resolved_is_never_kept(attacked):
    results = attacked([estimate(0.5), UNRESOLVED])
    found = only(results, Gate(metric="mia_auc", max=0.6))
    assert (found.outcome, found.estimate) == ("inconclusive", None)
    assert found.reasons[0].endswith("a1: not resolvable (needs at least 1,000)")
    # What is known breaks the limit all the same.
    assert only(results, Gate(metric="mia_auc", max=0.4)).outcome == "fail"
    assert only(attacked([Estimate(value=float("nan"))]), Gate(metric="mia_auc", max=0.6)).outcome == "inconclusive"
    bare = attacked([Estimate(value=0.5)])
    assert "a0 has no interval" in only(bare, Gate(metric="mia_auc", max=0.6, certain=True)).reasons[0]


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"status": "failed", "error": "boom"}, "the cell failed"),
        ({"status": "missing"}, "the cell is missing"),
        ({"privacy": None}, "no membership attack was run"),
    ],
)
def test_what_is_not_there_is_unknown_with_its_reason(base, update, reason):
    found = only(changed(base, 1, **update), Gate(metric="mia_auc", max=1.0))
    assert (found.outcome, counts(found)) == ("inconclusive", (3, 0, 1))
    assert found.reasons[0].endswith(reason)


def test_invalid_membership_is_unknown_and_accuracy_is_not(base):
    privacy = base.cells[0].privacy.model_copy(update={"invalid": "halves of the pool can be told apart"})
    results = changed(base, 0, privacy=privacy)
    for metric in ("mia_auc", "mia_advantage", "epsilon_lower_bound", "accuracy_gap"):
        found = only(results, Gate(metric=metric, max=1.0))
        assert counts(found)[2] == 1
        assert "halves of the pool can be told apart" in found.reasons[0]
    assert only(results, Gate(metric="accuracy", max=1.0)).outcome == "pass"


def test_a_break_outweighs_what_is_unknown(base):
    results = changed(base, 0, status="failed")
    found = only(results, Gate(metric="mia_auc", max=0.5))
    assert (found.outcome, found.unknown) == ("fail", 1)
    assert "(1 can't be judged)" in found.text


def test_where_selects_by_every_name_that_is_given(results):
    gate = Gate(metric="accuracy", max=1.0, where={"model": ["ghostface"], "labels": ["none"], "seed": ["0"]})
    chosen = [cell.id for cell in results.cells if selects(gate, cell)]
    assert chosen == [c.id for c in results.cells if c.model == "ghostface" and c.label_attack == "none"]
    assert [one.cell.id for one in only(results, gate).cells] == chosen
    nothing = only(results, Gate(metric="accuracy", max=1.0, where={"seed": ["7"]}))
    assert (nothing.outcome, nothing.text) == ("inconclusive", "No cell is there with seed 7.")


def test_costs_are_exact_and_of_the_model(results):
    run = RunRecord(
        started="2025-01-01T00:00:00Z",
        latencies=[
            Latency(model=model, image_size=48, batch=batch, p50_ms=time, p95_ms=9, runs=3)
            for model, time in (("ghostface", 2.5), ("mobilenet-v2", 4.0))
            for batch in (1, 32)
        ],
    )
    macs = {cost.model: cost.macs for cost in results.costs}
    exact = Gate(metric="macs", max=macs["mobilenet-v2"], certain=True)
    assert only(results, exact).outcome == "pass"
    found = only(results, exact.model_copy(update={"max": macs["mobilenet-v2"] - 1}))
    assert (found.outcome, found.difference, counts(found)) == ("fail", 1, (8, 8, 0))
    assert "widened" not in found.text
    assert only(results, Gate(metric="latency_p50_ms", max=4), run).outcome == "pass"
    assert counts(only(results, Gate(metric="latency_p50_ms", max=3), run)) == (8, 8, 0)
    assert only(results, Gate(metric="latency_p50_ms", max=3)).reasons == ("16 cells: it was not measured",)


def test_adversarial_accuracy_is_that_at_the_largest_epsilon(base):
    points = base.cells[0].adversarial.points
    shuffled = base.cells[0].adversarial.model_copy(update={"points": points[::-1]})
    source = sources(changed(base, 0, adversarial=shuffled), None)[0]
    for attack in ("fgsm", "pgd"):
        (found,) = gated(f"{attack}_accuracy", source)
        wanted = next(one for one in points if one.attack == attack and one.epsilon == 8.0)
        assert found.estimate is wanted.accuracy
        assert found.by == f"{attack.upper()} at 8 of 255"


def test_the_accuracy_gap_holds_both_ends_at_once(base):
    inside, outside = estimate(0.9, 0.02), estimate(0.6, 0.03)
    privacy = base.cells[0].privacy.model_copy(update={"member_accuracy": inside, "nonmember_accuracy": outside})
    gap = accuracy_gap(privacy)
    stretch = NormalDist().inv_cdf(1 - 0.05 / 4) / NormalDist().inv_cdf(1 - 0.05 / 2)
    assert gap.value == pytest.approx(0.3)
    assert gap.high - gap.value == pytest.approx(stretch * 0.05)
    assert gap.value - gap.low == pytest.approx(stretch * 0.05)


def test_every_metric_is_read_where_it_stands(private):
    run = RunRecord(started="", latencies=[Latency(model="ghostface", image_size=48, p50_ms=2.5, p95_ms=9, runs=3)])
    pointers = Pointers(private, run)
    source = next(one for one in sources(private, run) if one.cell.guarantee and one.cell.memorisation)
    for metric in METRICS:
        for one in gated(metric, source):
            places = [pointers.of(origin) for origin in one.of]
            assert all(places)
            stored = [getattr(record, field) for record, field in one.of]
            known = stored[0] if len(stored) == 1 else stored[0] - stored[1]
            assert known == (one.value if one.value is not None else one.estimate.value)


def test_a_promised_epsilon_is_exact_and_what_promises_nothing_cannot_be_judged(private):
    cells = [cell for cell in private.cells if cell.guarantee]
    gate = Gate(metric="epsilon", max=8.0, certain=True)
    found = only(private, gate)
    assert counts(found) == (4, 2, len(private.cells) - len(cells))
    assert found.estimate.value == 32.0
    assert found.reasons[0].endswith("its training promises no privacy")
    dp = ["dp-sgd(epsilon=2)", "dp-sgd(epsilon=8)"]
    kept = only(private, gate.model_copy(update={"where": {"defence": dp}}))
    assert (kept.outcome, counts(kept)) == ("pass", (4, 0, 0))
    assert kept.text.startswith("epsilon at most 8 is kept by each of 4 cells with defence dp-sgd(epsilon=2) or dp-sgd")
    lax = only(private, gate.model_copy(update={"max": 99.0}))
    assert lax.outcome == "inconclusive"


def test_what_canaries_show_is_limited(private, few):
    gate = Gate(metric="canary_epsilon_lower_bound", max=2.0, where={"defence": ["dp-sgd(epsilon=32)"]})
    found = only(private, gate)
    assert (found.outcome, found.estimate.value) == ("fail", pytest.approx(0.4 * 32**0.5))
    assert only(few, gate.model_copy(update={"where": {}})).reasons == ("4 cells: it was not measured",)


def test_gates_that_no_grid_could_set_are_refused(base):
    with pytest.raises(ResultsError, match="unknown metric 'acuracy': did you mean 'accuracy'"):
        judge(base, None, [Gate(metric="acuracy", max=1)])
    for limits in ({}, {"max": 1, "min": 0}):
        with pytest.raises(ResultsError, match="limits, expected max or min"):
            judge(base, None, [Gate(metric="accuracy", **limits)])


BREAKING, KEPT = Gate(metric="accuracy", max=0.0), Gate(metric="accuracy", max=1.0)
UNKNOWN = Gate(metric="mia_tpr_at_fpr_0.001", max=1.0)
TITLES = [
    ([], 0, "No limit was set", "open"),
    ([KEPT], 0, "Keeps the gate", "good"),
    ([KEPT, KEPT], 0, "Keeps all 2 gates", "good"),
    ([KEPT, BREAKING], 1, "Breaks 1 of 2 gates", "bad"),
    ([UNKNOWN, BREAKING], 1, "Breaks 1 of 2 gates", "bad"),
    ([KEPT, UNKNOWN], 3, "Inconclusive: 1 of 2 gates can't be judged", "open"),
]


@pytest.mark.parametrize(("gates", "code", "title", "tone"), TITLES)
def test_the_verdict_and_the_exit_code(base, gates, code, title, tone):
    judged = judge(base, None, gates)
    said = verdict(judged, base)
    assert (exit_code(judged, base), said.title, said.tone) == (code, title, tone)
    assert said.text.endswith(".")


def test_warnings_are_said_and_change_no_exit_code(base):
    for gate in (BREAKING, UNKNOWN):
        judged = judge(base, None, [gate.model_copy(update={"level": "warn"})])
        assert exit_code(judged, base) == 0
    assert verdict(judge(base, None, [BREAKING.model_copy(update={"level": "warn"})]), base).title == (
        "Warning: 1 of 1 gate broken"
    )


def test_the_headline_says_no_less_than_the_exit_code(base):
    warned = BREAKING.model_copy(update={"level": "warn"})
    judged = judge(base, None, [warned, UNKNOWN])
    assert exit_code(judged, base) == 3
    assert verdict(judged, base).title == "Inconclusive: 1 of 2 gates can't be judged"
    assert verdict(judged, base).text.endswith("1 of 2 gates broken as a warning.")
    undone = base.model_copy(update={"cells": [*base.cells, base.cells[0].model_copy(update={"status": "failed"})]})
    other = judge(undone, None, [warned.model_copy(update={"metric": "macs", "max": 1.0})])
    assert exit_code(other, undone) == 3
    assert verdict(other, undone).title.startswith("Inconclusive: ")


def test_a_broken_error_comes_before_a_broken_warning(base):
    warning = Gate(metric="balanced_accuracy", max=0.0, level="warn")
    judged = judge(base, None, [warning, BREAKING])
    assert verdict(judged, base).text == judged[1].text


def test_cells_that_are_not_done_leave_the_run_inconclusive(base):
    results = changed(base, 3, status="missing")
    gate = KEPT.model_copy(update={"where": {"augmentation": [base.cells[0].augmentation]}})
    judged = judge(results, None, [gate])
    assert judged[0].outcome == "pass"
    assert exit_code(judged, results) == 3
    assert exit_code([], results) == 3
    assert verdict(judged, results).title == "Inconclusive: 1 of 4 cells not done"
    assert exit_code(judge(results, None, [BREAKING]), results) == 1


def test_the_table_knows_where_its_numbers_come_from(results):
    gates = [Gate(metric="accuracy", max=0.7), Gate(metric="accuracy_gap", max=0.1), Gate(metric="accuracy", min=0.6)]
    results = results.model_copy(update={"gates": gates})
    pointers, judged = Pointers(results), judge(results, None, results.gates)
    table = gates_table(judged)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    for place, (row, one) in enumerate(zip(table.rows, judged, strict=True)):
        value, limit, difference = row[2:5]
        side = "max" if one.gate.max is not None else "min"
        assert pointers.all(limit.of) == f"results.json#/gates/{place}/{side}"
        assert value.sort == one.estimate.value
        numbers = [getattr(record, field) for record, field in difference.of]
        assert numbers[0] - sum(numbers[1:]) == pytest.approx(one.difference)
        assert pointers.all(value.of) in pointers.all(difference.of)
    assert [row[1].text for row in table.rows] == ["broken", "broken", "broken"]
    assert table.rows[0][5].text == f"{judged[0].passed} of 16 keep it"


def test_limits_keep_their_digits_and_differences_never_read_as_none():
    assert limit_text(Gate(metric="accuracy", max=0.0005)) == "at most 0.05\u202f%"
    assert limit_text(Gate(metric="mia_auc", min=0.6125)) == "at least 0.6125"
    assert limit_text(Gate(metric="macs", max=2_953_001)) == "at most 2,953,001"
    assert limit_text(Gate(metric="mia_advantage", min=-0.1)) == "at least \u22120.1"
    assert difference_text(Gate(metric="mia_auc", max=0.6), 0.0004) == "+0.0004"
    assert difference_text(Gate(metric="accuracy", min=0.6), -0.0004) == "\u22120.04 points"
    assert difference_text(Gate(metric="accuracy", min=0.6), 0.021) == "+2.1 points"
    assert difference_text(Gate(metric="macs", max=5), 0.0) == "0"


SHARES = st.floats(0, 1)
INTERVALS = st.tuples(SHARES, SHARES, SHARES).map(sorted)
ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}


@given(
    cells=st.lists(st.lists(INTERVALS, min_size=1, max_size=3), min_size=1, max_size=4),
    limits=st.tuples(SHARES, SHARES).map(sorted),
    certain=st.booleans(),
    side=st.sampled_from(["max", "min"]),
)
def test_a_stricter_limit_is_never_kept_better(attacked, cells, limits, certain, side):
    results = attacked(*[[Estimate(low=low, value=mid, high=top) for low, mid, top in cell] for cell in cells])
    strict, lax = limits if side == "max" else limits[::-1]
    found = [only(results, Gate(metric="mia_auc", certain=certain, **{side: limit})) for limit in (strict, lax)]
    assert ORDER[found[0].outcome] <= ORDER[found[1].outcome]
    assert found[0].passed <= found[1].passed
    assert found[0].failed >= found[1].failed
    for one in found:
        assert sum(counts(one)) == len(cells)


@given(
    cells=st.lists(st.lists(INTERVALS, min_size=1, max_size=3), min_size=1, max_size=4),
    limit=SHARES,
    side=st.sampled_from(["max", "min"]),
)
def test_certainty_agrees_with_the_values_or_says_nothing(attacked, cells, limit, side):
    results = attacked(*[[Estimate(low=low, value=mid, high=top) for low, mid, top in cell] for cell in cells])
    sure = only(results, Gate(metric="mia_auc", certain=True, **{side: limit}))
    plain = only(results, Gate(metric="mia_auc", **{side: limit}))
    assert sure.outcome in {"inconclusive", plain.outcome}
    assert plain.outcome != "inconclusive"
    largest = [max(mid for _, mid, _ in cell) for cell in cells]
    kept = all(value <= limit for value in largest) if side == "max" else all(value >= limit for value in largest)
    assert (plain.outcome == "pass") == kept
