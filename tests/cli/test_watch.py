"""`fer-audit watch`, `run --watch` and `--cell` on a tiny grid, for real: processes, TensorFlow, pages."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from fer_audit.cli.main import main
from fer_audit.cli.watch import _wait_for_a_run
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.results import RunRecord, write_run
from fer_audit.runner.standing import Standing
from fer_audit.store import Store

GRID = """
dataset: {name: synthface, params: {rows: 70, test_rows: 42}}
models: [mini-xception]
augmentations: [none, mixup]
attacks: {membership: [loss-threshold]}
training: {image_size: 32, epochs: 2, batch_size: 16}
privacy: {references: 4}
"""


class Study:
    """A folder in which the grid is run and watched as a user would do it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(GRID)

    def start(self, *words):
        return subprocess.Popen(
            [sys.executable, "-m", "fer_audit", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )

    def run(self, *words):
        process = self.start("run", "study.yaml", *words)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    @property
    def report(self):
        return self.folder / "reports" / "study"

    @property
    def results(self):
        return json.loads((self.report / "results.json").read_text())

    def statuses(self):
        return [cell["status"] for cell in self.results["cells"]]

    def is_live(self):
        with contextlib.suppress(OSError):
            return re.search(r'data-live="\d+"', (self.report / "report.html").read_text()) is not None
        return False

    def becomes(self, live, seconds=120):
        """Whether the page is `live`, now or soon."""
        deadline = time.monotonic() + seconds
        while self.is_live() != live and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.is_live() == live

    def processes(self, word):
        """Numbers of the processes of this study with `word` in their command."""
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (process / "cmdline").read_bytes().split(b"\0")
                    if word.encode() in words and (process / "cwd").readlink() == self.folder:
                        found.append(int(process.name))
        return found

    def trained(self):
        folder = self.folder / ".fer-audit" / "trainings"
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    def files(self):
        """Content of everything in the folder of the report but for times."""
        paths = (path for path in self.report.rglob("*") if path.is_file())
        kept = (path for path in paths if path.name not in ("run.json", "report.html"))
        return {str(path.relative_to(self.report)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that was watched from its start to its end."""
    study = Study(tmp_path_factory.mktemp("watched"))
    process = study.start("run", "study.yaml", "--watch", "--workers", "1")
    study.was_live, study.trained_before = study.becomes(True), study.trained()
    study.first = study.results
    study.output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, study.output
    return study


def test_a_live_page_is_there_before_the_first_training_ends_and_the_last_one_is_not_live(finished):
    assert "live page: reports/study/report.html\n" in finished.output
    assert finished.was_live
    assert finished.trained_before == 0
    assert [cell["status"] for cell in finished.first["cells"]] == ["missing"] * 2
    assert not finished.is_live()
    assert finished.statuses() == ["done"] * 2
    assert not (finished.report / ".live").exists()
    assert finished.processes("watch") == []
    record = json.loads((finished.report / "run.json").read_text())
    assert record["grid_file"] == "study.yaml"
    assert record["finished"] >= record["started"]


def test_what_a_watched_run_leaves_is_what_a_run_leaves(finished):
    before = finished.files()
    assert {"results.json", "results.csv", "records/0.csv", "records/1.csv"} <= before.keys()
    code, output = finished.run("--watch")
    assert code == 0
    assert "live page" not in output  # nothing is trained, and the report comes at once
    assert finished.files() == before


def test_a_finished_grid_is_watched_to_its_end_at_once(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    before = finished.files()
    assert main(["watch", "study.yaml"]) == 0
    assert capsys.readouterr().out == "live page: reports/study/report.html\nall 2 cells are done\n"
    assert finished.files() == before
    assert not finished.is_live()
    # Times and speeds are those of the run that trained.
    assert "fer-audit watch" not in (finished.report / "report.html").read_text()


def test_a_watch_ends_where_the_rest_has_failed(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    store = Store(Path(".fer-audit"))
    cell = make_plan(read_grid(Path("study.yaml")), store).cells[1]
    aside = tmp_path / "aside"
    lost = store.path("trainings", cell.utility)
    lost.rename(aside)
    later = time.time() + 3600
    store.record_failure(cell.utility, "a title\nTraceback\nValueError: on purpose\n")
    os.utime(store.root / "failures" / f"{cell.utility}.txt", (later, later))
    try:
        assert main(["watch", "study.yaml", "--reports", str(tmp_path)]) == 3
    finally:
        aside.rename(lost)
    assert capsys.readouterr().out.endswith("1 of 2 cells are done\n")
    failed = json.loads((tmp_path / "study" / "results.json").read_text())["cells"][1]
    assert (failed["id"], failed["status"]) == (cell.id, "failed")
    assert failed["error"] == "Traceback\nValueError: on purpose"


def test_chosen_cells_are_reported_apart_and_reuse_what_is_there(finished):
    before = finished.files()
    code, output = finished.run("--cell", "*/mixup/*")
    assert code == 0
    assert "0 trained, 5 taken from the store" in output
    assert "report: reports/study-cells/report.html" in output
    cells = json.loads((finished.folder / "reports" / "study-cells" / "results.json").read_text())["cells"]
    whole = finished.results["cells"][1]
    assert [{**cell, "privacy": None} for cell in cells] == [{**whole, "privacy": None}]
    assert cells[0]["privacy"] == {**whole["privacy"], "records": "records/0.csv"}
    assert finished.files() == before


@pytest.mark.parametrize("command", ["run", "plan", "watch"])
def test_a_pattern_that_means_no_cell_is_one_sentence(command, finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    assert main([command, "study.yaml", "--cell", "mini-xception/mixupp/none/seed0"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the nearest ids are 'mini-xception/mixup/none/seed0'" in error


def test_a_plan_shows_the_chosen_cells(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    assert main(["plan", "study.yaml", "--cell", "*/mixup/*"]) == 0
    assert "1 cell on synthface" in capsys.readouterr().out


def test_looking_all_the_time_is_refused(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    assert main(["watch", "study.yaml", "--every", "0"]) == 2
    assert "--every must be at least 1 second, received 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gate", "code", "word"),
    [
        ("{metric: accuracy, min: 0.0}", 0, "kept"),
        ("{metric: accuracy, min: 1.0}", 1, "broken"),
        ("{metric: accuracy, min: 1.0, level: warn}", 0, "warning"),
        ("{metric: mia_tpr_at_fpr_0.001, max: 0.5}", 3, "inconclusive"),
    ],
)
def test_a_run_says_what_became_of_each_gate_and_its_exit_code_too(finished, monkeypatch, capsys, gate, code, word):
    monkeypatch.chdir(finished.folder)
    gates = f"gates: [{gate}, {{metric: macs, max: 1.0e+12}}]\n"
    Path("gated.yaml").write_text(GRID + gates)
    assert main(["run", "gated.yaml"]) == code
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("report: reports/gated/report.html")
    assert [line.partition(":")[0] for line in lines[place + 1 :]] == [f"gate {word}", "gate kept"]


def test_a_killed_watch_does_not_harm_the_run(finished, tmp_path):
    study = Study(tmp_path / "killed")
    process = study.start("run", "study.yaml", "--watch", "--workers", "1")
    assert study.becomes(True)
    [watch] = study.processes("watch")
    os.kill(watch, signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert output.count("this run keeps up no live page (its process ended with status -9)") == 1
    assert not study.is_live()
    assert study.files() == finished.files()


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_a_run_that_is_stopped_leaves_a_page_that_reloads_no_longer(tmp_path, how):
    study = Study(tmp_path / how)
    process = study.start("run", "study.yaml", "--watch", "--workers", "1")
    assert study.becomes(True)
    process.send_signal(getattr(signal, how))
    output, _ = process.communicate(timeout=60)
    assert study.becomes(False, seconds=60)
    if how == "SIGINT":
        assert process.returncode == 130
        assert "Traceback" not in output
    deadline = time.monotonic() + 30
    while study.processes("watch") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert study.processes("watch") == []
    assert not (study.report / ".live").exists()
    assert len(study.statuses()) == 2


@pytest.mark.parametrize(("how", "code"), [("SIGINT", 130), ("SIGTERM", 128 + 15)])
def test_a_watch_that_is_stopped_leaves_a_page_that_reloads_no_longer(tmp_path, how, code):
    study = Study(tmp_path / how)
    process = study.start("watch", "study.yaml", "--every", "1")
    assert study.becomes(True)
    process.send_signal(getattr(signal, how))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert not study.is_live()
    assert study.statuses() == ["missing"] * 2
    assert not (study.report / ".live").exists()


def test_a_finished_report_is_kept_until_a_run_goes_on(tmp_path, capsys):
    finished = RunRecord(started="2030-01-01T00:00:00+00:00", finished="2030-01-01T01:00:00+00:00")
    write_run(finished, tmp_path / "run.json")
    looks = [("one", "two")] * 4 + [("two",)] * 9
    standings = []

    def look():
        standings.append(Standing(2, frozenset(), frozenset(), {}, looks[len(standings)]))
        return standings[-1]

    opened, lookout = RunRecord(started="2030-01-02T00:00:00+00:00"), SimpleNamespace(look=look)
    _wait_for_a_run(SimpleNamespace(folder=tmp_path, lookout=lookout, record=opened, every=0))
    assert len(standings) == 5
    assert "a finished report is there" in capsys.readouterr().out
    (tmp_path / "run.json").unlink()
    _wait_for_a_run(SimpleNamespace(folder=tmp_path, lookout=lookout, record=opened, every=0))
    assert len(standings) == 6
    assert not capsys.readouterr().out
