from fer_audit.report.findings import findings
from fer_audit.report.slices import canaries_table, group_name, slices_table
from fer_audit.report.strongest import strongest_attack, strongest_attacks


def texts(table):
    return [[entry.text for entry in row] for row in table.rows]


def with_attacks(results, change):
    """The results with every attack changed."""

    def cell(found):
        attacks = [change(attack) for attack in found.privacy.attacks]
        return found.model_copy(update={"privacy": found.privacy.model_copy(update={"attacks": attacks})})

    return results.model_copy(update={"cells": [cell(found) for found in results.cells]})


def with_slices(results, change):
    """The results with every slice changed."""
    return with_attacks(results, lambda a: a.model_copy(update={"slices": [change(one) for one in a.slices]}))


def test_slices_of_the_strongest_attack_and_labels_of_all(few):
    rows = texts(slices_table(few, 60))
    assert {len(row) for row in rows} == {len(slices_table(few, 60).columns)}
    others = {row[2] for row in rows if row[1] != strongest_attack(few.cells[0]).attack.name}
    assert others == {"labels"}
    assert sum(row[2] == "labels" for row in rows) == 2 * 2 * 3  # noisy cells, groups, attacks


def test_a_class_goes_by_its_name(few):
    assert {row[3] for row in texts(slices_table(few, 60)) if row[2] == "class"} == set(few.dataset.classes)
    named = few.cells[0].privacy.attacks[0].slices[0].model_copy(update={"group": "fear"})
    assert group_name(few, named) == "fear"
    assert group_name(few, named.model_copy(update={"group": "77"})) == "77"
    assert group_name(few, named.model_copy(update={"group": ""})) == "(empty)"


def test_a_group_that_is_too_small_says_so(few):
    row = next(row for row in slices_table(few, 60).rows if row[3].text == "anger")
    assert row[5].text == "not resolvable"
    assert row[5].note == "(needs at least 20 members, has 7)"
    assert row[7].text == "\u2014"


def test_many_cells_are_cut(few):
    assert len({(row[0].text, row[0].note) for row in slices_table(few, 2).rows}) == 2


def test_an_attack_on_subjects_has_its_own_slices(few):
    cell = few.cells[0]
    one = cell.privacy.attacks[1].model_copy(update={"unit": "subject"})
    privacy = cell.privacy.model_copy(update={"attacks": [cell.privacy.attacks[0], one]})
    assert strongest_attacks(cell.model_copy(update={"privacy": privacy})) == [cell.privacy.attacks[0], one]


def test_canaries_need_corrupted_labels(few, make_results):
    rows = texts(canaries_table(few, 60))
    assert len(rows) == 2 * 3  # noisy cells, attacks
    assert rows[0][2] == "192"
    clean = few.model_copy(update={"cells": [cell for cell in few.cells if not cell.label_attack_plugin]})
    assert canaries_table(clean, 60).rows == ()
    assert slices_table(make_results(attacks={}), 60).rows == ()


def found(results, title):
    return next((finding for finding in findings(results) if title in finding.title), None)


def test_an_exposed_group_is_a_finding(few):
    said = found(few, "Some rows are exposed more")
    assert "labels \u201ccorrupted\u201d" in said.text
    assert "4 of 28 groups differ" in said.text
    assert "a difference of 0.050 (0.010\u20130.090) from that on all others, adjusted p <\u202f0.001" in said.text
    assert said.tone == "bad"


def test_p_values_are_corrected_for_the_number_of_cells(few):
    # 0.02 would do for one cell; four were looked at.
    def weaker(one):
        return one if one.p_adjusted is None else one.model_copy(update={"p_adjusted": 0.02})

    weak = with_slices(few, weaker)
    assert found(weak, "Some rows") is None
    assert found(weak.model_copy(update={"cells": weak.cells[1:2]}), "Some rows") is not None


def test_a_difference_below_chance_is_not_called_exposure(few):
    def below(one):
        return one.model_copy(update={"auc": one.auc.model_copy(update={"low": 0.4})})

    assert found(with_slices(few, below), "Some rows are exposed") is None
    assert found(with_slices(few, below), "not do equally well").tone == "plain"


def test_no_difference_is_no_finding(few):
    same = with_slices(few, lambda one: one.model_copy(update={"p_adjusted": 1.0}))
    assert found(same, "rows") is None


def test_a_proved_epsilon_is_a_finding_that_admits_to_have_been_picked(few):
    said = found(few, "privacy loss").text
    assert "the largest of 12 bounds" in said
    assert "delta 1e-05" in said
    assert "for each subject" in said
    nothing = few.cells[0].privacy.attacks[0].epsilon.model_copy(update={"lower_bound": 0.0})
    unproved = with_attacks(few, lambda attack: attack.model_copy(update={"epsilon": nothing}))
    assert found(unproved, "privacy loss") is None
