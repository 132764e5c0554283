"""Bundles that are damaged or want to do harm: `report` and `gate` refuse each in one sentence with the file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.report.finished_run import read_finished
from fer_audit.results import DatasetSummary, PluginRecord, Provenance, Results, RunRecord, SplitSummary

_NONE = SplitSummary(rows=0, per_class=[0, 0])

#: Results of a grid without cells.
RESULTS = Results(
    grid="bare",
    include_images=False,
    dataset=DatasetSummary(
        plugin=PluginRecord(name="synthface"),
        classes=["happiness", "sadness"],
        image_size=48,
        digest="ef" * 32,
        drawn=True,
        pool=_NONE,
        test=_NONE,
        population=_NONE,
    ),
    costs=[],
    cells=[],
    provenance=Provenance(
        fer_audit="0.0.fixture",
        python="3.11.0",
        packages={},
        platform="Linux x86_64",
        grid_text="",
        grid_sha256="",
        recipe={},
        seeds=[0],
    ),
)
FILES = {
    "results.json": RESULTS.model_dump_json().encode(),
    "run.json": RunRecord(started="2000-01-01T00:00:00+00:00").model_dump_json().encode(),
}
ENVIRONMENT = {"fer_audit": "0", "python": "3", "packages": {}, "platform": "Linux"}


def contents(of, **changed):
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in of.items()}
    said = {"bundle_version": 1, "fer_audit": "0", "environment": ENVIRONMENT, "files": digests}
    return json.dumps(said | changed).encode()


def bundle(files=FILES, said=None, entries=(), method=zipfile.ZIP_DEFLATED):
    """The bytes of a bundle of `files`, with what it says of itself, and with more `entries`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in {**files, "bundle.json": contents(files) if said is None else said}.items():
            archive.writestr(name, content)
        for entry, content in entries:
            archive.writestr(entry, content)
    return file.getvalue()


def link(name, target):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target


def spoilt(name, content):
    files = FILES | {name: content}
    return bundle(files)


def relabelled(old, new):
    """A bundle in which a name of the same length stands in the place of another, in all headers."""
    return bundle(FILES | {old: b"x"}).replace(old.encode(), new.encode())


