from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from fer_audit.results import Cell, Estimate, Results, read_results, read_run

BENCHMARKS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"
CELLS = 60


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("simulated_results")


@pytest.fixture
def results(simulated: Any) -> Results:
    return simulated.simulate(CELLS)[0]


def estimates(made: Any) -> list[Estimate]:
    if isinstance(made, Estimate):
        return [made]
    parts = made if isinstance(made, list) else made.values() if isinstance(made, dict) else vars(made).values()
    return [
        found
        for part in parts
        if hasattr(part, "__dict__") or part.__class__ in (list, dict)
        for found in estimates(part)
    ]


def done(results: Results) -> list[Cell]:
    return [cell for cell in results.cells if cell.status == "done"]


@pytest.mark.parametrize(
    ("cells", "axes"),
    [(1, (1, 1, 1, 1)), (60, (6, 5, 2, 1)), (400, (10, 10, 4, 1)), (2000, (10, 10, 4, 5)), (10_000, (10, 10, 4, 25))],
)
def test_a_grid_has_the_wanted_cells_in_the_order_of_a_plan(simulated: Any, cells: int, axes: tuple[int, ...]) -> None:
    lines = simulated.grid_lines(cells)
    keys = [(line.seed, line.label_attack, str(line.model), line.augmentation) for line in lines]
    assert len({line.id for line in lines}) == cells
    assert tuple(len({key[place] for key in keys}) for place in (2, 3, 1, 0)) == axes
    assert [key[0] for key in keys] == sorted(key[0] for key in keys)


def test_a_part_of_a_grid_is_its_beginning(simulated: Any) -> None:
    assert len(simulated.grid_lines(2001)) == 2001
    assert [line.id for line in simulated.grid_lines(2001)[:2000]] == [line.id for line in simulated.grid_lines(2000)]
    with pytest.raises(ValueError, match="at least 1 cell, got 0"):
        simulated.simulate(0)


def test_a_seed_gives_the_same_results(simulated: Any) -> None:
    first, again, other = simulated.simulate(12, 3), simulated.simulate(12, 3), simulated.simulate(12, 4)
    assert [part.model_dump_json() for part in first] == [part.model_dump_json() for part in again]
    assert first[0].cells[0].utility != other[0].cells[0].utility


def test_what_is_written_is_read(simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["simulated_results.py", "9", str(tmp_path / "run")])
    simulated.main()
    results, record = simulated.simulate(9)
    assert read_results(tmp_path / "run" / "results.json") == results
    assert read_run(tmp_path / "run" / "run.json") == record


def test_counts_add_up(results: Results) -> None:
    for cell in done(results):
        assert cell.utility is not None
        assert cell.privacy is not None
        confusion = cell.utility.confusion
        assert [sum(row) for row in confusion] == results.dataset.test.per_class
        hits = sum(row[place] for place, row in enumerate(confusion))
        assert cell.utility.accuracy.value == hits / results.dataset.test.rows
        for attack in cell.privacy.attacks:
            counts = attack.confusion.model_dump()
            summed = [target.confusion.model_dump() for target in attack.targets]
            assert counts == {name: sum(one[name] for one in summed) for name in counts}
            assert attack.tpr.value == counts["tp"] / (counts["tp"] + counts["fn"])
            for family in {one.family for one in attack.slices}:
                assert sum(one.rows for one in attack.slices if one.family == family) == results.dataset.pool.rows


def test_corrupted_rows_are_memorised_recovered_or_neither(results: Results) -> None:
    noisy = [cell for cell in done(results) if cell.corruption]
    assert noisy
    for cell in done(results):
        assert (cell.memorisation is None) == (cell.corruption is None) == (cell.noise_rate == 0)
    for cell in noisy:
        found = cell.memorisation
        assert found is not None
        assert cell.corruption is not None
        assert found.corrupted_rows == cell.corruption.corrupted_rows
        shares = [getattr(found, name).value for name in ("memorised", "recovered", "neither")]
        assert sum(shares) == pytest.approx(1)
        last = found.epochs[-1]
        assert [last.memorised, last.recovered, last.neither] == pytest.approx(shares)


def test_estimates_lie_in_their_intervals(results: Results) -> None:
    found = estimates(results)
    assert len(found) > 200 * len(done(results))
    for one in found:
        if one.value is None:
            assert one.note
        elif one.low is not None and one.high is not None:
            assert one.low <= one.value <= one.high


def test_roc_curves_rise_within_their_bands(results: Results) -> None:
    for cell in done(results):
        assert cell.privacy is not None
        for attack in cell.privacy.attacks:
            roc = attack.roc
            assert 140 <= len(roc.fpr) <= 200
            assert (roc.fpr[0], roc.fpr[-1], roc.tpr[-1]) == (0, 1, 1)
            assert roc.fpr == sorted(roc.fpr)
            assert roc.tpr == sorted(roc.tpr)
            assert all(low <= tpr <= high for low, tpr, high in zip(roc.low, roc.tpr, roc.high, strict=True))


