"""The main job on a tiny grid, for real: processes, TensorFlow, attacks, page."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

GRID = """
dataset: {name: synthface, params: {rows: 70, test_rows: 42}}
models: [mini-xception]
augmentations: [none, [randaug, mixup]]
attacks:
  labels: [none, {name: symmetric, params: {rate: 0.3}}]
  membership: [shadow-mia, loss-threshold]
training: {image_size: 32, epochs: 2, batch_size: 16}
privacy: {references: 4, queries: [identity, flip]}
plugins: [plugins]
"""

PLUGINS = '''
from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.attacks.membership_attack import MembershipAttack, Needs
from fer_audit.models.model import Model


class Raising(Augmentation):
    """Fails in training; source: this test."""

    name = "raising"

    def apply(self, images, labels, rng):
        raise ValueError("on purpose")


class Failing(MembershipAttack):
    """Fails after training; source: this test."""

    name = "failing"
    threat_model = "none"

    def infer(self, view):
        raise ValueError("on purpose")


class Tracing(MembershipAttack):
    """Reads the losses of every epoch; source: this test."""

    name = "tracing"
    threat_model = "the attacker saw the model after every epoch"
    needs = Needs(loss_trace=True)

    def infer(self, view):
        return -view.loss_trace.sum(axis=1)


class Broken(Model):
    """Fails when it is built; source: this test."""

    name = "broken"

    def build(self, input_shape, classes):
        print("a plug-in that prints must not disturb anything")
        raise SystemExit("on purpose")
'''


class Study:
    """A folder in which the grid is run as a user would run it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "plugins").mkdir(parents=True)
        (folder / "plugins" / "mine.py").write_text(PLUGINS)
        self.write(GRID)

    def write(self, grid):
        (self.folder / "study.yaml").write_text(grid)

    def start(self, *options):
        return subprocess.Popen(
            [sys.executable, "-m", "fer_audit", "run", "study.yaml", *options],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )

    def run(self, *options):
        process = self.start(*options)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def file(self, name):
        return (self.folder / "reports" / "study" / name).read_bytes()

    @property
    def results(self):
        return json.loads(self.file("results.json"))

    def trained(self):
        folder = self.store / "trainings"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    @property
    def store(self):
        return self.folder / ".fer-audit"

    def artefacts(self, kind):
        """Content of all files of that kind, by key and name."""
        files = (self.store / kind).glob("*/*")
        return {str(path.relative_to(self.store)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    study = Study(tmp_path_factory.mktemp("undisturbed") / "a folder with späces")
    code, output = study.run("--workers", "1")
    assert code == 0, output
    study.output = output
    return study


def test_a_run_leaves_the_page_and_its_data(undisturbed):
    page = undisturbed.file("report.html").decode()
    assert "<html" in page
    assert "20 trainings with 1 program;" in undisturbed.output
    rows = list(csv.DictReader(undisturbed.file("results.csv").decode().splitlines()))
    assert rows
    results = undisturbed.results
    assert [cell["status"] for cell in results["cells"]] == ["done"] * 4
    for cell in results["cells"]:
        assert cell["utility"]["accuracy"]["low"] < cell["utility"]["accuracy"]["high"]
        assert len(cell["utility"]["history"]) == 2
        assert {attack["attack"]["name"] for attack in cell["privacy"]["attacks"]} == {"shadow-mia", "loss-threshold"}
        for attack in cell["privacy"]["attacks"]:
            counts = attack["confusion"]
            assert sum(counts.values()) == 4 * 70
            assert attack["tpr_at_fpr"]["0.001"]["value"] is None
            assert "not resolvable" in attack["tpr_at_fpr"]["0.001"]["note"]
    noisy = results["cells"][2]
    assert 0.1 < noisy["noise_rate"] < 0.5
    assert results["costs"][0]["flops"] == 2 * results["costs"][0]["macs"]


def test_running_again_repeats_nothing_and_changes_nothing(undisturbed):
    before, results = undisturbed.trained(), undisturbed.file("results.json")
    code, output = undisturbed.run()
    assert code == 0
    assert "20 are done, 0 to do" in output
    assert "0 trained, 20 taken from the store" in output
    assert undisturbed.trained() == before
    assert undisturbed.file("results.json") == results


def test_two_workers_give_the_same_results_byte_for_byte(undisturbed, tmp_path):
    study = Study(tmp_path / "two")
    code, output = study.run("--workers", "2")
    assert code == 0, output
    assert study.trained() == undisturbed.trained()
    for name in ("results.json", "results.csv"):
        assert study.file(name) == undisturbed.file(name), name
    for kind in ("trainings", "signals"):
        assert study.artefacts(kind) == undisturbed.artefacts(kind)


def test_a_study_that_grows_does_only_what_is_new_and_alone_gives_the_same_bits(undisturbed, tmp_path):
    study = Study(tmp_path / "growing")
    small = GRID.replace("[none, [randaug, mixup]]", "[[randaug, mixup]]").replace("[identity, flip]", "[identity]")
    small = small.replace("[none, {name: symmetric, params: {rate: 0.3}}]", "[none]")
    study.write(small)
    assert study.run("--workers", "1")[0] == 0
    # These five trainings were the sixth to tenth of twenty in the other study.
    assert len(study.trained()) == 5
    study.write(small.replace("[identity]", "[identity, flip]"))
    code, output = study.run()
    assert code == 0
    assert "4 of those to do are trained already, and only have to be asked" in output
    assert "0 trained, 4 asked anew, 1 taken from the store" in output
    for kind in ("trainings", "signals"):
        assert study.artefacts(kind).items() <= undisturbed.artefacts(kind).items()
    study.write(small.replace("references: 4", "references: 6"))
    assert "2 trained, 5 taken from the store" in study.run()[1]
    before = study.artefacts("trainings")
    study.write(small.replace("[shadow-mia, loss-threshold]", "[tracing]"))
    code, output = study.run()
    assert code == 0
    # Losses along the way are lost once a training is over; the same weights come out again.
    assert "4 trained, 1 taken from the store" in output
    assert study.artefacts("trainings") == before
    _check_traces(study)


def _check_traces(study):
    """The last epoch's losses are those of the finished model's answers."""
    about = [json.loads(path.read_text()) for path in (study.store / "traces").glob("*/about.json")]
    traces = [np.load(path) for path in (study.store / "traces").glob("*/loss.npy")]
    assert [trace.shape for trace in traces] == [(70, 2)] * 4
    answers = {
        dict(json.loads(path.read_text())["uses"])["trainings"]: path.parent
        for path in (study.store / "signals").glob("*/about.json")
        if "identity" in path.read_text()
    }
    for uses, trace in ((dict(entry["uses"]), trace) for entry, trace in zip(about, traces, strict=True)):
        labels = np.load(study.store / "arrays" / uses["arrays"] / "array.npy")
        logits = np.load(answers[uses["trainings"]] / "pool.npy")
        losses = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(70), labels]
        np.testing.assert_allclose(trace[:, -1], losses, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_a_run_that_was_stopped_goes_on_to_the_same_results(undisturbed, tmp_path, how):
    study = Study(tmp_path / how)
    process = study.start("--workers", "1")
    deadline = time.monotonic() + 120
    while len(study.trained()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(getattr(signal, how))
    output, _ = process.communicate(timeout=60)
    kept = study.trained()
    assert 3 <= len(kept) < 20
    if how == "SIGINT":
        assert process.returncode == 130
        assert "interrupted" in output
        assert "Traceback" not in output
    code, output = study.run("--workers", "1")
    assert code == 0
    trained, asked, taken = _counts(output)
    assert trained == 20 - len(kept)
    # What was stopped between a fit and its answers has only to be asked.
    assert asked <= 1
    assert asked + taken == len(kept)
    assert study.file("results.json") == undisturbed.file("results.json")
    assert not _workers_of(study.folder)


def _counts(output):
    """Trainings that the last line of a run counts: trained, asked anew, taken from the store."""
    found = re.search(r"(\d+) trained, (?:(\d+) asked anew, )?(\d+) taken from the store", output)
    return tuple(int(number or 0) for number in found.groups())


def _workers_of(folder):
    """Worker processes that work in `folder` still."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes()
                if b"fer_audit.training.worker" in words and (process / "cwd").readlink() == folder:
                    found.append(process.name)
    return found


def test_a_killed_worker_costs_its_training_under_way_only(undisturbed, tmp_path):
    study = Study(tmp_path / "worker")
    process = study.start("--workers", "1")
    deadline = time.monotonic() + 120
    while len(study.trained()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    [worker] = _workers_of(study.folder)
    os.kill(int(worker), signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    trained, asked, taken = _counts(output)
    assert (trained + asked, taken) == (20, 0)
    assert asked <= 1
    assert study.file("results.json") == undisturbed.file("results.json")


def test_an_altered_artefact_is_trained_again(undisturbed):
    results, key = undisturbed.file("results.json"), undisturbed.trained()[0]
    victim = undisturbed.folder / ".fer-audit" / "trainings" / key / "weights.npz"
    victim.write_bytes(victim.read_bytes()[:-10])
    code, output = undisturbed.run()
    assert code == 0
    assert f"damaged: trainings/{key[:12]} (mini-xception" in output
    assert "weights.npz was truncated or altered" in output
    assert "1 trained, 19 taken from the store" in output
    assert undisturbed.file("results.json") == results


def test_a_failing_model_fails_its_cells_only(undisturbed):
    undisturbed.write(GRID.replace("[mini-xception]", "[mini-xception, broken]"))
    code, output = undisturbed.run()
    undisturbed.write(GRID)
    assert code == 3
    assert "4 of 8 cells failed" in output
    status = {cell["model"]: cell["status"] for cell in undisturbed.results["cells"]}
    assert status == {"mini-xception": "done", "broken": "failed"}
    assert any("on purpose" in cell["error"] for cell in undisturbed.results["cells"])
    assert b"on purpose" in undisturbed.file("report.html")


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("[none, [randaug, mixup]]", "[none, raising]", 2),
        ("[shadow-mia, loss-threshold]", "[loss-threshold, failing]", 4),
    ],
)
def test_a_plugin_that_raises_fails_its_cells_and_the_page_says_why(undisturbed, old, new, failed):
    undisturbed.write(GRID.replace(old, new))
    code, output = undisturbed.run()
    undisturbed.write(GRID)
    assert code == 3
    assert f"{failed} of 4 cells failed" in output
    assert "Traceback" not in output
    assert [cell["status"] for cell in undisturbed.results["cells"]].count("failed") == failed
    assert b"ValueError: on purpose" in undisturbed.file("report.html")
