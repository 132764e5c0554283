import csv
import io

from fer_audit.report.tidy import tidy_csv, tidy_rows


def parsed(results):
    return list(csv.DictReader(io.StringIO(tidy_csv(results))))


def test_text_that_a_spreadsheet_would_run_is_tamed(few):
    cells = [cell.model_copy(update={"model": '=HYPERLINK("x")', "augmentation": "-1+1"}) for cell in few.cells]
    rows = list(csv.DictReader(io.StringIO(tidy_csv(few.model_copy(update={"cells": cells})))))
    assert {row["model"] for row in rows} == {'\'=HYPERLINK("x")'}
    assert {row["augmentation"] for row in rows} == {"'-1+1"}
    differences = [float(row["advantage"]) for row in rows]
    assert differences == [attack.advantage.value for cell in few.cells for attack in cell.privacy.attacks]


def test_a_row_per_cell_and_attack(results):
    rows = parsed(results)
    expected = [(cell.id, attack.attack.name) for cell in results.cells for attack in cell.privacy.attacks]
    assert [(row["cell"], row["attack"]) for row in rows] == expected


def test_numbers_read_back_exactly(results):
    cells = {cell.id: cell for cell in results.cells}
    costs = {cost.model: cost for cost in results.costs}
    for row in parsed(results):
        cell = cells[row["cell"]]
        attack = next(found for found in cell.privacy.attacks if found.attack.name == row["attack"])
        assert float(row["accuracy"]) == cell.utility.accuracy.value
        assert float(row["balanced_accuracy_low"]) == cell.utility.balanced_accuracy.low
        assert float(row["auc_high"]) == attack.auc.high
        assert [int(row[name]) for name in ("tp", "fp", "fn", "tn")] == list(attack.confusion.model_dump().values())
        assert float(row["fnr"]) == attack.fnr.value
        assert float(row["tpr_at_fpr_0.01"]) == attack.tpr_at_fpr["0.01"].value
        assert row["tpr_at_fpr_0.001"] == row["fpr_for_0.001"] == ""
        assert float(row["fpr_for_0.01"]) == attack.transferred["0.01"].fpr.value
        assert float(row["tpr_for_0.01_high"]) == attack.transferred["0.01"].tpr.high
        assert float(row["epsilon_lower_bound"]) == attack.epsilon.lower_bound
        assert float(row["epsilon_cap"]) == attack.epsilon.cap
        assert (row["unit"], row["epsilon_unit"]) == ("row", "subject")
        assert float(row["record_stability"]) == attack.record_stability
        assert int(row["macs"]) == costs[cell.model].macs


def test_cells_without_attacks_or_models_keep_their_row(make_results):
    results = make_results(attacks={})
    undone = {"status": "failed", "error": "first line\nsecond", "utility": None}
    cells = [results.cells[0].model_copy(update=undone), *results.cells[1:]]
    rows = parsed(results.model_copy(update={"cells": cells}))
    assert len(rows) == len(cells)
    assert rows[0]["error"] == "first line"
    assert rows[0]["accuracy"] == rows[0]["attack"] == ""


def test_rows_share_their_columns(make_results):
    results = make_results()
    cells = [results.cells[0].model_copy(update={"utility": None, "privacy": None}), *results.cells[1:]]
    assert len({tuple(row) for row in tidy_rows(results.model_copy(update={"cells": cells}))}) == 1


def test_measures_are_columns(results):
    cells = {cell.id: cell for cell in results.cells}
    for row in parsed(results):
        cell = cells[row["cell"]]
        strongest = {one.attack: one.accuracy for one in cell.adversarial.points if one.epsilon == 8}
        assert float(row["adversarial_epsilon"]) == 8
        assert float(row["fgsm_accuracy_low"]) == strongest["fgsm"].low
        assert float(row["pgd_accuracy"]) == strongest["pgd"].value
        assert float(row["corrupted_accuracy"]) == cell.corruptions.accuracy.value
        assert float(row["mce_high"]) == cell.corruptions.mce.high
        assert row["batch_invariant"] == str(cell.batch_invariance.passed)
        if cell.memorisation is None:
            assert row["memorised"] == row["label_errors_average_precision"] == ""
        else:
            assert float(row["memorised"]) == cell.memorisation.memorised.value
            assert float(row["neither_low"]) == cell.memorisation.neither.low
            assert float(row["label_errors_average_precision"]) == cell.label_errors.average_precision.value


def test_promises_and_bounds_are_columns_and_empty_where_there_are_none(private, results):
    rows = {row["cell"]: row for row in parsed(private)}
    for cell in private.cells:
        row, kept = rows[cell.id], cell.guarantee
        assert row["defence"] == cell.defence
        assert row["epsilon"] == ("" if kept is None else str(kept.epsilon))
        assert row["canary_epsilon_lower_bound"] == str(cell.canaries.lower_bound)
        assert row["canary_promise_refuted"] == ("" if kept is None else "False")
        assert row["many_run_epsilon_cap"] == ("" if kept is None else "3.1")
        group = kept and kept.group.epsilon
        assert row["group_epsilon"] == ("" if group is None else str(group))
    names = [name for name in parsed(results)[0] if name.startswith(("canary_", "many_run_", "group_"))]
    assert len(names) == 13
    assert {row[name] for row in parsed(results) for name in (*names, "epsilon")} == {""}


def test_heat_maps_are_columns_and_empty_where_refused(results):
    rows = {row["cell"]: row for row in parsed(results)}
    names = ("deletion", "insertion", "flip_agreement", "inside")
    shown, refused = rows[results.cells[0].id], rows[results.cells[2].id]
    found = [one.value.value for one in results.cells[0].explanation.measures]
    assert [float(shown[name]) for name in names] == found
    assert [refused[name] for name in names] == [""] * 4
