"""The store: whole or absent, and never used when altered."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fer_audit.errors import StoreError
from fer_audit.store import About, Store, array_digest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def put(store, key="k", text="content"):
    return store.write("things", key, lambda folder: (folder / "a.txt").write_text(text))


def test_what_is_written_is_there(store):
    folder = put(store)
    assert store.has("things", "k")
    assert (folder / "a.txt").read_text() == "content"
    assert not list((store.root / "tmp").iterdir())


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest", "no manifest", "other manifest"])
def test_a_damaged_artefact_is_put_aside_and_can_be_written_again(store, damage):
    folder = put(store)
    victim = folder / "a.txt"
    if damage == "truncate":
        victim.write_text("cont")
    elif damage == "flip":
        victim.write_text("cOntent")
    elif damage == "remove":
        victim.unlink()
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text("{" if damage == "manifest" else '["a.txt"]')
    assert store.damage("things", "k") is not None
    assert not store.has("things", "k")
    assert len(list((store.root / "damaged").iterdir())) == 1
    put(store)
    assert store.has("things", "k")


def test_an_interrupted_write_leaves_nothing(store):
    def fail(folder):
        (folder / "a.txt").write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        store.write("things", "k", fail)
    assert not store.has("things", "k")
    assert not list((store.root / "tmp").iterdir())


def test_the_first_of_two_equal_writes_stays(store):
    put(store, text="first")
    put(store, text="second")
    assert (store.path("things", "k") / "a.txt").read_text() == "first"


def test_drafts_of_dead_processes_are_removed(store):
    dead, alive = store.root / "tmp" / "999999999-x", store.root / "tmp" / "1-x"
    dead.mkdir()
    alive.mkdir()
    store.clean_temporary()
    assert not dead.exists()
    assert alive.exists()


def test_arrays_are_kept_under_their_content(store):
    array = np.arange(6).reshape(2, 3)
    digest = store.write_array(array)
    assert digest == array_digest(array)
    np.testing.assert_array_equal(store.read_array(digest), array)
    assert array_digest(array) != array_digest(array.reshape(3, 2))
    assert array_digest(array) != array_digest(array.astype(np.int32))
    with pytest.raises(StoreError, match="no whole array"):
        store.read_array("0" * 64)


def test_json_values_come_back(store):
    assert store.read_json("values", "k") is None
    store.write_json("values", "k", {"é": [1.5, None]})
    assert store.read_json("values", "k") == {"é": [1.5, None]}


def test_a_store_that_can_not_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't write to the store"):
        Store(tmp_path / "file" / "store")


def test_an_artefact_says_what_it_is_and_what_it_was_made_from(store):
    uses = [("arrays", "a"), ("datasets", "d")]
    folder = store.write("things", "k", lambda folder: None, title="é · seed 0", uses=uses)
    assert store.about("things", "k") == About("é · seed 0", tuple(uses))
    assert set(json.loads((folder / "manifest.json").read_text())) == {"about.json"}
    (folder / "about.json").write_text("{}")
    assert store.damage("things", "k") == "about.json was truncated or altered"


def test_arrays_and_json_values_say_it_too(store):
    store.write_json("values", "k", 1, title="one", uses=[("things", "k")])
    digest = store.write_array(np.arange(3), title="rows")
    assert store.about("values", "k") == About("one", (("things", "k"),))
    assert store.about("arrays", digest) == About("rows", ())
    assert store.read_json("values", "k") == 1
    np.testing.assert_array_equal(store.read_array(digest), np.arange(3))


def test_an_artefact_without_title_and_uses_says_nothing(store):
    assert not (put(store) / "about.json").exists()
    assert store.about("things", "k") is None
    assert store.about("things", "absent") is None


@pytest.mark.parametrize("text", ["", "[]", "3", '{"title": "t"}', '{"title": "t", "uses": [1]}', '{"uses": 3}'])
def test_an_unreadable_about_says_nothing(store, text):
    (put(store) / "about.json").write_text(text)
    assert store.about("things", "k") is None


def test_two_that_find_the_same_damage_do_not_trip_over_each_other(store):
    put(store)
    store.put_aside("things", "k")
    store.put_aside("things", "k")
    assert not store.has("things", "k")


def test_a_removed_artefact_is_gone_and_can_be_written_again(store):
    put(store)
    store.remove("things", "k")
    store.remove("things", "k")
    assert not store.path("things", "k").exists()
    assert not list((store.root / "tmp").iterdir())
    put(store)
    assert store.has("things", "k")


def test_a_crash_while_removing_leaves_a_draft_and_no_half_artefact(store, monkeypatch):
    put(store)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.remove("things", "k")
    assert not store.path("things", "k").exists()
    (draft,) = (store.root / "tmp").iterdir()
    draft.rename(store.root / "tmp" / draft.name.replace(draft.name.partition("-")[0], "999999999"))  # it dies
    assert len(store.abandoned_drafts()) == 1
    store.clean_temporary()
    assert not list((store.root / "tmp").iterdir())


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_what_can_not_be_removed_is_one_sentence_and_stays_whole(store, monkeypatch):
    put(store)

    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(StoreError, match=r"can't remove things/k from the store .*: Permission denied"):
            store.remove("things", "k")
    assert store.has("things", "k")


@contextlib.contextmanager
def a_run(store):
    """Another process that uses the store until it is ended."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom fer_audit.store import Store\n"
        "with Store(Path(sys.argv[1])).in_use():\n    print('in use', flush=True)\n    sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(store.root)], **pipes) as process:
        assert process.stdout.readline() == "in use\n"
        yield process
        process.kill()


