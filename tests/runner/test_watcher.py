"""The process beside a run: whatever becomes of it, the run goes on."""

import io
import os
import sys
import time
from contextlib import contextmanager

import pytest
from rich.console import Console

from fer_audit.results import RunRecord, read_run
from fer_audit.runner.live_page import PRIVATE, private_folder
from fer_audit.runner.watcher import Watcher
from fer_audit.store import Store

RECORD = RunRecord(started="2030-01-01T00:00:00+00:00", command="fer-audit run study.yaml")


class Beside:
    """A watcher that runs any code in the place of `fer-audit watch`."""

    def __init__(self, folder):
        self.folder = folder / "report"
        self.store = Store(folder / "store")
        self.output = io.StringIO()
        self.console = Console(file=self.output)

    @contextmanager
    def watcher(self, code):
        with Watcher([], self.store, self.folder, console=self.console, last=self.render) as watcher:
            watcher._command = [sys.executable, "-c", code]
            yield watcher

    def render(self, folder):
        for name in ("report.html", "results.csv"):
            (folder / name).write_text("last")
        return folder / "report.html"

    def has(self, name, seconds=20.0):
        deadline = time.monotonic() + seconds
        while not (found := (self.folder / name).exists()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


@pytest.fixture
def beside(tmp_path):
    return Beside(tmp_path)


def waiting(folder):
    """Code that leaves a page and then sleeps."""
    private = repr(str(folder / PRIVATE))
    return f"import pathlib, time\npathlib.Path({private}, 'results.json').write_text('partial')\ntime.sleep(60)"


def lives(process):
    return process.poll() is None


def test_it_is_there_from_start_to_stop_with_the_record_of_the_run(beside):
    with beside.watcher(waiting(beside.folder)) as watcher:
        watcher.start(RECORD)
        assert read_run(beside.folder / PRIVATE / "run.json") == RECORD
        assert beside.has(f"{PRIVATE}/results.json")
        process = watcher._process
        watcher.check()
        assert lives(process)
        watcher.stop()
        assert not lives(process)
    assert beside.output.getvalue() == ""
    assert list(beside.folder.iterdir()) == []  # the run writes the last page


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_run_that_is_cut_short_leaves_a_last_page_and_no_process(beside, error):
    def cut_short():
        with beside.watcher(waiting(beside.folder)) as watcher:
            watcher.start(RECORD)
            processes.append(watcher._process)
            assert beside.has(f"{PRIVATE}/results.json")
            raise error

    processes = []
    with pytest.raises(error):
        cut_short()
    assert not lives(processes[0])
    assert (beside.folder / "report.html").read_text() == "last"
    assert not (beside.folder / PRIVATE).exists()


def test_a_last_page_that_fails_does_not_hide_why_the_run_ended(beside):
    def cut_short():
        beside.render = lambda folder: 1 / 0
        with beside.watcher(waiting(beside.folder)) as watcher:
            watcher.start(RECORD)
            assert beside.has(f"{PRIVATE}/results.json")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_short()
    assert not (beside.folder / PRIVATE).exists()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('fer-audit: no room')", "fer-audit: no room"),
        ("import os; os.kill(os.getpid(), 9)", "its process ended with status -9"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_its_death_is_told_once(beside, code, reason):
    with beside.watcher(code) as watcher:
        watcher.start(RECORD)
        watcher._process.wait()
        for _ in range(3):
            watcher.check()
        watcher.stop()
    assert " ".join(beside.output.getvalue().split()) == (
        f"this run keeps up no live page ({reason}); the run goes on, and writes the report at its end"
    )


def test_one_that_has_nothing_more_to_do_is_not_missed(beside):
    with beside.watcher("pass") as watcher:
        watcher.start(RECORD)
        watcher._process.wait()
        watcher.check()
        watcher.stop()
    assert beside.output.getvalue() == ""


def test_a_page_that_another_watches_is_left_to_it(beside):
    with private_folder(beside.folder):
        with beside.watcher("pass") as watcher:
            watcher.start(RECORD)
            assert watcher._process is None
        assert "is being watched already" in beside.output.getvalue()
        assert (beside.folder / PRIVATE).is_dir()


def test_one_that_does_not_listen_is_ended_all_the_same(beside, monkeypatch):
    monkeypatch.setattr("fer_audit.runner.watcher._PATIENCE", 0.1)
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{waiting(beside.folder)}"
    with beside.watcher(deaf) as watcher:
        watcher.start(RECORD)
        assert beside.has(f"{PRIVATE}/results.json")
        process = watcher._process
        watcher.stop()
        assert process.returncode == -9


def test_its_command_is_this_interpreter_and_names_this_process(beside):
    watcher = Watcher(["watch", "study.yaml"], beside.store, beside.folder, console=beside.console, last=beside.render)
    assert watcher._command == [
        sys.executable, "-m", "fer_audit", "watch", "study.yaml", "--for-run", str(os.getpid()),
    ]  # fmt: skip
