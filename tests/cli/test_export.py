import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from fer_audit.cli.main import main

EXAMPLE = Path(__file__).parents[2] / "reports" / "example"
GRID = """
dataset: {name: synthface, params: {rows: 70, test_rows: 28}}
models: [mini-xception]
attacks: {membership: []}
training: {image_size: 32, epochs: 2, batch_size: 16}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a finished run of one model."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "tiny.yaml").write_text(GRID)
    run = [sys.executable, "-m", "fer_audit", "run", "tiny.yaml"]
    done = subprocess.run(run, cwd=folder, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def export(place, monkeypatch, capfd):
    """Runs the command; returns its exit code and what it said."""

    def run(*arguments, run="reports/tiny"):
        monkeypatch.chdir(place)
        monkeypatch.setenv("COLUMNS", "200")
        code = main(["export", str(run), *arguments])
        return code, "".join(capfd.readouterr())

    return run


def test_every_format_is_written_checked_and_recorded(export, place):
    code, said = export("--format", "saved-model,onnx", "--format", "tflite", "--format", "tflite-int8", "--out", "out")
    record = json.loads((place / "out" / "export.json").read_text())
    files = {one["format"]: one for one in record["exported"]}
    assert code == 0, said
    assert set(files) == {"saved-model", "onnx", "tflite", "tflite-int8"}
    for name, one in files.items():
        assert one["rows"] == 28
        assert one["file"] in said
        assert one["equal"]["n"] == one["accuracy"]["n"] == 28
        assert 0 < one["p50_ms"] <= one["p95_ms"]
        if name != "tflite-int8":
            assert one["max_difference"] < 1e-4
            assert one["equal"]["value"] == 1.0
    assert files["onnx"]["bytes"] == (place / "out" / "model.onnx").stat().st_size
    results = json.loads((place / "reports/tiny/results.json").read_text())
    assert files["onnx"]["original_accuracy"] == results["cells"][0]["utility"]["accuracy"]
    card = (place / "out" / "MODEL_CARD.md").read_text()
    assert all(one["file"] in card.replace("\\_", "_") for one in files.values())


def test_a_second_export_keeps_the_first_and_goes_beside_the_results(export, place):
    code, _ = export("--format", "onnx", "--rows", "10")
    assert code == 0
    folder = place / "reports/tiny/export/mini-xception_none_none_seed0"
    assert (folder / "labels.txt").read_text().splitlines()[0] == "neutral"
    assert onnxruntime.InferenceSession(str(folder / "model.onnx")).get_inputs()[0].name == "images"
    code, said = export("--format", "tflite", "--rows", "7", "--cell", "mini*")
    assert code == 0, said
    found = json.loads((folder / "export.json").read_text())["exported"]
    assert [(one["format"], one["rows"]) for one in found] == [("onnx", 10), ("tflite", 7)]


def test_files_that_disagree_end_with_3_or_a_warning(export, place, monkeypatch):
    from fer_audit.export import written

    asked = written.network_logits
    monkeypatch.setattr(written, "network_logits", lambda network, rows: -asked(network, rows))
    code, said = export("--format", "onnx,tflite-int8", "--out", "off")
    assert code == 3
    assert "disagrees: model.onnx" in said
    assert "warning: model-int8.tflite predicts" in said
    card = (place / "off" / "MODEL_CARD.md").read_text()
    assert "model.onnx does not answer as the network does" in card
    assert "Warning: model-int8.tflite" in card


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "onyx"], "unknown format 'onyx': did you mean 'onnx'?"),
        ([], "no format named"),
        (["--format", "onnx", "--rows", "0"], "--rows must be at least 1"),
        (
            ["--format", "onnx", "--cell", "mini-xception/none/none/seed1"],
            "nearest ids are 'mini-xception/none/none/se",
        ),
        (["--format", "onnx", "--out", "tiny.yaml"], "is a file; expected a folder"),
        (["--format", "onnx", "--out", "reports"], "is not empty"),
        (["--format", "onnx", "--store", "elsewhere"], "name the store of the run with --store"),
    ],
)
def test_mistakes_are_one_sentence(export, arguments, told):
    code, said = export(*arguments)
    assert code == 2
    assert told in said
    assert said.count("\n") == 1


def test_a_layer_that_no_converter_knows_is_one_sentence_and_the_folder_can_be_used_again(export, monkeypatch):
    from fer_audit.export import written

    def fail(*arguments, **more):
        raise NotImplementedError("no such operator")

    with monkeypatch.context() as broken:
        broken.setattr(written, "write_model", fail)
        code, said = export("--format", "onnx", "--out", "again", "--rows", "5")
    assert code == 2
    assert "can't be written as onnx (NotImplementedError: no such operator)" in said
    code, said = export("--format", "onnx", "--out", "again", "--rows", "5")
    assert code == 0, said


def test_a_run_of_several_cells_needs_one_chosen(export):
    code, said = export("--format", "onnx", run=EXAMPLE)
    assert code == 2
    assert "16 finished cells; expected --cell" in said
    code, said = export("--format", "onnx", "--cell", "ghostface/*", run=EXAMPLE)
    assert code == 2
    assert "matches 8 cells" in said


def test_a_model_of_others_is_refused(export, place):
    changed = json.loads((place / "reports/tiny/results.json").read_text())
    changed["cells"][0]["utility"] = None
    (place / "bare").mkdir()
    (place / "bare" / "results.json").write_text(json.dumps(changed))
    code, said = export("--format", "onnx", run="bare")
    assert code == 2
    assert "no utility model" in said


def test_images_that_are_gone_are_named_with_the_fix(export, place):
    shutil.copytree(place / ".fer-audit", place / "bereft")
    shutil.rmtree(place / "bereft" / "datasets")
    code, said = export("--format", "onnx", "--store", "bereft", "--out", "gone")
    assert code == 2
    assert "no longer has the images of dataset 'synthface'" in said
    assert "fer-audit run tiny.yaml --store bereft" in said
    assert not (place / "gone").exists()
