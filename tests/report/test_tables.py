import subprocess
import sys

import pytest

from fer_audit.report.numbers import duration, interval, short, with_interval
from fer_audit.report.tables import cells_table, cost_table, decisions_table, memorisation_table, splits_table
from fer_audit.results import Estimate


def texts(table):
    return [[entry.text for entry in row] for row in table.rows]


def test_rows_are_as_long_as_the_head(results, make_results):
    for found in (results, make_results(seeds=(0, 1))):
        for make in (decisions_table, memorisation_table, splits_table):
            table = make(found)
            assert {len(row) for row in table.rows} == {len(table.columns)}
        for make in (cells_table, cost_table):
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


def test_one_unit_for_all_costs(results):
    titles = [column.title for column in cost_table(results, None).columns]
    assert titles[3:7] == ["MACs at 48 px", "FLOPs at 48 px", "MACs at 224 px", "FLOPs at 224 px"]


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
