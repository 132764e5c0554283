"""Training with privacy on a tiny grid, for real: processes, TensorFlow, canaries, page, a mechanism that is broken."""

import csv
import json
import re
import shutil
import subprocess
import sys

import pytest

GRID = """
dataset: {name: synthface, params: {rows: 70, test_rows: 42}}
models: [tiny]
augmentations: [none, mixup]
defences:
  - none
  - {name: dp-sgd, params: {epsilon: 8, physical_batch: 8}}
  - label-smoothing
  - {name: early-stopping, params: {patience: 1, held_out: 0.2}}
canaries: {kind: out-of-distribution, count: 20}
attacks: {membership: [loss-threshold]}
training: {image_size: 16, epochs: 3, batch_size: 16}
privacy: {references: 4}
plugins: [plugins]
"""

PLUGINS = '''
import keras

from fer_audit.models.model import Model


def network(shape, classes, norm):
    images = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    x = keras.layers.Conv2D(4, 3, strides=2)(x)
    x = norm(x)
    return keras.Model(images, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))


class Tiny(Model):
    """A network with a batch normalisation that can be replaced; source: this test."""

    name = "tiny"

    def build(self, input_shape, classes):
        return network(input_shape, classes, keras.layers.BatchNormalization())


class Centred(keras.layers.Layer):
    """Takes the mean of the batch away."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


class Mixing(Model):
    """A network that mixes the images of a batch and can't be rebuilt; source: this test."""

    name = "mixing"

    def build(self, input_shape, classes):
        return network(input_shape, classes, Centred())
'''

DEFENDED = "tiny/none/dp-sgd(epsilon=8, physical_batch=8)/none/seed0"


