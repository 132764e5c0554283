import subprocess
import sys

import pytest

from fer_audit.report import attack_rows
from fer_audit.report.cost import cost_table, layer_tables, speed_table
from fer_audit.report.explanations import explanations_table
from fer_audit.report.exposure import exposure_table
from fer_audit.report.numbers import UNKNOWN, decimal, duration, interval, loss, p_value, share, short, with_interval
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.tables import cells_table, decisions_table, memorisation_table, splits_table
from fer_audit.report.transferred import transferred_table
from fer_audit.results import Estimate

LACKING = {"tf_profiler": None, "fvcore": None, "activation_peak_bytes": None, "layers": []}


def texts(table):
    return [[entry.text for entry in row] for row in table.rows]


def test_rows_are_as_long_as_the_head(results, make_results):
    for found in (results, make_results(seeds=(0, 1))):
        for make in (decisions_table, memorisation_table, transferred_table, cost_table):
            table = make(found)
            assert {len(row) for row in table.rows} == {len(table.columns)}
        for make in (cells_table, speed_table):
            table = make(found, None)
            assert {len(row) for row in table.rows} == {len(table.columns)}


def test_one_seed_needs_no_column(results, make_results):
    assert "Seed" not in [column.title for column in cells_table(results, None).columns]
    assert "Seed" in [column.title for column in cells_table(make_results(seeds=(0, 1)), None).columns]


def test_cells_table_has_every_cell_and_sorts_by_value(results):
    table = cells_table(results, None)
    assert len(table.rows) == len(results.cells)
    place = [column.title for column in table.columns].index("Accuracy")
    assert [row[place].sort for row in table.rows] == [cell.utility.accuracy.value for cell in results.cells]


def test_decisions_hold_the_counts(results):
    table = decisions_table(results)
    place = [column.title for column in table.columns].index("TP")
    attack = results.cells[0].privacy.attacks[0].confusion
    assert texts(table)[0][place : place + 4] == [str(n) for n in (attack.tp, attack.fp, attack.fn, attack.tn)]


def test_decisions_show_epsilon_with_its_cap_and_the_unit(results):
    table = decisions_table(results)
    bound = results.cells[0].privacy.attacks[0].epsilon
    last = table.rows[0][-1]
    assert (last.text, last.note) == (loss(bound.lower_bound), "cap 3.40, by subject")
    assert "1e-05" in table.columns[-1].hint
    assert "95\u202f%" in table.columns[-1].hint
    one = results.cells[0].privacy.attacks[0].model_copy(update={"unit": "subject"})
    privacy = results.cells[0].privacy.model_copy(update={"attacks": [one]})
    cell = results.cells[0].model_copy(update={"privacy": privacy})
    row = decisions_table(results.model_copy(update={"cells": [cell]})).rows[0]
    assert row[1].note.startswith("about whole subjects")


def test_transferred_thresholds_show_what_they_did(results):
    row = transferred_table(results).rows[0]
    attack = results.cells[0].privacy.attacks[0]
    assert row[2].sort == attack.transferred["0.01"].fpr.value
    assert row[3].note == interval(attack.transferred["0.01"].tpr)
    assert [entry.text for entry in row[4:]] == ["not resolvable"] * 2


def test_signals_alone_have_neither_test_split_nor_utility(audited):
    titles = [column.title for column in memorisation_table(audited).columns]
    assert titles == ["Cell", "Members", "Non-members", "Gap"]
    assert [row[0].text for row in splits_table(audited.dataset).rows] == ["Pool", "Population"]
    assert texts(decisions_table(audited))[0][0] == "world"
    assert decisions_table(audited).rows[0][0].note == ""


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.csv", "a/../../x.csv", "..\\x.csv"])
def test_files_elsewhere_are_not_linked(audited, path):
    cell = audited.cells[0]
    moved = cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"records": path})})
    assert exposure_table(audited.model_copy(update={"cells": [moved]}), 9).rows[0][1].link == ""


def test_a_file_is_linked_as_a_file(audited):
    cell = audited.cells[0]
    named = cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"records": "javascript:alert(1)"})})
    row = exposure_table(audited.model_copy(update={"cells": [named]}), 9).rows[0]
    assert row[1].link == "./javascript%3Aalert%281%29"
    assert row[3].sort == cell.privacy.attacks[0].record_stability


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (p_value(0.0004), "<\u202f0.001"),
        (p_value(0.0312), "0.031"),
        (share(0.95), "95\u202f%"),
        (share(0.001), "0.1\u202f%"),
        (loss(0.0), "0"),
        (loss(1.234), "1.23"),
        (decimal(-0.5), "\u22120.500"),
        (interval(Estimate(value=-0.1, low=-0.2, high=0.1), decimal), "\u22120.200 to 0.100"),
    ],
)
def test_small_numbers(text, expected):
    assert text == expected


