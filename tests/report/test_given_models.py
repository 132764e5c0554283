"""The page, the summary, gates and comparisons of models that the run did not train."""

import csv
import html
import io
import re

import pytest

from fer_audit.report.findings import findings
from fer_audit.report.frames import LoadedResults
from fer_audit.report.gates import judge
from fer_audit.report.markdown import summary
from fer_audit.report.page import render, resource
from fer_audit.report.sections import sections
from fer_audit.report.tables import cells_table, decisions_table, memorisation_table, splits_table
from fer_audit.report.tidy import tidy_csv
from fer_audit.report.two_runs import two_runs
from fer_audit.report.two_runs_page import two_runs_html
from fer_audit.results import Estimate, Gate, read_run, write_results, write_run

KINDS = ("followed", "permuted", "only_answers")

#: What is true of grids alone.
OF_GRIDS = (
    *("halves of the pool", "Each privacy model", "privacy models", "the train split", "utility model"),
    *("model trained on all of the pool", "last epoch", "reference models chose, summed", "Training curves"),
    *("Cells done", "One line of the grid", "No cell has a training history", "over targets", "again and again"),
    *("no model was trained on these", "Membership halves", "Recipe", "--cell"),
)


def said(path):
    """The text of the page without its scripts and data."""
    text = path.read_text(encoding="utf-8").replace(resource("vendor/plotly-cartesian.min.js"), "")
    text = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    return html.unescape(text)


@pytest.fixture(params=KINDS)
def given(request):
    return request.getfixturevalue(request.param)


def test_nothing_is_said_that_is_true_of_grids_alone(given, make_folder):
    text = said(render(make_folder(given)))
    assert [words for words in OF_GRIDS if words in text] == []
    assert 'id="training"' not in text
    assert "Audited models" in text


def test_where_thresholds_come_from_is_said(followed, permuted, only_answers, make_folder):
    split = "a calibration split of 117 members and 118 non-members"
    for results in (followed, only_answers):
        text = said(render(make_folder(results)))
        assert split in text
        assert "these rows are not scored" in text
        assert "calibration rows chose" in decisions_table(results).caption
    cells = [cell for cell in permuted.cells if cell.audited.references]
    text = said(render(make_folder(permuted.model_copy(update={"cells": cells}))))
    assert split not in text
    assert "reference models like it" in text
    assert "reference models chose" in decisions_table(permuted.model_copy(update={"cells": cells})).caption


def test_accuracy_is_on_the_rows_that_it_is_on(followed):
    hints = {column.title: column.hint for column in cells_table(followed, None).columns}
    assert hints["Accuracy"] == "on the non-members"
    assert not {"Augmentation", "Labels", "Noise", "Seed"} & set(hints)
    assert [column.title for column in memorisation_table(followed).columns] == [
        "Cell",
        "Members",
        "Non-members",
        "Gap",
    ]
    params = followed.dataset.plugin.params | {"test": "t.csv"}
    plugin = followed.dataset.plugin.model_copy(update={"params": params})
    listed = followed.model_copy(update={"dataset": followed.dataset.model_copy(update={"plugin": plugin})})
    assert {c.title: c.hint for c in cells_table(listed, None).columns}["Accuracy"] == "on the test list"
    assert "Test split" in [column.title for column in memorisation_table(listed).columns]
    assert [row[0].text for row in splits_table(listed.dataset).rows] == [
        "Members and non-members",
        "Test list",
        "Population",
    ]
    series = {trace.name for chart in sections(listed).memorisation for trace in chart.variants[0].figure.data}
    assert series == {"members", "non-members", "test list"}


def test_a_warning_is_the_first_finding_and_stands_near_the_headline(permuted, make_folder):
    first, *others = findings(permuted)
    assert (first.title, first.tone) == ("Labels look permuted", "bad")
    assert first.text.startswith("odd.onnx: labels look permuted: your class 3 is our 'fear'; ")
    assert "can't be trusted" in first.text
    assert not [one for one in others if "permuted" in one.text]
    text = said(render(make_folder(permuted)))
    top = text[text.index('class="card verdict') :].partition('<dl class="tiles">')[0]
    assert "<b>odd.onnx</b>: labels look permuted: your class 3 is our 'fear'." in top
    assert summary(permuted, None).index("Labels look permuted") < summary(permuted, None).index("Membership leaks")


