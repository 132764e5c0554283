"""The store: whole or absent, and never used when altered."""

import numpy as np
import pytest

from fer_audit.errors import StoreError
from fer_audit.store import Store, array_digest


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


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest"])
def test_a_damaged_artefact_is_put_aside_and_can_be_written_again(store, damage):
    folder = put(store)
    victim = folder / "a.txt"
    if damage == "truncate":
        victim.write_text("cont")
    elif damage == "flip":
        victim.write_text("cOntent")
    elif damage == "remove":
        victim.unlink()
    else:
        (folder / "manifest.json").write_text("{")
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
