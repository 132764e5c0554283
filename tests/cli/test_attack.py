"""`fer-audit attack` as a user meets it: files in, a table and a page out, and what it says of bad input."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_audit.cli.attack import parse_attacks
from fer_audit.cli.main import main
from fer_audit.errors import PluginError
from fer_audit.grid import PluginRef
from fer_audit.results import read_results, read_run

ROWS, CLASSES = 240, 3
README = Path(__file__).resolve().parents[2] / "README.md"

BROKEN = '''
from fer_audit.attacks.membership_attack import MembershipAttack, Needs


class Broken(MembershipAttack):
    """Divides by nothing; source: nobody."""

    name = "broken"
    threat_model = "none"

    def infer(self, view):
        return 1 / 0


class Demanding(MembershipAttack):
    """Wants more than there is; source: nobody."""

    name = "demanding"
    threat_model = "none"
    needs = Needs(references=50, queries=4, loss_trace=True)

    def infer(self, view):
        return view.phi[:, 0]
'''


def write_signals(path, models=6, leak=2.0, **more):
    rng = np.random.default_rng(0)
    subjects = np.arange(ROWS) // 4
    half = rng.random((models // 2, ROWS // 4)) < 0.5
    keep = np.concatenate([half, ~half])[:, subjects]
    labels = rng.integers(0, CLASSES, ROWS)
    logits = rng.normal(size=(models, ROWS, 1, CLASSES)).astype(np.float32)
    logits[:, np.arange(ROWS), 0, labels] += 1 + leak * keep
    arrays = {"logits": logits, "keep": keep, "labels": labels, "subjects": subjects} | more
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with signals, slices and a folder of plug-ins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write_signals(tmp_path / "faces.npz")
    lines = [
        f"{'corrupted' if row % 3 == 0 else 'clean'},{'<i>old</i>' if row % 2 else 'young'}" for row in range(ROWS)
    ]
    (tmp_path / "slices.csv").write_text("\n".join(["labels,age", *lines]) + "\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.py").write_text(BROKEN)
    return tmp_path


def attacked(folder, name="faces"):
    return read_results(folder / "reports" / name / "results.json").cells[0].privacy.attacks


def test_table_files_and_page(folder, capsys):
    code = main(["attack", "faces.npz", "--attacks", "loss-threshold,shadow-mia", "--slices", "slices.csv"])
    text = capsys.readouterr().out
    assert code == 0
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith(("Below", "note", "report")))
    assert "shadow-mia" in text
    assert "resolvable" in text
    assert text.splitlines()[-1] == "report: reports/faces/report.html"
    made = {path.name for path in (folder / "reports" / "faces").iterdir()}
    assert made == {"results.json", "results.csv", "report.html", "records.csv", "run.json"}
    results = read_results(folder / "reports" / "faces" / "results.json")
    loss, shadow = results.cells[0].privacy.attacks
    assert f"{loss.auc.value:.3f}" in text
    assert {one.family for one in shadow.slices} >= {"class", "labels", "age"}
    assert results.cells[0].status == "done"
    assert results.cells[0].privacy.records == "records.csv"
    assert results.cells[0].privacy.references == 4
    assert results.dataset.pool.rows == ROWS
    assert results.dataset.pool.subjects == ROWS // 4
    assert str(folder) not in results.model_dump_json()
    assert read_run(folder / "reports" / "faces" / "run.json").seconds > 0


def test_page_shows_slices_canaries_and_the_file_of_rows(folder):
    assert main(["attack", "faces.npz", "--attacks", "loss-threshold", "--slices", "slices.csv"]) == 0
    page = (folder / "reports" / "faces" / "report.html").read_text(encoding="utf-8")
    assert "Corrupted rows as canaries</h3>" in page
    assert 'href="./records.csv"' in page
    assert "<i>old" not in page
    assert "&lt;i&gt;old&lt;/i&gt;" in page


def test_rows_have_their_exposure(folder):
    assert main(["attack", "faces.npz", "--attacks", "loss-threshold,shadow-mia", "--slices", "slices.csv"]) == 0
    with (folder / "reports" / "faces" / "records.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * ROWS
    assert [line["attack"] for line in lines[::ROWS]] == ["loss-threshold", "shadow-mia"]
    assert (lines[5]["row"], lines[5]["labels"], lines[5]["age"]) == ("5", "clean", "<i>old</i>")
    assert "subject" not in lines[5]  # only the row's number ties it to a person
    assert 0 <= float(lines[5]["exposure"]) <= 1


def test_no_records_leave_none_behind(folder):
    arguments = ["attack", "faces.npz", "--attacks", "loss-threshold"]
    assert main(arguments) == 0
    assert main([*arguments, "--no-records"]) == 0
    assert not (folder / "reports" / "faces" / "records.csv").exists()
    assert read_results(folder / "reports" / "faces" / "results.json").cells[0].privacy.records is None


def test_results_repeat_themselves(folder):
    arguments = ["attack", "faces.npz", "--attacks", "loss-threshold", "--seed", "3"]
    assert main(arguments) == 0
    first = (folder / "reports" / "faces" / "results.json").read_bytes()
    assert main([*arguments, "--reports", "again"]) == 0
    assert (folder / "again" / "faces" / "results.json").read_bytes() == first


def test_parameters_targets_confidence_and_name(folder):
    attacks = "loss-threshold, shadow-mia(features=probabilities, min_rows=30)"
    options = ["--targets", "0,3", "--confidence", "0.9", "--name", "other", "--seed", "5"]
    assert main(["attack", "faces.npz", "--attacks", attacks, *options]) == 0
    loss, shadow = attacked(folder, "other")
    assert [target.target for target in loss.targets] == [0, 3]
    assert loss.auc.confidence == loss.epsilon.confidence == 0.9
    assert shadow.attack.params["min_rows"] == 30
    assert read_results(folder / "reports" / "other" / "results.json").cells[0].seed == 5


def test_every_attack_that_can_run_is_run_without_a_list(folder, capsys):
    assert main(["attack", "faces.npz", "--plugins", "mine"]) == 3  # `broken` fails alone
    text = capsys.readouterr().out
    assert "left out: 'demanding' needs at least 50 reference models" in text
    assert "failed: broken: membership-attack 'broken' failed at" in text
    assert "ZeroDivisionError" in text
    assert {"loss-threshold", "shadow-mia"} <= {one.attack.name for one in attacked(folder)}
    assert (folder / "reports" / "faces" / "report.html").exists()


def test_nothing_is_written_where_every_attack_fails(folder, capsys):
    assert main(["attack", "faces.npz", "--plugins", "mine", "--attacks", "broken"]) == 3
    assert "no attack succeeded" in capsys.readouterr().out
    assert not (folder / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.npz"], "can't read signals from absent.npz"),
        (["slices.csv"], "expected an .npz file"),
        (["faces.npz", "--attacks", "los-threshold"], "did you mean 'loss-threshold'?"),
        (["faces.npz", "--attacks", "shadow-mia(clasifier=random-forest)"], "did you mean 'classifier'?"),
        (["faces.npz", "--attacks", "shadow-mia(classifier=forest)"], "Received: 'forest'"),
        (["faces.npz", "--attacks", "loss-threshold(queries=[3])"], "queries must lie within 0..0"),
        (["faces.npz", "--attacks", "loss-threshold,loss-threshold"], "twice"),
        (["faces.npz", "--attacks", "loss-threshold,"], "a name is missing between commas"),
        (["faces.npz", "--attacks", ""], "a name is missing"),
        (["faces.npz", "--attacks", "shadow-mia(min_rows=3"], "')' is missing"),
        (["faces.npz", "--attacks", "demanding", "--plugins", "mine"], "needs at least 50 reference models"),
        (["faces.npz", "--plugins", "nowhere"], "does not exist"),
        (["faces.npz", "--targets", "0,6"], "targets must lie within 0..5, received 6"),
        (["faces.npz", "--targets", "0,one"], "--targets must be different models"),
        (["faces.npz", "--targets", "1,1"], "--targets must be different models"),
        (["faces.npz", "--targets", "-1"], "--targets must be different models"),
        (["faces.npz", "--confidence", "95"], "--confidence must be at least 0.5 and below 1"),
        (["faces.npz", "--seed", "x"], "--seed must be a whole number"),
        (["faces.npz", "--name", "../x"], "--name must be"),
        (["faces.npz", "--slices", "absent.csv"], "can't read the slices absent.csv"),
        (["faces.npz", "--slices", "faces.npz"], "not a csv"),
        (["faces.npz", "--slices", "short.csv"], "one line for each of the 240 rows of the signals, received 2"),
        (["faces.npz", "--slices", "ragged.csv"], "1 fields in every line, received 2 in line 3"),
        (["faces.npz", "--slices", "twice.csv"], "a different name for each column"),
        (["faces.npz", "--slices", "empty.csv"], "need a header"),
        (["faces.npz", "--slices", "ids.csv"], "column 'id' has 240 different values"),
        (["two.npz"], "target 0 has none of the 2 models"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(folder, capsys, arguments, said):
    (folder / "short.csv").write_text("age\nold\nyoung\n")
    (folder / "ragged.csv").write_text("age\nold\nyoung,x\n")
    (folder / "twice.csv").write_text("age,age\nold,old\n")
    (folder / "empty.csv").write_text("")
    (folder / "ids.csv").write_text("id\n" + "".join(f"{row}\n" for row in range(ROWS)))
    write_signals(folder / "two.npz", models=2)
    assert main(["attack", *arguments]) == 2
    said_there = capsys.readouterr()
    assert said_there.out == ""
    assert said_there.err.count("\n") == 1
    assert said in said_there.err
    assert "Traceback" not in said_there.err
    assert not (folder / "reports").exists()


def test_results_of_a_grid_are_not_overwritten(folder, capsys):
    there = folder / "reports" / "faces" / "results.json"
    there.parent.mkdir(parents=True)
    there.write_text(json.dumps({"dataset": {"plugin": {"name": "synthface"}}}))
    before = there.read_bytes()
    assert main(["attack", "faces.npz", "--attacks", "loss-threshold"]) == 2
    assert "holds the results of a grid" in capsys.readouterr().err
    assert there.read_bytes() == before


def test_a_name_is_made_from_any_file(folder):
    write_signals(folder / "my faces (2).npz", subjects=None)
    assert main(["attack", "my faces (2).npz", "--attacks", "loss-threshold"]) == 0
    assert (folder / "reports" / "my-faces-2" / "report.html").exists()


@pytest.mark.parametrize(
    "ref",
    [
        PluginRef(name="rmia"),
        PluginRef(name="rmia", params={"queries": [0, 2]}),
        PluginRef(name="shadow-mia", params={"classifier": "random-forest", "min_rows": 3}),
        PluginRef(name="x", params={"flag": True, "nothing": None, "share": 0.5, "deep": {"a": [1, 2]}}),
    ],
)
def test_labels_are_read_back(ref):
    assert parse_attacks(ref.label) == [ref]
    assert parse_attacks(f" {ref.label} , other") == [ref, PluginRef(name="other")]


def test_quotes_hold_commas():
    assert parse_attacks("x(text='a, b)')") == [PluginRef(name="x", params={"text": "a, b)"})]


@pytest.mark.parametrize(
    "text", ["a b", "x(y)", "x(=1)", "x(a=1,a=2)", "x(a=[1)", "x)", "(a=1)", "x(a=1)y", "x(a=\t@)"]
)
def test_what_is_no_attack_is_refused(text):
    with pytest.raises(PluginError):
        parse_attacks(text)


def test_no_tensorflow_for_signals(folder):
    code = (
        "import sys\nfrom fer_audit.cli.main import main\n"
        "code = main(['attack', 'faces.npz', '--attacks', 'loss-threshold'])\n"
        "heavy = {'tensorflow', 'keras', 'imgaug', 'cv2'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_the_example_of_the_readme_runs(folder, capsys):
    section = README.read_text(encoding="utf-8").partition("## Audit logits from anywhere")[2].partition("\n## ")[0]
    python, command = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL).group(1) for kind in ("python", "sh"))
    exec(python, {})  # noqa: S102 - the README is ours
    words = shlex.split(command)
    assert words[0].endswith("fer-audit")
    assert main(words[1:]) == 0
    assert "report: reports/signals/report.html" in capsys.readouterr().out


def test_a_grid_names_unmet_needs_before_it_trains(folder, capsys):
    (folder / "grid.yaml").write_text(
        "dataset: {name: synthface, params: {rows: 60, test_rows: 20}}\nmodels: [ghostface]\nplugins: [mine]\n"
        "attacks: {membership: [demanding]}\n"
    )
    assert main(["run", "grid.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "membership attack 'demanding' needs at least 50 reference models besides the target, has 4" in error
    assert "at least 4 queries, has 1" in error
    assert not (folder / "reports").exists()


def test_slices_may_have_any_name(folder):
    (folder / "odd.csv").write_text("attack,row\n" + "".join(f"a{row % 2},b{row % 3}\n" for row in range(ROWS)))
    assert main(["attack", "faces.npz", "--attacks", "loss-threshold", "--slices", "odd.csv"]) == 0
    with (folder / "reports" / "faces" / "records.csv").open() as file:
        line = next(csv.DictReader(file))
    assert (line["attack"], line["row"]) == ("loss-threshold", "0")
    assert (line["slice attack"], line["slice row"]) == ("a0", "b0")
