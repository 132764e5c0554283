"""Disks that fail: one sentence, nothing corrupted, and all goes on once they are mended."""

import contextlib
import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from fer_audit.errors import StoreError
from fer_audit.store import Store

NOBODY = 65534
MOUNT, UMOUNT = shutil.which("mount"), shutil.which("umount")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    put(store, "old")
    return store


def put(store, key="k", text="content"):
    return store.write("things", key, lambda folder: (folder / "a.txt").write_text(text), title=f"thing {key}")


def is_unharmed(store, key="k"):
    """Whether the write of `key` left no trace, and what was there before is whole."""
    return not list((store.root / "tmp").iterdir()) and not store.has("things", key) and store.has("things", "old")


class Disk:
    """A small file system in memory."""

    def __init__(self, place):
        self.place = place

    def change(self, *options):
        subprocess.run([MOUNT, "-o", ",".join(("remount", *options)), self.place], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path):
    """A real disk of 256 KiB that can be full, or made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    command = [MOUNT, "-t", "tmpfs", "-o", "size=256k", "tmpfs", place]
    if MOUNT is None or UMOUNT is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system in memory")
    yield Disk(place)
    subprocess.run([UMOUNT, "--lazy", place], check=True, capture_output=True)


LARGE = np.zeros(100_000)


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (lambda folder: np.save(folder / "a.npy", LARGE), "a file was not written whole (100000 requested and "),
        (lambda folder: np.savez(folder / "a.npz", a=LARGE), "No space left on device; "),
        (lambda folder: (folder / "a.txt").write_text("x" * 300_000), "No space left on device; "),
        (
            lambda folder: [(folder / f"{n}.txt").write_text("x" * 3000) for n in range(200)],
            "No space left on device; ",
        ),
    ],
    ids=["array", "archive", "text", "many files"],
)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # zipfile closes what it can't write twice
def test_a_full_disk(disk, fill, said):
    store = Store(disk.place / "store")
    put(store, "old")
    with pytest.raises(StoreError) as caught:
        store.write("things", "k", fill)
    assert str(caught.value).startswith(f"can't write to the store {store.root}: {said}")
    assert str(caught.value).endswith("; free some space and run again: nothing finished is lost")
    assert is_unharmed(store)
    disk.change("size=8m")
    store.write("things", "k", fill)
    assert store.has("things", "k")


def test_a_disk_that_is_full_when_the_manifest_is_written(disk):
    store = Store(disk.place / "store")
    put(store, "old")

    def fill(folder):
        with contextlib.suppress(OSError), (folder / "a.txt").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    with pytest.raises(StoreError, match="No space left on device; free some space and run again"):
        store.write("things", "k", fill)
    assert is_unharmed(store)
    put(store)
    assert store.has("things", "k")


def test_a_read_only_disk(disk):
    store = Store(disk.place / "store")
    put(store, "old")
    store.write_json("values", "v", 7)
    (put(store, "damaged") / "a.txt").write_text("c0ntent")
    disk.change("ro")
    store = Store(disk.place / "store")
    remedy = "Read-only file system; make it writable, or name another store with --store and run again"
    with store.in_use(), store.claim("things", "k", wait=True) as mine:
        assert mine
        assert store.has("things", "old")
        assert store.has_all([("things", "old"), ("things", "k")]) == {("things", "old")}
        assert store.read_json("values", "v") == 7
        with pytest.raises(StoreError, match=remedy):
            put(store)
        with pytest.raises(
            StoreError, match=r"things/damaged is damaged \(a.txt .*\) and can't be put aside: .*" + remedy
        ):
            store.has("things", "damaged")
        with pytest.raises(StoreError, match=remedy):
            store.record_failure("k", "why")
        with pytest.raises(StoreError, match=r"can't remove things/old from the store .*: Read-only"):
            store.remove("things", "old")
    with pytest.raises(StoreError, match=remedy), store.alone():
        pass
    with pytest.raises(StoreError, match=remedy):
        Store(disk.place / "other")
    disk.change("rw")
    assert not store.has("things", "damaged")
    put(store)
    assert store.has_all([("things", "old"), ("things", "k")]) == {("things", "old"), ("things", "k")}


def test_a_file_that_may_not_be_so_large(store):
    _, hard = soft_and_hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StoreError, match=r"File too large; allow larger files \(ulimit -f\) and run again"):
            put(store, text="x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft_and_hard)
    assert is_unharmed(store)
    put(store, text="x" * 200_000)
    assert store.has("things", "k")


@pytest.fixture
def shared():
    """A store in a folder that another user reaches."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    store = Store(folder / "store")
    put(store, "old")
    yield store
    shutil.rmtree(folder)


