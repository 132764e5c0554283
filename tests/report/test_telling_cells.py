"""Which of very many cells a page shows one by one."""

import pytest

from fer_audit.report.audited import audited, refuted
from fer_audit.report.gates import judge
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.telling_cells import telling_cells
from fer_audit.results import Gate


def chosen(results, most, gates=()):
    return telling_cells(results, judge(results, None, list(gates)), most)


def test_each_reason_has_its_turn(results, unmeasured):
    broken = results.cells[5].model_copy(update=unmeasured | {"status": "failed", "error": "no"})
    missing = results.cells[6].model_copy(update=unmeasured | {"status": "missing"})
    some = results.model_copy(update={"cells": [*results.cells[:5], broken, missing, *results.cells[7:]]})
    found = chosen(some, 5, [Gate(metric="accuracy", max=0.3)])
    assert list(found.values()) == ["breaks a gate", "leaks most", "least accurate", "most accurate", "failed"]
    done = [cell for cell in some.cells if cell.status == "done"]
    names = list(found)
    assert names[0] == max(done, key=lambda cell: cell.utility.accuracy.value).id
    assert names[1] == max(done, key=lambda cell: strongest_attack(cell).auc.value).id
    assert names[2] == min(done, key=lambda cell: cell.utility.balanced_accuracy.value).id
    assert names[4] == broken.id
    assert missing.id not in chosen(some, 100)


@pytest.mark.parametrize("most", [0, 1, 7, 100])
def test_never_more_than_asked_for_and_each_once(results, most):
    found = chosen(results, most, [Gate(metric="mia_auc", max=0.5), Gate(metric="balanced_accuracy", min=0.99)])
    assert len(found) == min(most, len(results.cells))


def test_a_refuted_promise_comes_first(broken_promise):
    found = chosen(broken_promise, 3, [Gate(metric="mia_auc", max=0.5)])
    name, reason = next(iter(found.items()))
    assert reason == "a promise is refuted"
    assert name == refuted(broken_promise)[0].cell.id


def test_the_bound_nearest_to_a_promise_is_shown(private):
    held = [one for one in audited(private) if one.audit.promised is not None]
    nearest = min(held, key=lambda one: one.audit.promised - one.audit.lower_bound)
    assert next(iter(chosen(private, 1).items())) == (nearest.cell.id, "nearest to its promise")


def test_results_that_cannot_be_trusted_do_not_leak_most(few):
    loud = max(few.cells, key=lambda cell: strongest_attack(cell).auc.value)
    privacy = loud.privacy.model_copy(update={"invalid": "labels look permuted"})
    cells = [cell.model_copy(update={"privacy": privacy}) if cell is loud else cell for cell in few.cells]
    found = chosen(few.model_copy(update={"cells": cells}), len(cells))
    assert found[loud.id] != "leaks most"


def test_a_run_that_has_just_begun_has_none(few, unmeasured):
    cells = [cell.model_copy(update=unmeasured | {"status": "missing"}) for cell in few.cells]
    assert chosen(few.model_copy(update={"cells": cells}), 60) == {}
