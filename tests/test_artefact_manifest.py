"""The manifest: whatever is done to an artefact shows, and what is read is what was checked."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.artefact_manifest import MANIFEST, damage, is_whole, whole_contents, write_manifest
from fer_audit.store import Store

CONTENTS = {"about.json": b'{"title": "t", "uses": []}', "é 1.txt": b"", "large.bin": bytes(range(256)) * 600}


@pytest.fixture
def folder(tmp_path):
    return filled(tmp_path / "artefact")


def filled(folder):
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    write_manifest(folder)
    return folder


def is_found(folder):
    """Whether every check finds the damage."""
    return not is_whole(str(folder)) and whole_contents(str(folder)) is None and damage(str(folder)) is not None


def test_what_is_whole_is_whole_and_is_read_as_it_was_checked(folder):
    assert is_whole(str(folder))
    assert damage(str(folder)) is None
    assert whole_contents(str(folder)) == CONTENTS


def test_a_manifest_reads_as_it_always_did(folder):
    text = (folder / MANIFEST).read_text()
    assert text == json.dumps(json.loads(text), indent=1)
    assert list(json.loads(text)) == sorted(CONTENTS)


FILES = [*CONTENTS, MANIFEST]


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_altered_byte_of_any_file_is_found(name, place, bits):
    with tempfile.TemporaryDirectory() as parent:
        folder = filled(Path(parent) / "artefact")
        content = bytearray((folder / name).read_bytes() or b"\0")
        content[int(place * len(content))] ^= bits
        (folder / name).write_bytes(content)
        assert is_found(folder)


def test_every_altered_byte_of_a_manifest_is_found(folder):
    manifest = (folder / MANIFEST).read_bytes()
    for place in range(len(manifest)):
        altered = bytearray(manifest)
        altered[place] ^= 0x2A  # makes a space of a line feed, and the other way round
        (folder / MANIFEST).write_bytes(altered)
        assert not is_whole(str(folder))
        assert damage(str(folder)) is not None


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([name for name in FILES if CONTENTS.get(name, b"m")]), st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_found(name, share):
    with tempfile.TemporaryDirectory() as parent:
        folder = filled(Path(parent) / "artefact")
        os.truncate(folder / name, int(share * (folder / name).stat().st_size))
        assert is_found(folder)


def replaced(change):
    """Changes the manifest as a value."""

    def alter(folder):
        value = change(json.loads((folder / MANIFEST).read_text()))
        (folder / MANIFEST).write_text(json.dumps(value, indent=1))

    return alter


def linked(folder):
    (folder / "large.bin").rename(folder.parent / "outside")
    (folder / "large.bin").symlink_to(folder.parent / "outside")


def moved_outside(name):
    def alter(folder):
        (folder / "large.bin").rename(folder.parent / "outside")
        replaced(
            lambda value: {
                (name or str(folder.parent / "outside")) if key == "large.bin" else key: value[key] for key in value
            }
        )(folder)

    return alter


def piped(folder):
    (folder / "large.bin").unlink()
    os.mkfifo(folder / "large.bin")


def foldered(folder):
    (folder / "large.bin").unlink()
    (folder / "large.bin").mkdir()


@pytest.mark.parametrize(
    ("alter", "phrase"),
    [
        (lambda folder: (folder / "large.bin").unlink(), "large.bin is missing or unreadable"),
        (lambda folder: (folder / "more.txt").write_text(""), "more.txt does not belong to it"),
        (lambda folder: (folder / "a\nb").write_text(""), "'a\\nb' does not belong to it"),
        (lambda folder: (folder / "sub").mkdir(), "sub does not belong to it"),
        (lambda folder: (folder / MANIFEST).unlink(), "its manifest is missing or unreadable"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe"), "its manifest is missing or unreadable"),
        (lambda folder: (folder / MANIFEST).write_text("[" * 100_000), "its manifest is missing or unreadable"),
        (linked, "large.bin is missing or unreadable"),
        (moved_outside("../outside"), "../outside is missing or unreadable"),
        (moved_outside(None), "outside is missing or unreadable"),
        (piped, "large.bin was truncated or altered"),
        (foldered, "large.bin is missing or unreadable"),
        (replaced(lambda value: {}), "its manifest is missing or unreadable"),
        (replaced(list), "its manifest is missing or unreadable"),
        (replaced(dict.fromkeys), "about.json was truncated or altered"),
        (replaced(lambda value: {"files": value, "version": 2}), "files is missing or unreadable"),
        (replaced(lambda value: dict(reversed(value.items()))), "its manifest was altered"),
        (
            lambda folder: (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes() + b"\n"),
            "manifest was altered",
        ),
    ],
)
def test_what_was_done_to_an_artefact_is_named(folder, alter, phrase):
    alter(folder)
    assert phrase in damage(str(folder))
    assert is_found(folder)


def test_an_absent_artefact_is_not_a_damaged_one(tmp_path):
    for check in (is_whole, whole_contents, damage):
        with pytest.raises(FileNotFoundError):
            check(str(tmp_path / "absent"))


def test_an_artefact_that_is_a_link_out_of_the_store_is_put_aside(folder, tmp_path):
    store = Store(tmp_path / "store")
    (store.root / "things").mkdir()
    (store.root / "things" / "k").symlink_to(folder)
    assert not store.has("things", "k")
    assert store.found_damaged == ["things/k (t): it is a file or a link, and no folder"]
    assert is_whole(str(folder))
    store.write("things", "k", lambda draft: (draft / "f").write_text("mine"))
    assert store.has("things", "k")