def test_no_leak_is_claimed_of_permuted_labels(permuted):
    leak = next(one for one in findings(permuted) if one.title.startswith("Membership leaks"))
    assert leak.title == "Membership leaks from 1 of 1 audited model"
    assert "fine.tflite" in leak.text
    alone = permuted.model_copy(update={"cells": permuted.cells[:1]})
    assert "Leakage is unknown" in [one.title for one in findings(alone)]


def test_leakage_over_time_is_claimed_only_where_intervals_do_not_overlap(followed):
    def found(results):
        return next((one for one in findings(results) if "training time" in one.title), None)

    grows = found(followed)
    assert (grows.title, grows.tone) == ("Leakage grows with training time", "bad")
    assert "leakage rises from AUC 0.540" in grows.text
    assert "at epoch 5 to 0.730" in grows.text
    assert grows.text.endswith("at epoch 40; the intervals, widened for 3 attacks, do not overlap.")
    early, middle, late = followed.cells
    turned = [
        early.model_copy(update={"audited": early.audited.model_copy(update={"checkpoint": 60})}),
        middle.model_copy(update={"audited": middle.audited.model_copy(update={"checkpoint": 20})}),
        late.model_copy(update={"audited": late.audited.model_copy(update={"checkpoint": 1})}),
    ]
    assert found(followed.model_copy(update={"cells": turned})).title == "Leakage shrinks with training time"
    same = followed.model_copy(update={"cells": [middle, early.model_copy(update={"privacy": middle.privacy})]})
    assert found(same).title == "Leakage can't be shown to change with training time"
    assert found(followed.model_copy(update={"cells": [late]})) is None
    untrusted = late.model_copy(update={"privacy": late.privacy.model_copy(update={"invalid": "sides differ"})})
    assert found(followed.model_copy(update={"cells": [early, untrusted]})) is None


def test_checkpoints_are_drawn_by_their_epochs(followed, permuted):
    leakage, accuracy = sections(followed).checkpoints
    traces = leakage.variants[0].figure.data
    assert [trace.name for trace in traces] == ["shadow-mia", "loss-threshold", "confidence-entropy"]
    assert all(list(trace.x) == [5, 20, 40] for trace in traces)
    expected = [cell.privacy.attacks[0].auc.value for cell in followed.cells]
    assert list(traces[0].y) == expected
    assert [trace.name for trace in accuracy.variants[0].figure.data] == ["members", "non-members"]
    assert sections(permuted).checkpoints == []
    # A target alone says what its cell says.
    assert "targets" not in {chart.id for chart in sections(followed).charts()}


def test_frames_have_the_files_and_the_checkpoints(followed, permuted):
    models = LoadedResults(permuted).audited_models
    assert list(models["model_file"]) == ["odd.onnx", "fine.tflite"]
    assert list(models["scaling"]) == ["-1..1", "-1..1"]
    assert list(models["input_shape"]) == ["48x48x3", "48x48x3"]
    assert list(models["model_trusted"]) == [True, False]
    assert models["calibration_members"].isna().tolist() == [False, True]
    assert len(LoadedResults(permuted).checkpoints) == 0
    over_time = LoadedResults(followed).checkpoints
    loss = over_time[over_time["attack"] == "loss-threshold"]
    assert list(loss["model_checkpoint"]) == [5, 20, 40]
    assert list(loss["auc"]) == [cell.privacy.attacks[1].auc.value for cell in followed.cells]


def test_results_csv_has_the_whole_digest(permuted, few):
    rows = list(csv.DictReader(io.StringIO(tidy_csv(permuted))))
    assert {row["model_sha256"] for row in rows} == {"5a" * 32}
    assert rows[0]["model_warnings"].startswith("labels look permuted")
    plain = list(csv.DictReader(io.StringIO(tidy_csv(few))))
    assert {row[name] for row in plain for name in row if name.startswith(("model_", "calibration_"))} == {""}