@contextlib.contextmanager
def as_nobody(store):
    """As a user without special rights; skips where that user does not reach the store."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        if not os.access(store.root.parent, os.X_OK, effective_ids=True):
            pytest.skip("needs a temporary folder that others may enter")
        yield
    finally:
        os.seteuid(before)


def test_a_store_without_the_right_to_write(shared):
    for folder in (shared.root, shared.root / "tmp", shared.root / "things"):
        folder.chmod(0o555)
    with as_nobody(shared):
        store = Store(shared.root)
        with store.in_use(), store.claim("things", "k", wait=False) as mine:
            assert mine
            assert store.has("things", "old")
            with pytest.raises(StoreError, match=f"can't write to the store {store.root}: Permission denied; ask for"):
                put(store)
    for folder in (shared.root, shared.root / "tmp", shared.root / "things"):
        folder.chmod(0o755)
    put(shared)
    assert shared.has("things", "k")


@pytest.mark.parametrize("place", ["things/old/a.txt", "things/old/manifest.json", "things/old", "things", ""])
def test_what_may_not_be_read_is_not_taken_for_damage(shared, place):
    path = shared.root / place
    mode = path.stat().st_mode
    path.chmod(0)
    with as_nobody(shared):
        for read in (shared.has, shared.read_json, shared.damage):
            with pytest.raises(
                StoreError, match=f"can't read things/old in the store {shared.root}: Permission denied; ask for"
            ):
                read("things", "old")
        if place in ("things", ""):
            with pytest.raises(StoreError, match="Permission denied"):
                shared.has_all([("things", "old")])
    path.chmod(mode)
    assert shared.has("things", "old")
    assert shared.found_damaged == []


def test_a_store_that_disappears_is_not_taken_for_an_empty_one_and_not_made_anew(store, tmp_path):
    store.root.rename(tmp_path / "unplugged")
    gone = rf"the store {store.root}: its folder is gone; bring it back \(is its disk still there\?\) and run again"
    attempts = [
        lambda: store.has("things", "old"),
        lambda: store.has_all([("things", "old")]),
        lambda: store.read_json("things", "old"),
        lambda: store.read_array("0" * 64),
        lambda: store.write_array(np.arange(3)),
        lambda: put(store),
        lambda: store.record_failure("k", "why"),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError, match=gone):
            attempt()
    with store.claim("things", "k", wait=True) as mine:
        assert mine
    assert not store.root.exists()
    (tmp_path / "unplugged").rename(store.root)
    assert store.has("things", "old")
    put(store)
    assert store.has("things", "k")


def test_a_store_that_disappears_while_an_artefact_is_made(store, tmp_path):
    def fill(folder):
        (folder / "a.txt").write_text("half")
        store.root.rename(tmp_path / "unplugged")

    with pytest.raises(StoreError, match="its folder is gone"):
        store.write("things", "k", fill)
    (tmp_path / "unplugged").rename(store.root)
    assert not store.has("things", "k")
    put(store)
    assert store.has("things", "k")


def test_a_temporary_folder_that_disappears(store):
    shutil.rmtree(store.root / "tmp")
    put(store)
    assert store.has("things", "k")

    def fill(folder):
        shutil.rmtree(store.root / "tmp")
        (folder / "a.txt").write_text("half")

    with pytest.raises(StoreError, match="one of its files was removed meanwhile"):
        store.write("things", "other", fill)
    put(store, "other")
    assert store.has("things", "other")


def test_an_artefact_that_disappears_between_two_looks(store):
    digest = store.write_array(np.arange(3))
    store.write_json("values", "v", 7)
    assert store.has("arrays", digest)
    shutil.rmtree(store.path("arrays", digest))
    shutil.rmtree(store.path("values", "v"))
    with pytest.raises(StoreError, match="no whole array"):
        store.read_array(digest)
    assert store.read_json("values", "v") is None


@pytest.mark.parametrize("root", ["store", "{}/store"])
@pytest.mark.parametrize("place", ["", "tmp", "things"])
def test_a_file_where_a_folder_belongs_is_named(tmp_path, monkeypatch, root, place):
    monkeypatch.chdir(tmp_path)
    store = Store(Path(root.format(tmp_path)))
    path = store.root / place
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("in the way")
    with pytest.raises(StoreError, match=f": {path}; move what is in its way and run again"):
        put(store)
    if place != "tmp":
        with pytest.raises(StoreError, match=f": {path}; move what is in its way and run again"):
            store.has("things", "k")
    path.unlink()
    put(Store(store.root))
    assert store.has("things", "k")


def test_a_file_in_the_place_of_an_artefact_is_put_aside(store):
    store.path("things", "k").write_text("in the way")
    assert not store.has("things", "k")
    assert store.found_damaged == ["things/k: it is a file or a link, and no folder"]
    put(store)
    assert store.has("things", "k")


def test_a_damaged_artefact_does_not_keep_a_new_one_out(store):
    (put(store) / "a.txt").write_text("c0ntent")
    put(store)
    assert store.has("things", "k")
    assert store.found_damaged == ["things/k (thing k): a.txt was truncated or altered"]


def test_a_whole_artefact_that_took_the_place_of_a_damaged_one_stays(store, monkeypatch):
    (put(store) / "a.txt").write_text("c0ntent")
    aside = store.put_aside

    def late(kind, key):
        """Puts aside what another process has put aside and made again since this one looked."""
        aside(kind, key)
        put(Store(store.root))
        return aside(kind, key)

    monkeypatch.setattr(store, "put_aside", late)
    assert store.has("things", "k")
    assert store.found_damaged == []


def test_an_error_of_who_fills_is_their_own(store):
    def fill(folder):
        try:
            (folder / "absent").read_text()
        except FileNotFoundError:
            raise ValueError("mine") from None

    with pytest.raises(ValueError, match="mine"):
        store.write("things", "k", fill)
    assert is_unharmed(store)


def test_a_full_disk_is_told_whatever_a_library_makes_of_it(store):
    def fill(folder):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise ValueError("can't close the archive")  # noqa: B904 - as zipfile does

    with pytest.raises(StoreError, match="No space left on device; free some space and run again"):
        store.write("things", "k", fill)
    assert is_unharmed(store)


def test_a_file_outside_the_store_is_named(store, tmp_path):
    with pytest.raises(StoreError, match=f"No such file or directory: {tmp_path / 'image.png'}; "):
        store.write("things", "k", lambda folder: (tmp_path / "image.png").read_bytes())
    assert is_unharmed(store)


# What Python is about to do with files is announced to an audit hook; this one ends or fails the n-th of these.
ATTEMPT = """
import errno, os, sys
from pathlib import Path

