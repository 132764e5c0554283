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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    elsewhere = store.root / "tmp" / f"999999999-another-machine-{'0' * 32}"
    file = store.root / "tmp" / f"999999999-{'0' * 32}"
    for draft in (dead, alive, elsewhere):
        draft.mkdir()
    file.write_text("a mark")
    store.clean_temporary()
    assert not dead.exists()
    assert not file.exists()
    assert alive.exists()
    assert elsewhere.exists()


DIGEST = array_digest(np.arange(40))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["arrays/array.npy", "values/value.json", "arrays/about.json", "values/about.json"])
    | st.sampled_from(["arrays/manifest.json", "values/manifest.json"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 255),
)
def test_whatever_byte_is_altered_the_value_is_never_used_and_can_be_made_again(store, file, place, bits):
    store.write_array(np.arange(40), title="rows")
    store.write_json("values", "k", {"accuracy": 0.75}, title="accuracy", uses=[("arrays", DIGEST)])
    store.found_damaged.clear()
    kind, _, name = file.partition("/")
    key = DIGEST if kind == "arrays" else "k"
    victim = store.path(kind, key) / name
    content = bytearray(victim.read_bytes())
    content[int(place * len(content))] ^= bits
    victim.write_bytes(content)
    if kind == "arrays":
        with pytest.raises(StoreError, match="no whole array"):
            store.read_array(DIGEST)
    else:
        assert store.read_json("values", "k") is None
    assert not store.has(kind, key)
    assert not store.path(kind, key).exists()
    assert len(store.found_damaged) == 1
    assert store.found_damaged[0].startswith(f"{kind}/{key[:12]}")


WRITER = """
import random, sys
from pathlib import Path
from fer_audit.store import Store

store, mine = Store(Path(sys.argv[1])), sys.argv[2]
keys = [f"{number:064x}" for number in range(40)]
random.seed(mine)
random.shuffle(keys)


def fill(folder):
    for name in "abc":
        (folder / name).write_text(mine * 3000)


for turn in range(3):
    for key in keys:
        if random.random() < 0.3 and store.has("things", key):
            store.remove("things", key)
        store.write("things", key, fill)
        store.has("things", key)
        store.read_json("things", key)
assert store.found_damaged == [], store.found_damaged
"""


def test_two_processes_that_write_and_remove_the_same_never_leave_a_mixture(store):
    command = [sys.executable, "-c", WRITER, str(store.root)]
    writers = [subprocess.Popen([*command, mine], stderr=subprocess.PIPE, text=True) for mine in ("x", "y")]
    for writer in writers:
        assert writer.communicate()[1] == ""
        assert writer.returncode == 0
    whole = store.has_all([("things", f"{number:064x}") for number in range(40)])
    assert len(whole) == len(list((store.root / "things").iterdir()))
    for name in whole:
        assert len({(store.path(*name) / file).read_text() for file in "abc"}) == 1
    assert not list((store.root / "tmp").iterdir())
    assert not (store.root / "damaged").exists()


def test_many_are_looked_for_at_once(store):
    for key in ("a", "b", "torn"):
        put(store, key)
    store.write_json("values", "a", 1)
    (store.path("things", "torn") / "a.txt").write_text("c0ntent")
    names = [("things", key) for key in ("a", "b", "torn", "absent")] + [("values", "a"), ("nothing", "a")]
    assert store.has_all(iter(names)) == {("things", "a"), ("things", "b"), ("values", "a")}
    assert store.found_damaged == ["things/torn: a.txt was truncated or altered"]
    assert store.has_all([]) == set()


def test_an_array_under_the_key_of_another_is_put_aside(store):
    right, wrong = (store.write_array(np.arange(3) + number) for number in range(2))
    shutil.rmtree(store.path("arrays", right))
    shutil.copytree(store.path("arrays", wrong), store.path("arrays", right))
    assert store.has("arrays", right)
    with pytest.raises(StoreError, match="is not the one that its key says, and was put aside; run the grid again"):
        store.read_array(right)
    assert not store.has("arrays", right)
    assert store.write_array(np.arange(3)) == right
    np.testing.assert_array_equal(store.read_array(right), np.arange(3))