def run(folder, *arguments):
    command = [sys.executable, "-m", "fer_audit", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def _without_places(cell):
    """A cell without the names of its files, which say where in the grid it stands."""
    return {
        **cell,
        "privacy": {**cell["privacy"], "records": None},
        "canaries": {**cell["canaries"], "file": None},
    }


def results(folder, name="study"):
    found = json.loads((folder / "reports" / name / "results.json").read_text())
    return found, {cell["id"]: cell for cell in found["cells"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("defences")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "mine.py").write_text(PLUGINS)
    (folder / "study.yaml").write_text(GRID)
    code, folder_output = run(folder, "run", "study.yaml", "--workers", "1")
    assert code == 0, folder_output
    (folder / "output.txt").write_text(folder_output)
    return folder


def test_every_defence_is_trained_and_what_cannot_be_is_said(study):
    found, cells = results(study)
    assert {cell["status"] for cell in cells.values()} == {"done"}
    assert len(cells) == 2 * 4 - 1
    assert [cell["id"] for cell in found["left_out"]] == [DEFENDED.replace("/none/dp", "/mixup/dp")]
    output = (study / "output.txt").read_text()
    assert "left out: tiny/mixup/dp-sgd" in output
    assert "epsilon 8 at delta 1e-05 for each image (PLD, Poisson sampling)" in output
    assert "tiny: a private step keeps the gradients of 8 images at once (physical_batch); how much memory" in output
    # Three programs would be one too many: plain training is one, private training the other.
    assert "42 trainings with 2 programs" in output


def test_the_promise_and_both_audits_stand_beside_each_other(study):
    _, cells = results(study)
    promise, one, many = (cells[DEFENDED][part] for part in ("guarantee", "canaries", "many_runs"))
    assert promise["epsilon"] <= 8 < promise["epsilon_rdp"]
    assert promise["steps"] == 3 * 5
    assert promise["group"]["images"] == 4
    assert one["promised"] == promise["epsilon"]
    assert one["guarantee"]["noise_multiplier"] == promise["noise_multiplier"]
    assert not one["broken"]
    assert not many["broken"]
    assert 35 <= many["guarantee"]["rows"] <= 40
    assert cells["tiny/none/none/seed0"]["canaries"]["promised"] is None
    assert cells["tiny/none/none/seed0"]["guarantee"] is cells["tiny/none/none/seed0"]["many_runs"] is None


def test_all_canaries_are_in_a_file_with_their_coins_and_guesses(study):
    _, cells = results(study)
    audit = cells[DEFENDED]["canaries"]
    rows = list(csv.DictReader((study / "reports" / "study" / audit["file"]).read_text().splitlines()))
    assert len(rows) == audit["count"] == 20
    assert sum(row["included"] == "True" for row in rows) == audit["included"]
    right = [row["guess"] == ("in" if row["included"] == "True" else "out") for row in rows if row["guess"]]
    assert (len(right), sum(right)) == (audit["guesses"], audit["correct"])


def test_early_stopping_ends_by_rows_that_it_does_not_train_on(study):
    _, cells = results(study)
    history = cells["tiny/none/early-stopping(held_out=0.2, patience=1)/none/seed0"]["utility"]["history"]
    assert all(epoch["held_out_loss"] > 0 for epoch in history)
    assert cells["tiny/none/none/seed0"]["utility"]["history"][0]["held_out_loss"] is None


def test_running_again_trains_nothing_and_a_fresh_run_makes_the_same(study, tmp_path):
    before = (study / "reports" / "study" / "results.json").read_bytes()
    code, output = run(study, "run", "study.yaml", "--workers", "1")
    assert code == 0
    assert "0 trained" in output
    assert re.search(r"gradients of 8 images at once \(physical_batch\), about \d+ MB in each worker", output)
    assert (study / "reports" / "study" / "results.json").read_bytes() == before
    for name in ("plugins", "study.yaml"):
        (shutil.copytree if name == "plugins" else shutil.copy)(study / name, tmp_path / name)
    # Only two of the cells, so that trainings follow each other in another order.
    code, output = run(tmp_path, "run", "study.yaml", "--cell", "tiny/none/dp-sgd*", "--cell", "*/label-smoothing/*")
    assert code == 0, output
    _, cells = results(study)
    _, again = results(tmp_path, "study-cells")
    assert len(again) == 3
    assert {name: _without_places(cells[name]) for name in again} == {
        name: _without_places(cell) for name, cell in again.items()
    }


def test_a_network_that_mixes_the_images_of_a_batch_fails_with_the_reason(study, tmp_path):
    shutil.copytree(study / "plugins", tmp_path / "plugins")
    (tmp_path / "study.yaml").write_text(GRID.replace("[tiny]", "[mixing]").replace("[none, mixup]", "[none]"))
    code, output = run(tmp_path, "run", "study.yaml", "--cell", "*/none/dp-sgd*")
    assert code == 3
    assert "model 'mixing' can't be trained with differential privacy" in output
    assert "logits change with the images beside it" in output
    assert "Traceback" not in output
    _, cells = results(tmp_path, "study-cells")
    assert [cell["status"] for cell in cells.values()] == ["failed"]


def test_a_promise_that_an_audit_refutes_turns_the_page_red(study, tmp_path):
    shutil.copytree(study / "reports" / "study", tmp_path / "study")
    path = tmp_path / "study" / "results.json"
    found = json.loads(path.read_text())
    audit = next(cell for cell in found["cells"] if cell["id"] == DEFENDED)["canaries"]
    audit |= {"lower_bound": 9.0, "cap": 9.5, "broken": True, "guesses": 20, "correct": 20}
    path.write_text(json.dumps(found))
    code, output = run(tmp_path, "gate", "study")
    assert code == 1
    assert "dp-sgd" in output
    assert run(tmp_path, "report", "study")[0] == 0
    page = (tmp_path / "study" / "report.html").read_text()
    refuted = "<h3>A promise of privacy is refuted"
    assert refuted in page
    assert refuted not in (study / "reports" / "study" / "report.html").read_text()
