"""When a live page is made, and how it takes its place."""

import fcntl
import itertools
import os

import pytest

from fer_audit.errors import StoreError
from fer_audit.results import RunRecord, write_run
from fer_audit.runner.live_page import PRIVATE, private_folder, run_ended, show_page, watched
from fer_audit.runner.standing import Standing


class World:
    """A clock that only sleeping and writing move on, and a run that finishes cell `n` at `times[n]`."""

    def __init__(self, times, took=0.0, total=None, failing=()):
        self.now = 0.0
        self.times, self.took, self.total, self.failing = times, took, total or len(times), failing
        self.looks = 0
        self.pages = []  # when a page was begun, and with how many cells

    def look(self):
        self.looks += 1
        ended = {str(cell) for cell, time in enumerate(self.times) if time <= self.now}
        failed = ended & {str(cell) for cell in self.failing}
        waiting = ("more",) * (self.total - len(ended))
        return Standing(self.total, frozenset(ended - failed), frozenset(failed), {}, waiting)

    def write(self, standing):
        self.pages.append((self.now, len(standing.done), len(standing.failed)))
        self.now += self.took

    def sleep(self, seconds):
        self.now += seconds

    def watch(self, every=5.0, ended=lambda: False):
        return watched(self.look, self.write, every=every, ended=ended, clock=lambda: self.now, sleep=self.sleep)


def test_a_page_is_written_at_once_and_then_only_where_there_is_news():
    world = World([12, 100, 101, 300])
    standing = world.watch()
    assert world.pages == [(0, 0, 0), (15, 1, 0), (100, 2, 0), (105, 3, 0)]
    assert standing.over
    assert len(standing.done) == 4
    assert world.looks == 300 / 5 + 1


def test_a_failed_cell_is_news_too():
    world = World([12, 100, 200], failing=[1])
    world.watch()
    assert world.pages == [(0, 0, 0), (15, 1, 0), (100, 1, 1)]


@pytest.mark.parametrize("took", [0.5, 3.0, 40.0])
def test_at_least_four_times_as_long_as_the_last_page_took_lies_before_the_next(took):
    world = World([float(cell) for cell in range(1000)], took=took)
    world.watch(every=1.0)
    begun = [time for time, *_ in world.pages]
    assert len(begun) > 2
    for one, next_one in itertools.pairwise(begun):
        assert next_one - (one + took) >= 4 * took
    # And not much longer where there is news all the time.
    assert begun[2] - begun[1] <= 5 * took + 2 * 1.0


def test_nothing_is_written_of_a_run_that_is_over_before_it_is_watched():
    world = World([0.0, 0.0])
    assert world.watch().over
    assert (world.pages, world.looks, world.now) == ([], 1, 0)


def test_a_watch_ends_with_the_run():
    world = World([12], total=2)
    standing = world.watch(ended=lambda: world.now >= 30)
    assert not standing.over
    assert world.now == 30


def render(folder):
    page = folder / "report.html"
    page.write_text(f"page of {(folder / 'results.json').read_text()}")
    (folder / "results.csv").write_text("numbers")
    return page


def test_only_what_readers_need_is_put_in_place(tmp_path):
    private = tmp_path / PRIVATE
    (private / "records").mkdir(parents=True)
    (private / "results.json").write_text("results")
    (private / "records" / "0.csv").write_text("of the watch")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "0.csv").write_text("of the run")
    (tmp_path / "report.html").write_text("an older page")
    show_page(tmp_path, "2030-01-01T00:00:00+00:00", render)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        PRIVATE, "records", "report.html", "results.csv", "results.json",
    ]  # fmt: skip
    assert (tmp_path / "report.html").read_text() == "page of results"
    assert (tmp_path / "records" / "0.csv").read_text() == "of the run"
    # It can be made once more, from the same results.
    show_page(tmp_path, "2030-01-01T00:00:00+00:00", render)


def test_there_is_no_page_of_what_was_not_collected(tmp_path):
    (tmp_path / PRIVATE).mkdir()
    show_page(tmp_path, "2030-01-01T00:00:00+00:00", render)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("finished", "ended"),
    [
        (None, False),
        ("2029-12-31T23:59:59+00:00", False),
        ("2030-01-01T00:00:00+00:00", True),
        ("2030-01-02T00:00:00+00:00", True),
    ],
)
def test_the_page_of_a_run_that_has_ended_is_left_alone(tmp_path, finished, ended):
    started = "2030-01-01T00:00:00+00:00"
    write_run(RunRecord(started="2029-12-31T00:00:00+00:00", finished=finished), tmp_path / "run.json")
    assert run_ended(tmp_path, started) == ended
    (tmp_path / PRIVATE).mkdir()
    (tmp_path / PRIVATE / "results.json").write_text("partial")
    (tmp_path / "report.html").write_text("the run's")
    show_page(tmp_path, started, render)
    assert (tmp_path / "report.html").read_text() == ("the run's" if ended else "page of partial")


@pytest.mark.parametrize("text", [None, "", "{}", "nonsense"])
def test_without_a_record_no_run_has_ended(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert not run_ended(tmp_path, "2030-01-01T00:00:00+00:00")


def test_a_page_is_watched_once(tmp_path):
    folder = tmp_path / "reports" / "study"
    with private_folder(folder):
        with pytest.raises(StoreError, match="is being watched already; end that watch first"), private_folder(folder):
            pass
        assert (folder / PRIVATE).is_dir()
    assert not (folder / PRIVATE).exists()
    with private_folder(folder):
        pass


def test_a_page_is_held_as_long_as_a_process_has_the_lock_of_a_run_that_was_killed(tmp_path):
    (tmp_path / PRIVATE).mkdir()
    lock = os.open(tmp_path / PRIVATE, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    inherited = os.dup(lock)
    os.close(lock)
    with pytest.raises(StoreError, match="is being watched already"), private_folder(tmp_path):
        pass
    os.close(inherited)
    with private_folder(tmp_path):
        pass


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "reports").write_text("a file")
    with (
        pytest.raises(StoreError, match=r"can't write the page to .*reports.*choose another folder with --reports"),
        private_folder(tmp_path / "reports"),
    ):
        pass
