"""`fer-audit gate` as CI meets it: exit codes, and what is printed and written."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fer_audit.cli.main import main
from fer_audit.gate_section import METRICS
from fer_audit.results import Gate, write_results

_PLACE = Path(__file__).parents[1] / "report" / "conftest.py"


@pytest.fixture(scope="module")
def fixtures():
    """How the tests of the report make results."""
    spec = importlib.util.spec_from_file_location("report_fixtures", _PLACE)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def small(fixtures):
    """Four cells of one model."""
    return fixtures.build(models=fixtures.MODELS[:1], augmentations=fixtures.AUGMENTATIONS[:2])


@pytest.fixture
def gate(tmp_path, small, capsys, monkeypatch):
    """Writes results, runs the command on them; returns its exit code and what it printed."""
    monkeypatch.setenv("COLUMNS", "60")

    def run(*arguments, results=small, place=tmp_path):
        write_results(results, tmp_path / "results.json")
        code = main(["gate", str(place), *arguments])
        found = capsys.readouterr()
        return code, found.out + found.err

    return run


def undone(results):
    cells = [results.cells[0].model_copy(update={"status": "failed", "error": "boom"}), *results.cells[1:]]
    return results.model_copy(update={"cells": cells})


def limited(results, *gates):
    return results.model_copy(update={"gates": list(gates)})


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--max", "mia_auc=0.99"], 0, "PASS"),
        (["--max", "mia_auc=0.1"], 1, "FAIL"),
        (["--max", "mia_auc=0.1", "--warn"], 0, "WARN"),
        (["--max", "mia_auc=0.1", "--min", "accuracy=0"], 1, "Breaks 1 of 2 gates"),
        (["--max", "mia_tpr_at_fpr_0.001=1"], 3, "INCONCLUSIVE"),
        (["--max", "mia_tpr_at_fpr_0.001=1", "--warn"], 0, "INCONCLUSIVE"),
        (["--max", "mia_auc=0.1", "--max", "mia_tpr_at_fpr_0.001=1"], 1, "INCONCLUSIVE"),
        (["--max", "mia_auc=0.99", "--certain"], 0, "whole interval"),
        (["--min", "accuracy=0.65", "--where", "labels=none", "--where", "augmentation=none"], 0, "PASS"),
        (
            ["--min", "accuracy=0.65", "--where", "labels=none", "--where", "augmentation=none", "--certain"],
            3,
            "stradd",
        ),
    ],
)
def test_exit_codes(gate, arguments, code, word):
    found, said = gate(*arguments)
    assert found == code
    assert word in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "has no `gates:`; write one on the command line, such as --max mia_auc=0.6"),
        (["--max", "mia_auk=1"], "--max: unknown metric 'mia_auk': did you mean 'mia_auc'?"),
        (
            ["--min", "accuracy"],
            "--min: expected METRIC=NUMBER, such as mia_auc=0.6, received 'accuracy'",
        ),
        (["--min", "accuracy=high"], "received 'accuracy=high'"),
        (["--max", "mce=inf"], "received 'mce=inf'"),
        (["--max", "mce=nan"], "received 'mce=nan'"),
        (["--min", "accuracy=50"], "accuracy is 0 to 1, such as 0.6 for 60 %. Received: 50"),
        (["--max", "epsilon_lower_bound=1", "--certain"], "epsilon_lower_bound has no interval"),
        (["--warn"], "--warn is about limits of the command line; expected --max or --min with it"),
        (["--where", "labels=none"], "--where is about limits"),
        (["--max", "mce=1", "--where", "labels"], "--where: expected NAME=VALUE, such as labels=none"),
        (["--max", "mce=1", "--where", "label=none"], "--where: unknown name 'label': did you mean 'labels'?"),
        (["--max", "mce=1", "--where", "model=ghostfac"], "no cell has model 'ghostfac': did you mean 'ghostface'?"),
        (["--max", "mce=1", "--junit", "nowhere/gates.xml"], "the folder of nowhere/gates.xml does not exist"),
        (["--max", "mce=1", "--junit", "."], "expected a file such as gates.xml, received the folder ."),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(gate, arguments, said):
    code, printed = gate(*arguments)
    assert code == 2
    assert said in printed
    assert len(printed.splitlines()) == 1


def test_results_that_are_not_there_are_exit_code_2(gate, tmp_path):
    code, printed = gate("--max", "mce=1", place=tmp_path / "absent")
    assert code == 2
    assert "run the grid first" in printed


def test_the_gates_of_the_grid_are_judged(gate, small, tmp_path):
    kept, warned = Gate(metric="accuracy", min=0.1), Gate(metric="mia_auc", max=0.2, level="warn")
    code, printed = gate(results=limited(small, kept, warned), place=tmp_path / "results.json")
    assert code == 0
    lines = printed.splitlines()
    assert lines[0].startswith("PASS         accuracy at least 10\u202f%; ")
    assert lines[1].startswith("WARN         mia_auc at most 0.2; ")
    assert "difference +0." in lines[1]
    assert "by shadow-mia" in lines[1]
    assert lines[2].startswith("Warning: 1 of 2 gates broken.")
    assert gate(results=limited(small, Gate(metric="accuracy", min=0.9)))[0] == 1
    # What the command line asks takes the place of what the grid asks.
    assert gate("--min", "accuracy=0.1", results=limited(small, Gate(metric="accuracy", min=0.9)))[0] == 0


def test_a_failed_cell_leaves_the_run_inconclusive(gate, small):
    results = undone(small)
    assert gate("--max", "accuracy=1", "--where", "labels=symmetric(rate=0.2)", results=results)[0] == 3
    code, printed = gate("--max", "accuracy=1", results=results)
    assert code == 3
    assert "the cell failed" in printed
    assert gate("--max", "accuracy=0.1", results=results)[0] == 1


def test_junit_is_written_beside_any_format(gate, small, tmp_path):
    file = tmp_path / "gates.xml"
    code, _ = gate("--max", "mia_auc=0.1", "--junit", str(file), results=undone(small))
    gates, cells = ET.parse(file).getroot()  # noqa: S314 - it is our own
    assert code == 1
    assert (gates.get("tests"), gates.get("failures"), gates.get("skipped")) == ("4", "3", "1")
    assert (cells.get("tests"), cells.get("errors")) == ("4", "1")


def test_json_holds_what_the_page_shows(gate, small):
    code, printed = gate("--max", "mia_auc=0.6", "--where", "labels=none", "--format", "json")
    written = json.loads(printed)
    (found,) = written["gates"]
    clean = [cell for cell in small.cells if cell.label_attack == "none"]
    worst = max(clean, key=lambda cell: cell.privacy.attacks[0].auc.value)
    auc = worst.privacy.attacks[0].auc
    assert (written["format"], written["exit_code"], code) == ("fer-audit-gates-1", 1, 1)
    assert (found["metric"], found["max"], found["min"], found["where"]) == ("mia_auc", 0.6, None, {"labels": ["none"]})
    assert (found["outcome"], found["cell"], found["attack"]) == ("fail", worst.id, "shadow-mia")
    assert (found["estimate"]["value"], found["estimate"]["low"]) == (auc.value, auc.low)
    assert found["difference"] == pytest.approx(auc.value - 0.6)
    assert found["passed"] + found["failed"] == len(clean)


def test_a_refuted_promise_is_a_line_and_exit_code_1(gate, fixtures, tmp_path):
    broken = fixtures.refuted_results()
    code, printed = gate(results=broken)
    assert code == 1
    lines = printed.splitlines()
    assert lines[0].startswith("FAIL         promise refuted: ghostface \u00b7 dp-sgd(epsilon=2): epsilon 2.04 ")
    assert lines[1].startswith("Refutes a promise of privacy. ")
    file = tmp_path / "gates.xml"
    code, printed = gate("--max", "accuracy=1", "--format", "json", "--junit", str(file), results=broken)
    written = json.loads(printed)
    (told,) = written["refuted"]
    assert (code, written["exit_code"], [one["outcome"] for one in written["gates"]]) == (1, 1, ["pass"])
    assert (told["lower_bound"], told["promised"], told["unit"]) == (3.3, 2.04, "one image")
    assert told["cell"] == next(cell.id for cell in broken.cells if cell.canaries.broken)
    *_, promises = ET.parse(file).getroot()  # noqa: S314 - it is our own
    assert (promises.get("name"), promises.get("failures")) == ("promises of fixture", "1")
    code, printed = gate("--format", "md", results=broken)
    assert printed.startswith("## \u274c fixture: Refutes a promise of privacy\n")
    assert "### Promises" in printed


def test_promises_that_are_kept_are_judged_without_a_gate(gate, fixtures):
    kept = fixtures.private_results()
    code, printed = gate(results=kept)
    assert code == 0
    assert "No audit of a promise of privacy refutes it" in printed
    assert gate("--max", "epsilon=8", "--where", "defence=dp-sgd(epsilon=8)", results=kept)[0] == 0
    assert gate("--max", "epsilon=8", "--where", "defence=dp-sgd(epsilon=32)", results=kept)[0] == 1
    assert gate("--max", "epsilon=99", results=kept)[0] == 3
    assert gate("--max", "epsilon=8", "--where", "defence=dp-sgd", results=kept)[0] == 1
    code, printed = gate("--max", "epsilon=8", "--where", "defence=dp", results=kept)
    assert code == 2
    assert "no cell has defence 'dp': " in printed


def test_markdown_has_the_verdict_and_the_gates(gate):
    code, printed = gate("--max", "mia_auc=0.1", "--format", "md")
    assert code == 1
    assert printed.startswith("## \u274c fixture: Breaks 1 of 1 gate\n")
    assert "| mia\\_auc | broken | 0.789 (" in printed
    assert "| at most 0.1 | 0.689 beyond | 0 of 4 keep it |" in printed


def test_names_in_brackets_are_no_markup_of_the_terminal(gate, small):
    cells = [cell.model_copy(update={"model": "[red]x[/]"}) for cell in small.cells]
    _, printed = gate("--max", "mia_auc=0.1", results=small.model_copy(update={"cells": cells}))
    assert printed.count("[red]x[/]") == 2


def test_help_lists_every_metric_and_exit_code(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"  {name} " in text for name in METRICS)
    assert all(f"\n  {code}  " in text for code in (0, 1, 2, 3))


def test_neither_tensorflow_nor_the_images_are_needed(small, tmp_path):
    write_results(small, tmp_path / "results.json")
    code = (
        "import sys\nfrom fer_audit.cli.main import main\n"
        f"code = main(['gate', {str(tmp_path)!r}, '--max', 'mia_auc=0.99'])\n"
        "heavy = {'tensorflow', 'keras', 'imgaug'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
