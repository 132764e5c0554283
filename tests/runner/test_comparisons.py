"""Pairs of cells on made-up answers; no network is trained."""

import numpy as np
import pytest

from fer_audit.metrics.paired import accuracy_difference
from fer_audit.results import PluginRecord
from fer_audit.runner.comparisons import paired_differences, pairs
from fer_audit.runner.privacy import attack_entries, read_records


def differences(study, cells=None):
    return paired_differences(study.plan, study.store, cells or study.cells)


def test_every_pair_is_compared_once_in_everything_that_both_have(study):
    found = differences(study)
    assert len(found) == 16 * 15 / 2 * 5
    order = {cell.id: place for place, cell in enumerate(study.cells)}
    assert all(order[one.baseline] < order[one.cell] for one in found)
    assert len({(one.metric, str(one.attack), one.cell, one.baseline) for one in found}) == len(found)
    known = {cell.id: cell for cell in study.cells}
    for one in found:
        cell, baseline = known[one.cell], known[one.baseline]
        if one.metric == "auc":
            values = [next(a.auc.value for a in c.privacy.attacks if a.attack == one.attack) for c in (cell, baseline)]
            assert one.difference.n == (30 if one.attack.name == "subject" else len(study.data.pool))
        else:
            values = [getattr(c.utility, one.metric).value for c in (cell, baseline)]
            assert one.difference.n == len(study.data.test)
        assert one.difference.value == pytest.approx(values[0] - values[1])
        assert one.difference.low < one.difference.value < one.difference.high


def test_methods_say_whose_halves_differ_and_what_was_stretched(study):
    found = [one for one in differences(study) if one.metric == "auc"]
    seeds = {cell.id: cell.seed for cell in study.cells}
    for one in found:
        apart = seeds[one.cell] != seeds[one.baseline]
        assert ("halves of the pool differ" in one.difference.method) == apart
        assert ("sqrt(2)" in one.difference.method) == (one.attack.name != "loss-threshold")
        assert "over 30 clusters" in one.difference.method


def test_test_rows_are_paired_by_person(study):
    found = next(one for one in differences(study) if one.metric == "accuracy")
    jobs = [study.plan.trainings[study.plan.cells[place].utility].job for place in (1, 0)]
    predicted = [np.load(study.store.path(*job.fit) / "test.npy").argmax(axis=1) for job in jobs]
    one, other = (labels == study.data.test.labels for labels in predicted)
    assert found.difference == accuracy_difference(one, other, study.data.test.subjects)


def test_what_can_not_be_trusted_is_not_compared(study):
    cells = [cell.model_copy() for cell in study.cells[:4]]
    cells[1] = cells[1].model_copy(update={"status": "failed"})
    cells[2] = cells[2].model_copy(update={"privacy": cells[2].privacy.model_copy(update={"invalid": "told apart"})})
    cells[3] = cells[3].model_copy(update={"privacy": None})
    found = differences(study, cells)
    assert {one.metric for one in found} == {"accuracy", "balanced_accuracy"}
    assert len(found) == 3 * 2
    assert cells[1].id not in {name for one in found for name in (one.cell, one.baseline)}


def test_what_is_stored_of_an_attack_is_found_again(study):
    planned = study.plan.cells[0]
    jobs = [study.plan.trainings[key].job for key in planned.privacy]
    asked = {"keep": planned.keep, "given": planned.labels.given, "jobs": jobs, "seed": planned.seed}
    entries = attack_entries(study.attacks, study.data, **asked)
    assert len(set(entries)) == 3
    assert set(entries).isdisjoint(attack_entries(study.attacks, study.data, **asked | {"seed": 7}))
    for entry in entries:
        records = read_records(study.store, entry)
        assert records.influence.sum() == pytest.approx(0, abs=1e-12)
        assert records.influence.shape == records.first.shape


def test_many_cells_are_compared_with_their_twins_and_the_first(study):
    places = {cell.id: place for place, cell in enumerate(study.cells)}
    found = pairs(study.cells, every=15)

    def pair(one, other):
        return places[one], places[other]

    assert found == sorted(set(found))
    assert all(earlier < later for earlier, later in found)
    assert pair("large/none/symmetric/1", "large/mixup/symmetric/1") in found
    assert pair("large/mixup/none/1", "large/mixup/symmetric/1") in found
    assert pair("large/none/none/1", "large/mixup/symmetric/1") not in found
    assert pair("small/none/none/0", "large/mixup/symmetric/1") in found
    # Each of 16 has the first (15); of 8 pairs of augmentations and 8 of labels, 2 are with the first.
    assert len(found) == 15 + 8 + 8 - 2
    assert len(pairs(study.cells)) == 120
    assert pairs(study.cells[:1]) == []


def test_a_defence_is_part_of_what_makes_a_twin(study):
    defended = [
        cell.model_copy(
            update={"id": f"{cell.id}+dp", "defence": "dp-sgd", "defence_plugin": PluginRecord(name="dp-sgd")}
        )
        for cell in study.cells
    ]
    cells = [*study.cells, *defended]
    found = [{cells[one].id, cells[other].id} for one, other in pairs(cells, every=15)]
    assert {"large/none/none/1", "large/none/none/1+dp"} in found
    assert {"large/none/none/1", "large/mixup/none/1+dp"} in found
    assert {"large/mixup/none/1+dp", "large/mixup/symmetric/1+dp"} in found
    assert {"large/none/none/1+dp", "large/mixup/none/1+dp"} not in found
    assert {"large/mixup/none/1", "large/mixup/symmetric/1+dp"} not in found