def test_some_cells_are_not_done_and_others_are_whole(results: Results) -> None:
    status = {name: [cell for cell in results.cells if cell.status == name] for name in ("done", "failed", "missing")}
    assert all(status.values())
    assert results.cells[0].status == "done"
    assert all(cell.privacy and len(cell.privacy.attacks) == len(cell.privacy.exposed) == 4 for cell in status["done"])
    assert all("status -9" in cell.error and cell.privacy is None for cell in status["failed"])
    assert all(cell.error and cell.utility is None for cell in status["missing"])


def test_cells_are_compared_with_the_first_and_their_twins(results: Results) -> None:
    cells = {cell.id: cell for cell in done(results)}
    pairs = {(pair.cell, pair.baseline) for pair in results.comparisons}
    assert len(results.comparisons) == 6 * len(pairs)
    first = results.cells[0].id
    assert {one for one, other in pairs if other == first} == set(cells) - {first}
    for one, other in pairs:
        mine, theirs = cells[one], cells[other]
        assert other == first or (mine.model, mine.seed) == (theirs.model, theirs.seed)
    accuracy = next(pair for pair in results.comparisons if pair.metric == "accuracy")
    one, other = cells[accuracy.cell].utility, cells[accuracy.baseline].utility
    assert one is not None
    assert other is not None
    assert accuracy.difference.value == pytest.approx((one.accuracy.value or 0) - (other.accuracy.value or 0))


@pytest.fixture
def defended(simulated: Any) -> Results:
    return simulated.simulate(CELLS, 0, simulated.DEFENCES)[0]


def test_defences_are_a_further_axis_without_what_cannot_be(simulated: Any, defended: Results) -> None:
    assert len(defended.cells) == CELLS == len({cell.id for cell in defended.cells})
    assert {cell.defence.partition("(")[0] for cell in defended.cells} == {"none", "dp-sgd", "early-stopping"}
    gone = [one.id for one in defended.left_out]
    assert gone
    assert all("mixup" in name and "dp-sgd" in name for name in gone)
    assert not set(gone) & {cell.id for cell in defended.cells}
    assert not [cell for cell in defended.cells if cell.guarantee and "mixup" in cell.augmentation]
    plain = simulated.simulate(CELLS)[0]
    assert {cell.defence for cell in plain.cells} == {"none"}
    assert not plain.left_out
    assert not plain.matched
    assert not [cell for cell in plain.cells if cell.canaries or cell.guarantee]


def test_what_is_promised_and_what_is_shown_agree(defended: Results) -> None:
    private = [cell for cell in done(defended) if cell.defence.startswith("dp-sgd")]
    assert private
    for cell in private:
        assert cell.guarantee is not None
        assert cell.canaries is not None
        assert cell.many_runs is not None
        assert cell.defence_plugin is not None
        assert cell.guarantee.epsilon == cell.defence_plugin.params["epsilon"]
        assert cell.guarantee.epsilon < cell.guarantee.epsilon_rdp < cell.guarantee.epsilon_shuffled
        assert cell.canaries.correct <= cell.canaries.guesses <= cell.canaries.count
        assert cell.canaries.lower_bound <= min(cell.canaries.cap, cell.canaries.promised)
        assert not cell.canaries.broken
        assert not cell.many_runs.broken
        assert cell.many_runs.guarantee.rows < cell.guarantee.rows
    for cell in done(defended):
        held_out = [epoch.held_out_loss for epoch in cell.utility.history]
        assert all((loss is not None) == cell.defence.startswith("early-stopping") for loss in held_out)


def test_cells_are_matched_on_the_line_between_two_private_ones(defended: Results) -> None:
    cells = {cell.id: cell for cell in defended.cells}
    assert defended.matched
    for one in defended.matched:
        cell, below, above = cells[one.cell], cells[one.below], cells[one.above]
        assert cell.guarantee is None
        assert below.guarantee
        assert above.guarantee
        accuracies = [each.utility.balanced_accuracy.value for each in (below, cell, above)]
        assert accuracies == sorted(accuracies)
        assert accuracies[0] + one.share * (accuracies[2] - accuracies[0]) == pytest.approx(one.accuracy)
        aucs = {
            each.id: next(found.auc.value for found in each.privacy.attacks if found.attack == one.attack)
            for each in (cell, below, above)
        }
        between = aucs[below.id] + one.share * (aucs[above.id] - aucs[below.id])
        assert between == pytest.approx(one.reference)
        assert one.difference.value == pytest.approx(aucs[cell.id] - one.reference)


def test_layers_add_up_to_the_costs_of_a_model(results: Results) -> None:
    assert [cost.model for cost in results.costs] == list(dict.fromkeys(cell.model for cell in results.cells))
    for cost in results.costs:
        for name in ("params_total", "params_trainable", "macs", "flops"):
            assert sum(getattr(layer, name) for layer in cost.layers) == getattr(cost, name)
