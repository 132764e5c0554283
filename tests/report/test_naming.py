from fer_audit.report.comparison import against_none, against_undefended
from fer_audit.report.naming import cell_name, chain_name, joined_treatment, treatment, treatments, with_defences


def test_a_defence_is_part_of_the_name_and_none_is_not(private):
    names = [cell_name(cell, seeds=False) for cell in private.cells]
    assert len(set(names)) == len(names)
    assert names[:3] == [
        "ghostface \u00b7 none",
        "ghostface \u00b7 dp-sgd(epsilon=2)",
        "ghostface \u00b7 dp-sgd(epsilon=8)",
    ]
    assert chain_name(private.cells[-1]) == "ghostface \u00b7 randaug+mixup \u00b7 early-stopping"


def test_undefended_cells_are_named_as_before(results, audited):
    assert not with_defences(results)
    assert treatments(results) == ["none", "randaug", "mixup", "randaug+mixup"]
    assert all(treatment(cell) == cell.augmentation for cell in [*results.cells, *audited.cells])


def test_a_treatment_names_what_there_is():
    assert joined_treatment("none", "none") == "none"
    assert joined_treatment("randaug", "none") == "randaug"
    assert joined_treatment("none", "dp-sgd") == "dp-sgd"
    assert joined_treatment("randaug", "dp-sgd") == "randaug \u00b7 dp-sgd"
    assert joined_treatment("", "") == ""


def test_twins_differ_in_one_thing_alone(private):
    augmented, defended = list(against_none(private.cells)), list(against_undefended(private.cells))
    for cell, twin in augmented:
        assert (cell.defence, cell.label_attack) == (twin.defence, twin.label_attack)
        assert (cell.augmentation, twin.augmentation) == ("randaug+mixup", "none")
    for cell, twin in defended:
        assert (cell.augmentation, cell.label_attack) == (twin.augmentation, twin.label_attack)
        assert cell.defence != twin.defence == "none"
    assert len(augmented) == 4
    assert len(defended) == sum(cell.defence != "none" for cell in private.cells)