@pytest.mark.parametrize("name", ["value.json", "array.npy"])
def test_a_whole_artefact_of_an_older_form_is_not_read_as_a_new_one(store, name):
    def fill(folder):
        (folder / "older.bin").write_bytes(b"content")
        (folder / name).write_bytes(b"")

    store.write("values", "k", lambda folder: (folder / "older.bin").write_bytes(b"content"))
    store.write("arrays", "0" * 64, fill)
    assert store.read_json("values", "k") is None
    with pytest.raises(StoreError, match="is not the one that its key says"):
        store.read_array("0" * 64)


@pytest.mark.parametrize(
    "array", [np.float64(1.5), np.zeros((0, 3)), np.asfortranarray(np.arange(6).reshape(2, 3)), "é"]
)
def test_every_array_comes_back_as_it_was(store, array):
    back = store.read_array(store.write_array(np.asarray(array)))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == np.asarray(array).dtype


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
    with store.in_use(), store.alone(), store.claim("things", "k", wait=False) as mine:
        assert mine
        with store.claim("things", "k", wait=True) as theirs:
            assert theirs
        put(store)
    assert store.has("things", "k")


CLAIMER = """
import sys
from pathlib import Path
from fer_audit.store import Store
with Store(Path(sys.argv[1])).claim("things", "k", wait=True) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def a_claimer(store):
    """Another process that makes the artefact `things/k` until it is ended."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", CLAIMER, str(store.root)], **pipes) as process:
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def is_claimed(store, key="k"):
    with store.claim("things", key, wait=False) as mine:
        return not mine


def test_who_claims_an_artefact_makes_it_alone(store):
    with store.claim("things", "k", wait=False) as mine:
        assert mine
        assert is_claimed(store)
        assert is_claimed(Store(store.root))
        assert not is_claimed(store, "other")
    assert not is_claimed(store)
    assert not list((store.root / "claims").iterdir())


@pytest.mark.parametrize("end", ["leave", "kill"])
def test_the_claim_of_another_process_ends_with_it(store, end):
    with a_claimer(store) as process:
        assert is_claimed(store)
        waited = []
        thread = threading.Thread(target=lambda: waited.append(wait_for(store)))
        thread.start()
        thread.join(0.05)
        assert not waited
        process.stdin.close() if end == "leave" else process.kill()
        thread.join(10)
        assert waited == [True]
        assert not is_claimed(store)
    assert not list((store.root / "claims").iterdir())


def wait_for(store):
    with store.claim("things", "k", wait=True) as mine:
        return mine


def test_a_claim_is_never_held_twice(store):
    held, most, refused = [], [], []

    def work(number):
        for turn in range(60):
            with store.claim("things", "k", wait=turn % 2 == 0) as mine:
                if not mine:
                    refused.append(number)
                    continue
                held.append(number)
                most.append(len(held))
                os.sched_yield()
                held.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) + len(refused) == 480
    assert len(most) >= 240
    assert not list((store.root / "claims").iterdir())


def test_an_error_under_a_claim_frees_it_and_is_not_swallowed(store):
    with pytest.raises(FileNotFoundError), store.claim("things", "k", wait=True):
        raise FileNotFoundError
    with a_claimer(store), pytest.raises(FileNotFoundError), store.claim("things", "k", wait=False):
        raise FileNotFoundError
    assert not is_claimed(store)


def test_what_a_killed_process_left_of_a_claim_does_no_harm(store):
    (store.root / "claims").mkdir()
    (store.root / "claims" / "things-k").touch()
    assert not is_claimed(store)
    assert not list((store.root / "claims").iterdir())


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


def test_a_store_that_was_made_for_nothing_is_gone_and_no_other(tmp_path):
    store = Store(tmp_path / "new")
    with Store(store.root).in_use():
        store.remove_if_empty()
        assert store.root.exists()  # another run has begun with it
    store.remove_if_empty()
    assert not store.root.exists()
    kept = Store(tmp_path / "kept")
    kept.write_json("things", "a" * 64, 1)
    kept.remove_if_empty()
    assert kept.read_json("things", "a" * 64) == 1
