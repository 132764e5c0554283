"""Artefacts and folders of plug-ins on their way."""

import dataclasses
import re

import numpy as np
import pytest

from fer_audit.errors import PluginError, StoreError
from fer_audit.runner.engines import parcel
from fer_audit.runner.engines.parcel import packed, packed_folder, unpack, unpack_folder
from fer_audit.store import Store


@pytest.fixture
def sent(store):
    store.write("things", "ab" * 32, lambda folder: (folder / "one").write_bytes(b"1\x00"), title="a thing", uses=[])
    return packed(store, ("things", "ab" * 32))


def test_an_artefact_arrives_as_it_was(store, sent, tmp_path):
    there = Store(tmp_path / "there")
    unpack(there, sent)
    unpack(there, sent)
    assert there.has(*sent.name)
    assert {path.name: path.read_bytes() for path in there.path(*sent.name).iterdir()} == dict(sent.files)
    assert there.about(*sent.name) == store.about(*sent.name)
    assert sent.bytes == sum(path.stat().st_size for path in store.path(*sent.name).iterdir())


def test_an_array_keeps_its_address(store, tmp_path):
    digest = store.write_array(np.arange(5))
    there = Store(tmp_path / "there")
    unpack(there, packed(store, ("arrays", digest)))
    assert there.read_array(digest).tolist() == [0, 1, 2, 3, 4]


def test_what_was_altered_on_its_way_is_refused(sent, tmp_path):
    there = Store(tmp_path / "there")
    for files in ({**sent.files, "one": b"2\x00"}, {**sent.files, "two": b""}):
        with pytest.raises(StoreError, match="altered on its way"):
            unpack(there, dataclasses.replace(sent, files=files))
    assert not there.has(*sent.name)


def test_what_is_absent_is_not_sent(store):
    with pytest.raises(StoreError, match="has no whole things"):
        packed(store, ("things", "cd" * 32))


def test_a_folder_of_plugins_arrives_without_what_python_left(tmp_path):
    here = tmp_path / "hére with space"
    (here / "deeper").mkdir(parents=True)
    (here / "__pycache__").mkdir()
    (here / "own.py").write_text("x = 'ü'\n", encoding="utf-8")
    (here / "deeper" / "table.csv").write_text("1,2")
    (here / "__pycache__" / "own.pyc").write_text("stale")
    unpack_folder(packed_folder(here), tmp_path / "there")
    found = {path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*")}
    assert found == {"own.py", "deeper", "deeper/table.csv"}
    assert (tmp_path / "there" / "own.py").read_bytes() == (here / "own.py").read_bytes()


def test_a_folder_with_data_is_too_large_to_travel(tmp_path, monkeypatch):
    monkeypatch.setattr(parcel, "_MOST_BYTES", 3 << 20)
    (tmp_path / "weights.npz").write_bytes(bytes(4 << 20))
    with pytest.raises(PluginError, match=re.escape(f"{tmp_path} holds more than 3 MB")):
        packed_folder(tmp_path)