from fer_audit.errors import StoreError
from fer_audit.store import Store

COUNTED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir"}
left, dies = None, False


def fail(event, details):
    global left
    if left is None or event not in COUNTED:
        return
    left -= 1
    if left == 0:
        if dies:
            os._exit(9)
        raise OSError(errno.ENOSPC, "No space left on device")


sys.addaudithook(fail)
root = Path(sys.argv[1])


def fill(folder):
    (folder / "a.txt").write_text("content")
    (folder / "b.txt").write_text("content")


def attempt(number, fatal):
    global left, dies
    store = Store(root)
    left, dies = number, fatal
    try:
        store.write("things", f"{number}-{fatal}", fill, title="t", uses=[("arrays", "a")])
    except StoreError as error:
        assert "No space left on device; free some space" in str(error), error
    finally:
        unused, left = left > 0, None
    return unused


def check(number, fatal):
    store, key = Store(root), f"{number}-{fatal}"
    folder = store.path("things", key)
    if store.has("things", key):
        assert {path.name for path in folder.iterdir()} == {"a.txt", "about.json", "b.txt", "manifest.json"}
    assert store.found_damaged == [], store.found_damaged
    store.write("things", key, fill)
    assert store.has("things", key)
    store.clean_temporary()


for fatal in (False, True):
    for number in range(1, 100):
        if fatal and not (child := os.fork()):
            os._exit(attempt(number, fatal))
        done = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1 if fatal else attempt(number, fatal)
        check(number, fatal)
        if done:
            break
    print(number)
"""


def test_a_write_that_fails_or_is_killed_at_any_of_its_steps_leaves_all_or_nothing(tmp_path):
    command = [sys.executable, "-c", ATTEMPT, tmp_path / "store"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    failing, killed = map(int, done.stdout.split())
    assert 12 <= failing < 100
    assert failing == killed
    drafts = list((tmp_path / "store" / "tmp").iterdir())
    assert drafts == []


def test_an_error_with_a_known_number_is_told_in_its_words(store):
    def fill(folder):
        raise OSError(errno.EDQUOT, "a page of\n what a library was doing")

    with pytest.raises(StoreError, match=f"{os.strerror(errno.EDQUOT)}; free some space and run again"):
        store.write("things", "k", fill)