def test_the_summary_has_the_files(followed, only_answers):
    text = summary(followed, None)
    cells = text.partition("### Cells\n\n")[2].split("\n")[0]
    assert cells == "| Model | Status | Accuracy | Balanced acc. | Attack AUC |"
    files = text.partition("### Audited models\n\n")[2].split("\n")
    assert len([line for line in files if line.startswith("|")]) == 5
    assert "117 members and 118 non-members, not scored" in files[2]
    assert "a.csv + b.csv" in summary(only_answers, None)


@pytest.mark.parametrize(
    ("metric", "limit", "outcomes"),
    [
        ("accuracy", {"min": 0.4}, ("pass", "fail", "inconclusive")),
        ("balanced_accuracy", {"min": 0.4}, ("pass", "fail", "inconclusive")),
        ("mia_auc", {"max": 0.6}, ("fail", "fail", "fail")),
        ("mia_tpr_at_fpr_0.01", {"max": 0.9}, ("pass", "inconclusive", "pass")),
        ("mia_advantage", {"max": 0.9}, ("pass", "inconclusive", "pass")),
        ("epsilon_lower_bound", {"max": 5}, ("pass", "inconclusive", "pass")),
        ("accuracy_gap", {"max": 0.9}, ("pass", "inconclusive", "pass")),
        ("corrupted_accuracy", {"min": 0.3}, ("pass", "fail", "inconclusive")),
        ("macs", {"max": 1e9}, ("pass", "inconclusive", "inconclusive")),
        ("file_bytes", {"max": 1e9}, ("pass", "inconclusive", "inconclusive")),
        ("memorised", {"max": 1}, ("inconclusive", "inconclusive", "inconclusive")),
        ("epsilon", {"max": 8}, ("inconclusive", "inconclusive", "inconclusive")),
    ],
)
def test_gates_judge_models_that_were_given(metric, limit, outcomes, request):
    found = [judge(request.getfixturevalue(kind), None, [Gate(metric=metric, **limit)])[0] for kind in KINDS]
    assert tuple(one.outcome for one in found) == outcomes


def test_gates_say_why_a_file_was_not_counted(permuted, only_answers):
    (macs,) = judge(permuted, None, [Gate(metric="macs", max=1)])
    assert macs.reasons[0] == "odd.onnx: layers are counted in Keras files alone, and its file is of format onnx"
    (accuracy,) = judge(only_answers, None, [Gate(metric="accuracy", min=0.5)])
    assert accuracy.reasons == ("world: only answers were audited, without a test",)


def test_two_audits_are_compared(followed, tmp_path):
    late = followed.cells[-1]
    worse = late.utility.model_copy(update={"accuracy": Estimate(value=0.2, low=0.18, high=0.22, n=700)})
    file = late.audited.model_copy(update={"sha256": "77" * 32})
    plugin = late.model_plugin.model_copy(update={"source": "77" * 32})
    changed = late.model_copy(update={"utility": worse, "audited": file, "model_plugin": plugin})
    for name, cells in (("a", followed.cells), ("b", [*followed.cells[:2], changed])):
        (tmp_path / name).mkdir()
        write_results(followed.model_copy(update={"cells": cells}), tmp_path / name / "results.json")
    runs = two_runs(tmp_path / "a", tmp_path / "b")
    told = {one.title: one.text for one in runs.findings()}
    assert "The same trainings" not in told
    assert told["Plug-ins of the same name differ"].startswith("model late.keras: another file")
    assert [(fact.group, fact.name) for fact in runs.changed] == [("audited model", "late.keras SHA-256")]
    assert "960 members and non-members" in two_runs_html(runs)


def test_the_command_that_audits_again_is_told(followed, make_folder):
    text = said(render(make_folder(followed)))
    assert "fer-audit run" in text  # of the run record
    assert "The same again" not in text
    folder = make_folder(followed)
    record = read_run(folder / "run.json").model_copy(update={"grid_file": "reports/my audit/audit.yaml"})
    write_run(record, folder / "run.json")
    assert "<code>fer-audit run 'reports/my audit/audit.yaml'</code>" in said(render(folder))