def overlapping():
    """One megabyte that a thousand entries share."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"\0" * (1 << 20))
        first = archive.infolist()[0]
        for number in range(1000):
            again = zipfile.ZipInfo(f"b{number}")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                setattr(again, field, getattr(first, field))
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
    return file.getvalue()


#: Bytes of bundles that are none, and what the sentence must hold.
BROKEN = {
    "no bytes": (lambda: b"", []),
    "text": (lambda: b"results", []),
    "its first bytes": (lambda: bundle()[:10], []),
    "cut in half": (lambda: bundle()[: len(bundle()) // 2], []),
    "without its end": (lambda: bundle()[:-5], []),
    "a byte flipped": (lambda: bundle()[:60] + b"\xff" + bundle()[61:], []),
    "an empty archive": (lambda: bundle({}, b"")[-22:], []),
    "nothing said of itself": (lambda: bundle(said=b""), ["bundle.json"]),
    "a list said of itself": (lambda: bundle(said=b"[]"), ["bundle.json"]),
    "deep lists said of itself": (lambda: bundle(said=b"[" * 100_000), ["bundle.json"]),
    "a later version": (lambda: bundle(said=contents(FILES, bundle_version=7)), ["version 7"]),
    "an unknown field": (lambda: bundle(said=contents(FILES, more=1)), ["bundle.json", "more"]),
    "a version of text": (lambda: bundle(said=contents(FILES, bundle_version="new")), ["bundle_version"]),
    "files a list": (lambda: bundle(said=contents(FILES, files=[])), ["files"]),
    "a wrong digest": (lambda: bundle(said=contents(FILES | {"run.json": b"{}"})), ["'run.json'", "digest"]),
    "a file too many": (lambda: bundle(said=contents({})), ["not listed"]),
    "a file too few": (lambda: bundle(said=contents(FILES | {"more": b""})), ["'more'", "not there"]),
    "no results": (lambda: bundle({"run.json": b"{}"}), ["results.json"]),
    "results that are none": (lambda: spoilt("results.json", b"{}"), ["results.json", "grid"]),
    "results of an older schema": (lambda: spoilt("results.json", b'{"schema_version": 1}'), ["schema 1"]),
    "a record that is none": (lambda: spoilt("run.json", b"[]"), ["run.json"]),
    "a step up": (lambda: spoilt("../x", b""), ["'../x'", "out of the bundle"]),
    "a step up inside": (lambda: spoilt("a/../../x", b""), ["out of the bundle"]),
    "an absolute name": (lambda: spoilt("/nowhere/x", b""), ["absolute"]),
    "a drive": (lambda: spoilt("c:/x", b""), ["absolute"]),
    "a backslash": (lambda: relabelled("aab.txt", "..\\.txt"), ["backslash"]),
    "a zero byte": (lambda: relabelled("aab.txt", "aa\0.txt"), ["plain name"]),
    "a name that steers": (lambda: spoilt("a\x1b[2J", b""), ["plain name"]),
    "a folder": (lambda: spoilt("a/", b""), ["plain name"]),
    "an endless name": (lambda: spoilt("x" * 3000, b""), ["plain name"]),
    "a link": (lambda: bundle(entries=[link("x", "/etc/passwd")]), ["link"]),
    "a file below a file": (lambda: spoilt("run.json/x", b""), ["below another"]),
    "an unknown packing": (lambda: bundle(method=zipfile.ZIP_BZIP2), ["compressed"]),
    "a bomb": (lambda: spoilt("x", b"\0" * (80 << 20)), ["zip bomb"]),
    "shared bytes": (overlapping, []),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bundle_that_is_none_is_refused(case, place, refused):
    content, said = BROKEN[case]
    (place / "run.zip").write_bytes(content())
    refused("gate", "run.zip", "--max", "mia_auc=1", said=["run.zip", *said])


@pytest.mark.parametrize("case", ["cut in half", "a step up", "a wrong digest", "results that are none"])
def test_every_command_refuses_it(case, place, refused):
    content, said = BROKEN[case]
    (place / "run.zip").write_bytes(content())
    for options in (["run.zip"], ["run.zip", "--format", "md"], ["--compare", "run.zip", "run.zip"]):
        refused("report", *options, said=["run.zip", *said])


@pytest.mark.parametrize("kind", ["missing", "pipe", "device", "dangling", "circle"])
def test_what_is_no_file_is_refused(kind, place, refused):
    path = place / "run.zip"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind != "missing":
        path.symlink_to({"device": "/dev/zero", "dangling": "nowhere", "circle": "run.zip"}[kind])
    refused("gate", "run.zip", "--max", "mia_auc=1", said=["run.zip"])


def test_a_whole_bundle_is_read(place):
    (place / "run.zip").write_bytes(bundle())
    assert read_finished(place / "run.zip").results == RESULTS


@st.composite
def damaged(draw):
    """The bytes of a bundle after a few flips, cuts and insertions."""
    content = bytearray(bundle())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
        if kind == "flip" and content:
            content[start] ^= draw(st.integers(1, 255))
        elif kind == "insert":
            content[start:start] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "drop":
            del content[start : start + draw(st.integers(1, 40))]
        elif kind == "cut":
            del content[start:]
    return bytes(content)


@st.composite
def said_otherwise(draw):
    """A bundle that says odd things of itself and has odd files."""
    odd = st.sampled_from([None, 0, -1, True, "", "x", [], {}, 10**30])
    fields = ["bundle_version", "fer_audit", "environment", "files", "more"]
    said = json.loads(contents(FILES)) | draw(st.dictionaries(st.sampled_from(fields), odd, max_size=2))
    names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
    more = draw(st.dictionaries(names | st.sampled_from(["..", "../x", "/x", "a//b", "x/"]), st.binary(max_size=5)))
    whole = {name: content for name, content in more.items() if name not in (*FILES, "bundle.json")}
    return bundle(FILES | whole, json.dumps(said).encode() if draw(st.booleans()) else None)


def read_damaged(path, refusal):
    @given(damaged())
    def check(content):
        path.write_bytes(content)
        told = refusal(read_finished, path)
        assert told is None or path.name in told

    return check


def read_said_otherwise(path, refusal):
    @given(said_otherwise())
    def check(content):
        path.write_bytes(content)
        told = refusal(read_finished, path)
        assert told is None or path.name in told

    return check


FUZZED = [read_damaged, read_said_otherwise]


def examples(count):
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("read", FUZZED)
def test_any_bundle_is_read_or_refused(read, tmp_path, refusal):
    examples(60)(read(tmp_path / "fuzzed.zip", refusal))()


@pytest.mark.release
@pytest.mark.parametrize("read", FUZZED)
def test_any_of_thousands_of_bundles_is_read_or_refused(read, tmp_path, refusal, patient):
    examples(5000)(read(tmp_path / "fuzzed.zip", refusal))()
