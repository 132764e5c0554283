"""A batch on a node, without any cluster."""

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from fer_audit.owner import draft_name
from fer_audit.runner.engines import node
from fer_audit.runner.engines.node import Batch, OtherVersionError, StoreAccess, read_by, work
from fer_audit.runner.engines.parcel import packed, unpack
from fer_audit.store import Store


@pytest.fixture
def batch(store, script, tmp_path, monkeypatch):
    """Makes a batch for a node that sees the store, or one that does not."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path(tempfile.gettempdir()).mkdir()
    mark = tmp_path / "mark"
    mark.write_text("token")

    def make(trainings, **changes):
        reached = {"mark": str(mark), "token": "token", **changes.pop("access", {})}
        access = StoreAccess(str(store.root), remote=False, **reached)
        jobs = [training.job.model_dump(mode="json") for training in trainings]
        return Batch(
            **{"jobs": jobs, "store": access, "plugins": [], "needs": {}, "module": "scripted_worker", **changes}
        )

    return make


def told(batch, fetch=None):
    return [message for messages in work(batch, fetch) for message in messages]


def test_a_node_that_sees_the_store_works_on_it(batch, store, training):
    trainings = [training("a", number) for number in range(3)]
    messages = told(batch(trainings))
    assert [message["event"] for message in messages] == ["started", "step", "done"] * 3
    assert [message["key"] for message in messages[::3]] == [one.key for one in trainings]
    assert all(store.has(*one.job.fit) for one in trainings)
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_a_folder_of_the_same_name_is_not_taken_for_the_store(batch, training):
    assert told(batch([training()], access={"token": "of another run"})) == [{"event": "unreachable"}]
    assert told(batch([training()], access={"mark": "/nowhere"})) == [{"event": "unreachable"}]


def test_results_of_a_node_apart_are_whole_artefacts(batch, store, training, tmp_path):
    one = training("a", 1, data="d" * 64)
    store.write("datasets", "d" * 64, lambda folder: (folder / "faces").write_text("needed"))
    needs = {name: name for name in read_by(one.job) if store.has(*name)}
    assert list(needs) == [("datasets", "d" * 64)]
    messages = told(batch([one], access={"mark": "/nowhere"}, needs=needs), lambda name: packed(store, name))
    assert not store.has(*one.job.fit)
    (parcel,) = messages[-1]["parcels"]  # what the job needs does not come back
    there = Store(tmp_path / "there")
    unpack(there, parcel)
    assert there.path(*one.job.fit).joinpath("made").read_text() == "1 here"


def test_after_a_lost_worker_nothing_more_is_taken_up(batch, script, training):
    script(of1=["die"])
    messages = told(batch([training("a", number) for number in range(3)]))
    assert [message["event"] for message in messages] == ["started", "step", "done", "started", "step", "lost"]
    assert messages[-1]["started"]


def test_folders_of_batches_that_were_killed_are_removed(batch, training):
    theirs, ours = draft_name().replace(str(os.getpid()), "999999999", 1), draft_name()
    elsewhere = f"999999999-another.host-{'a' * 32}"
    for name in (theirs, ours, elsewhere):
        (Path(tempfile.gettempdir()) / f"{node._FOLDER}{name}").mkdir()
    told(batch([training()]))
    kept = {path.name.removeprefix(node._FOLDER) for path in Path(tempfile.gettempdir()).iterdir()}
    assert kept == {ours, elsewhere}  # whether a process of another host lives can't be known here


@pytest.mark.parametrize(("word", "last"), [("done", "done"), ("hang", "hung")])
def test_waiting_for_another_run_is_no_hanging_but_hanging_after_it_is(batch, store, script, training, word, last):
    script(of0=[word])
    one, taken = training("a", 0), threading.Event()

    def other_run():
        with store.claim(*one.job.fit, wait=False):
            taken.set()
            time.sleep(3.0)

    other = threading.Thread(target=other_run)
    other.start()
    taken.wait(30)
    assert told(batch([one], waits=True, silence=1.5))[-1]["event"] == last
    other.join()


def test_another_version_is_refused(batch, training):
    with pytest.raises(OtherVersionError, match="install the same on every machine"):
        told(batch([training()], version="0.0.1"))