def alone_is_refused(store):
    try:
        with store.alone():
            return False
    except StoreError as error:
        assert str(error) == f"a run is using the store {store.root}; wait for it to end, then prune"  # noqa: PT017
        return True


def test_several_runs_use_a_store_and_nobody_is_alone_meanwhile(store):
    assert not alone_is_refused(store)
    with store.in_use(), a_run(store):
        assert alone_is_refused(store)
    assert not alone_is_refused(store)


def test_two_are_not_alone(store):
    with store.alone():
        assert alone_is_refused(store)


def test_a_killed_run_no_longer_uses_the_store(store):
    with a_run(store) as process:
        assert alone_is_refused(store)
        process.kill()
        process.wait()
        assert not alone_is_refused(store)


def test_the_worker_of_a_killed_run_does_not_hold_its_lock(store):
    worker = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    code = (
        "import subprocess, sys\nfrom pathlib import Path\nfrom fer_audit.store import Store\n"
        "with Store(Path(sys.argv[1])).in_use():\n"
        f"    subprocess.run([sys.executable, '-c', {worker!r}], close_fds=False)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(store.root)], stdout=subprocess.PIPE) as run:
        number = int(run.stdout.readline())
        assert alone_is_refused(store)
        run.kill()
        run.wait()
        os.kill(number, 0)
        assert not alone_is_refused(store)
        os.kill(number, signal.SIGKILL)


def test_a_file_system_without_locks_is_used_without(store, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with store.in_use(), store.alone():
        put(store)
    assert store.has("things", "k")


def test_who_can_not_write_the_lock_may_use_the_store_and_not_prune_it(store):
    (store.root / "lock").mkdir()
    with store.in_use():
        put(store)
    with pytest.raises(StoreError, match="can't write to the store"), store.alone():
        pass


def test_an_error_of_a_run_is_not_swallowed_by_the_lock(store):
    with pytest.raises(FileNotFoundError), store.in_use():
        raise FileNotFoundError
    with pytest.raises(FileNotFoundError), store.alone():
        raise FileNotFoundError


def test_what_was_put_aside_is_told(store):
    store.write("things", "k" * 64, lambda folder: (folder / "f").write_text("whole"), title="a thing")
    assert store.has("things", "k" * 64)
    assert store.found_damaged == []
    (store.path("things", "k" * 64) / "f").write_text("torn")
    assert not store.has("things", "k" * 64)
    assert store.found_damaged == [f"things/{'k' * 12} (a thing): f was truncated or altered"]


def test_an_empty_manifest_is_damage(store):
    store.write("things", "k", lambda folder: (folder / "f").write_text("whole"))
    (store.path("things", "k") / "manifest.json").write_text("{}")
    assert store.damage("things", "k") == "its manifest is missing or unreadable"


def test_who_waits_for_a_prune_is_told(store):
    told = []
    with store.in_use(lambda: told.append("waiting")):
        assert told == []
    leave = threading.Event()
    entered = threading.Event()

    def prune():
        with store.alone():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=prune)
    thread.start()
    entered.wait(10)

    def waiting():
        told.append("waiting")
        leave.set()

    with store.in_use(waiting):
        assert told == ["waiting"]
    thread.join()