def test_one_unit_for_all_costs(results):
    titles = [column.title for column in cost_table(results).columns]
    assert titles[3:5] == ["MACs at 48 px", "FLOPs at 48 px"]
    assert titles[7:] == ["MACs at 224 px", "FLOPs at 224 px"]
    assert [column.title for column in speed_table(results, None).columns].count("images/s") == 2


def test_costs_of_older_results_are_shown_without_what_they_lack(results):
    older = results.model_copy(update={"costs": [cost.model_copy(update=LACKING) for cost in results.costs]})
    for table in (cost_table(older), speed_table(older, None)):
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert UNKNOWN in texts(table)[0]
    assert layer_tables(older) == []


def test_layers_add_up_to_the_model(results):
    [table] = layer_tables(results)
    assert table.caption == "Layers of ghostface"
    place = [column.title for column in table.columns].index("MACs")
    assert sum(row[place].sort for row in table.rows) == results.costs[0].macs
    assert [row[place].note for row in table.rows] == ["33.3\u202f%", "66.7\u202f%"]


@pytest.mark.parametrize("make", [decisions_table, transferred_table])
def test_of_very_many_attacks_the_strongest_of_each_cell_are_shown(make, few, monkeypatch):
    assert len(make(few).rows) == 12
    assert "shown" not in make(few).caption
    monkeypatch.setattr(attack_rows, "ALL", 11)
    table = make(few)
    assert [row[0].cell for row in table.rows] == [cell.id for cell in few.cells]
    assert [row[1].attack for row in table.rows] == [strongest_attack(cell).attack.name for cell in few.cells]
    assert ". Of 12 attacks those that are the strongest on their cell are shown;" in table.caption
    monkeypatch.setattr(attack_rows, "MOST", 3)
    assert [row[0].cell for row in make(few).rows] == [cell.id for cell in few.cells[:3]]
    assert make(few).caption.endswith("results.csv has all. The first 3 of 4 cells are shown.")


def test_a_cell_whose_aucs_are_unknown_is_not_left_out(few, monkeypatch):
    cell = few.cells[1]
    unknown = [attack.model_copy(update={"auc": Estimate(value=None)}) for attack in cell.privacy.attacks]
    cells = [few.cells[0], cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"attacks": unknown})})]
    monkeypatch.setattr(attack_rows, "ALL", 1)
    rows = decisions_table(few.model_copy(update={"cells": cells})).rows
    assert [(row[0].cell, row[1].attack) for row in rows] == [
        (cells[0].id, strongest_attack(cells[0]).attack.name),
        (cells[1].id, unknown[0].attack.name),
    ]


def test_very_many_heat_map_measures_are_cut(few, monkeypatch):
    assert explanations_table(few).caption == "Heat maps against random maps"
    monkeypatch.setattr("fer_audit.report.explanations.MOST", 5)
    assert len(explanations_table(few).rows) == 5
    assert ". The first 5 of 13 lines are shown;" in explanations_table(few).caption


def test_rows_name_their_cell_and_their_attack(few):
    cells = cells_table(few, None)
    place = [column.title for column in cells.columns].index("Attack AUC")
    assert [row[0].cell for row in cells.rows] == [cell.id for cell in few.cells]
    assert {row[place].attack for row in cells.rows} == {"shadow-mia"}
    for table in (decisions_table(few), transferred_table(few), exposure_table(few, 60)):
        attacks = [(cell.id, attack.attack.name) for cell in few.cells for attack in cell.privacy.attacks]
        named = [(row[0].cell, next(entry.attack for entry in row if entry.attack)) for row in table.rows]
        assert named == attacks


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (1500, "1.50\u202fk"), (64_673_166, "64.7\u202fM"), (3.1e9, "3.10\u202fG")]
)
def test_short_counts(value, text):
    assert short(value) == text


def test_intervals_name_the_unit_once():
    assert interval(Estimate(value=0.5, low=0.4, high=0.6)) == "40.0\u201360.0\u202f%"
    assert interval(Estimate(value=0.5)) == ""
    assert with_interval(Estimate(value=None, note="not resolvable")) == "not resolvable"


@pytest.mark.parametrize(("seconds", "text"), [(5, "5.0 s"), (65, "1 min 5 s"), (7260, "2 h 1 min")])
def test_durations(seconds, text):
    assert duration(seconds).replace("\u202f", " ") == text


def test_the_report_needs_neither_tensorflow_nor_scikit_learn():
    code = (
        "import sys, fer_audit.report.page; "
        "print([n for n in ('tensorflow', 'keras', 'sklearn', 'pandas', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
