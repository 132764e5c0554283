"""Signals that can't be audited: `attack` refuses each in one sentence with the file and the array."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.attacks.signals import Signals
from fer_audit.runner.signals import read_families

MODELS, ROWS, CLASSES = 4, 24, 3


def arrays(**changed):
    """Whole signals with some arrays changed, or left out where they are None."""
    rng = np.random.default_rng(0)
    half = rng.random((MODELS // 2, ROWS)) < 0.5
    logits = rng.normal(size=(MODELS, ROWS, 1, CLASSES)).astype(np.float32)
    whole = {"logits": logits, "keep": np.concatenate([half, ~half]), "labels": rng.integers(0, CLASSES, ROWS)}
    return {name: array for name, array in (whole | changed).items() if array is not None}


def packed(compressed=False, **changed):
    """The bytes of an .npz."""
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays(**changed))
    return file.getvalue()


def changed(name, change):
    """One array of whole signals after `change`."""
    array = arrays()[name].copy()
    change(array)
    return {name: array}


def put(place, value):
    def change(array):
        array[place] = value

    return change


LOGITS, KEEP, LABELS = (arrays()[name] for name in ("logits", "keep", "labels"))
OBJECTS = np.array([print, 1], dtype=object)

#: Arrays in the place of whole ones, and what the sentence must hold beside the file.
WRONG_ARRAYS = {
    "no logits": ({"logits": None}, ["logits missing"]),
    "no keep": ({"keep": None}, ["keep missing"]),
    "no labels": ({"labels": None}, ["labels missing"]),
    "logits of three axes": ({"logits": LOGITS[..., 0]}, ["logits"]),
    "logits of five axes": ({"logits": LOGITS[..., None]}, ["logits"]),
    "logits whole numbers": ({"logits": LOGITS.astype(int)}, ["logits", "int64"]),
    "logits of half precision": ({"logits": LOGITS.astype(np.float16)}, ["logits", "float16"]),
    "logits complex": ({"logits": LOGITS.astype(complex)}, ["logits", "complex"]),
    "logits text": ({"logits": LOGITS.astype("U5")}, ["logits", "<U5"]),
    "logits big-endian": ({"logits": LOGITS.astype(">f4")}, ["logits", ">f4"]),
    "logits of one class": ({"logits": LOGITS[..., :1]}, ["logits", "2 classes"]),
    "logits of no query": ({"logits": LOGITS[:, :, :0]}, ["logits"]),
    "logits of no model": ({"logits": LOGITS[:0]}, ["logits"]),
    "no rows": ({"logits": LOGITS[:, :0], "keep": KEEP[:, :0], "labels": LABELS[:0]}, ["logits"]),
    "one logit NaN": (changed("logits", put((1, 2, 0, 1), np.nan)), ["logits", "1 of 288", "model 1", "row 2"]),
    "one logit infinite": (changed("logits", put((0, 0, 0, 0), np.inf)), ["logits", "model 0", "row 0"]),
    "all logits NaN": ({"logits": np.full_like(LOGITS, np.nan)}, ["logits", "288 of 288"]),
    "keep of other rows": ({"keep": KEEP[:, :-1]}, ["keep", "(4, 24)", "(4, 23)"]),
    "keep of other models": ({"keep": KEEP[:3]}, ["keep", "(3, 24)"]),
    "keep turned": ({"keep": KEEP.T}, ["keep", "(24, 4)"]),
    "keep whole numbers": ({"keep": KEEP.astype(int)}, ["keep", "bool", "int64"]),
    "keep shares": ({"keep": KEEP * 0.5}, ["keep", "bool", "float64"]),
    "keep one number": ({"keep": np.array(True)}, ["keep", "()"]),
    "a row always a member": (changed("keep", put((slice(None), 5), True)), ["keep", "row 5"]),
    "rows never members": (changed("keep", put((slice(None), [3, 7]), False)), ["keep", "row 3 and 1 more"]),
    "a model of all rows": (changed("keep", put(2, True)), ["keep", "model 2"]),
    "a model of no rows": (changed("keep", put(0, False)), ["keep", "model 0"]),
    "labels too large": (changed("labels", put(4, 3)), ["labels", "0..2", "3 in row 4"]),
    "labels negative": (changed("labels", put(4, -1)), ["labels", "-1 in row 4"]),
    "labels fractions": ({"labels": LABELS + 0.5}, ["labels", "float64"]),
    "labels names": ({"labels": LABELS.astype("U1")}, ["labels", "<U1"]),
    "labels huge": ({"labels": LABELS.astype(np.uint64) + np.uint64(2**63)}, ["labels", "row 0"]),
    "labels of two axes": ({"labels": LABELS[:, None]}, ["labels", "(24, 1)"]),
    "labels of fewer rows": ({"labels": LABELS[:-2]}, ["labels", "(22,)"]),
    "labels dates": ({"labels": LABELS.astype("M8[s]")}, ["labels", "datetime64"]),
    "labels of a record": ({"labels": np.zeros(ROWS, [("a", int)])}, ["labels"]),
    "subjects shares": ({"subjects": LABELS * 0.5}, ["subjects", "float64"]),
    "subjects of fewer rows": ({"subjects": LABELS[:-1]}, ["subjects", "(23,)"]),
    "subjects bytes": ({"subjects": LABELS.astype("S3")}, ["subjects", "|S3"]),
    "population without labels": ({"population_logits": LOGITS}, ["population_labels"]),
    "population without logits": ({"population_labels": LABELS}, ["population_logits"]),
    "population of other classes": (
        {"population_logits": LOGITS[..., :2], "population_labels": LABELS},
        ["population_logits", "(4, 24, 1, 2)"],
    ),
    "population of other models": (
        {"population_logits": LOGITS[:2], "population_labels": LABELS},
        ["population_logits", "(2, 24, 1, 3)"],
    ),
    "population NaN": (
        {"population_logits": LOGITS * np.nan, "population_labels": LABELS},
        ["population_logits", "NaN"],
    ),
    "population labels too large": (
        {"population_logits": LOGITS, "population_labels": LABELS + 3},
        ["population_labels", "row 0"],
    ),
    "loss trace NaN": ({"loss_trace": np.full((MODELS, ROWS, 2), np.nan)}, ["loss_trace", "NaN"]),
    "loss trace of other rows": ({"loss_trace": np.ones((MODELS, ROWS - 1, 2))}, ["loss_trace", "(4, 23, 2)"]),
    "loss trace of no epoch": ({"loss_trace": np.ones((MODELS, ROWS, 0))}, ["loss_trace"]),
    "loss trace whole numbers": ({"loss_trace": np.ones((MODELS, ROWS, 2), int)}, ["loss_trace", "int64"]),
    "one model": ({"logits": LOGITS[:1], "keep": KEEP[:1]}, ["reference"]),
    "a model and its copy": ({"logits": LOGITS[[0, 2]], "keep": KEEP[[0, 2]]}, ["reference"]),
    "pickled objects": ({"labels": OBJECTS}, ["labels", "pickle"]),
    "pickled objects beside them": ({"more": OBJECTS, "labels": LABELS[:1]}, ["labels"]),
    "no array": ({"logits": None, "keep": None, "labels": None}, ["logits, keep, labels missing"]),
}


def _twice(name):
    file = io.BytesIO(packed())
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, b"again")
    return file.getvalue()


def _archive(**members):
    """An .npz whose members are any bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _declared(header, content=b"\0" * 64, version=1):
    """An .npy that says of itself what `header` says."""
    text = header.encode() + b" " * 10 + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + content


def _members(**changed):
    return {name: _npy(array) for name, array in arrays().items()} | changed


def _encrypted():
    content = bytearray(packed())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + offset] |= 1
            place = content.find(mark, place + 1)
    return bytes(content)


def _damaged():
    content = bytearray(packed())
    middle = content.find(b"logits.npy") + 300
    content[middle] ^= 0xFF
    return bytes(content)


_BOMB = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1000000000, 1, 3), }"

#: Bytes that are no .npz, or one that lies, and what the sentence must hold.
WRONG_BYTES = {
    "empty": (lambda: b"", []),
    "text": (lambda: b"logits,keep,labels\n", []),
    "zeros": (lambda: b"\0" * 1000, []),
    "a pickle": (lambda: pickle.dumps(arrays()), []),
    "one array": (lambda: _npy(LOGITS), ["array"]),
    "half": (lambda: packed()[: len(packed()) // 2], []),
    "without its end": (lambda: packed()[:-10], []),
    "without its beginning": (lambda: packed()[100:], []),
    "its first bytes alone": (lambda: packed()[:4], []),
    "one byte flipped": (_damaged, ["logits"]),
    "encrypted": (_encrypted, ["encrypted"]),
    "two arrays of one name": (lambda: _twice("keep.npy"), ["keep"]),
    "no zip of arrays": (lambda: _archive(logits=b"x", keep=b"y", labels=b"z"), ["logits"]),
    "an empty member": (lambda: _archive(**_members(keep=b"")), ["keep"]),
    "a member cut short": (lambda: _archive(**_members(logits=_npy(LOGITS)[:-8])), ["logits"]),
    "a member with more behind it": (lambda: _archive(**_members(logits=_npy(LOGITS) + b"more")), ["logits"]),
    "a header that is none": (lambda: _archive(**_members(labels=_declared("[1, 2"))), ["labels"]),
    "a header of code": (lambda: _archive(**_members(labels=_declared("__import__('os')"))), ["labels"]),
    "a header of a negative shape": (
        lambda: _archive(**_members(labels=_declared("{'descr': '<i8', 'fortran_order': False, 'shape': (-24,), }"))),
        ["labels"],
    ),
    "a header of an endless shape": (
        lambda: _archive(
            **_members(labels=_declared("{'descr': '<i8', 'fortran_order': False, 'shape': (9999999999999999999,), }"))
        ),
        ["labels"],
    ),
    "a header of an unknown dtype": (
        lambda: _archive(**_members(labels=_declared("{'descr': '<q9', 'fortran_order': False, 'shape': (24,), }"))),
        ["labels"],
    ),
    "a header deep in brackets": (
        lambda: _archive(**_members(labels=_declared("(" * 5000 + ")" * 5000))),
        ["labels"],
    ),
    "a header of a later version": (lambda: _archive(**_members(labels=_declared("{}", version=9))), ["labels"]),
    "more rows declared than there are": (lambda: _archive(**_members(logits=_declared(_BOMB))), ["logits"]),
    "a bomb": (lambda: _archive(**_members(logits=_declared(_BOMB, b"\0" * (64 << 20)))), ["logits"]),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_arrays_that_cannot_be_audited_are_refused(case, place, refused):
    changes, said = WRONG_ARRAYS[case]
    (place / "faces.npz").write_bytes(packed(**changes))
    refused("attack", "faces.npz", "--attacks", "loss-threshold", said=["faces.npz", *said])


@pytest.mark.parametrize("case", WRONG_BYTES)
def test_files_that_are_no_signals_are_refused(case, place, refused):
    make, said = WRONG_BYTES[case]
    (place / "faces.npz").write_bytes(make())
    refused("attack", "faces.npz", "--attacks", "loss-threshold", said=["faces.npz", *said])


@pytest.mark.parametrize("kind", ["missing", "folder", "dangling", "pipe", "device"])
def test_what_is_no_file_is_refused(kind, place, refused):
    path = place / "faces.npz"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    refused("attack", "faces.npz", said=["faces.npz"])


_LINES = ["age"] + ["old", "young"] * (ROWS // 2)

#: Slices beside whole signals, and what the sentence must hold.
WRONG_SLICES = {
    "empty": (b"", ["header"]),
    "blank": (b"\n\n\n", ["header"]),
    "a header alone": (b"age\n", ["24 rows"]),
    "one line too few": ("\n".join(_LINES[:-1]).encode(), ["24 rows", "23"]),
    "one line too many": ("\n".join([*_LINES, "old"]).encode(), ["24 rows", "25"]),
    "a column without a name": (b"a,,b\n", ["header"]),
    "a column twice": (b"a,a\n", ["header"]),
    "ragged": ("\n".join([*_LINES[:5], "old,3", *_LINES[6:]]).encode(), ["line 6"]),
    "too many groups": ("\n".join(["n", *map(str, range(ROWS))]).encode() * 1, ["slices.csv"]),
    "zero bytes": ("\n".join(_LINES).encode().replace(b"old", b"o\0d"), ["slices.csv"]),
    "latin-1": ("\n".join(_LINES).replace("old", "ält").encode("latin-1"), ["UTF-8"]),
    "UTF-16": ("\n".join(_LINES).encode("utf-16"), ["UTF-8"]),
    "a quote never closed": ("\n".join([*_LINES[:3], '"old', *_LINES[4:]]).encode(), ["slices.csv"]),
    "a field of megabytes": (b"age\n" + b"x" * 20_000_000 + b"\n", ["slices.csv"]),
}


@pytest.mark.parametrize("case", [case for case in WRONG_SLICES if case != "too many groups"])
def test_slices_that_do_not_fit_are_refused(case, place, refused):
    content, said = WRONG_SLICES[case]
    (place / "faces.npz").write_bytes(packed())
    (place / "slices.csv").write_bytes(content)
    refused("attack", "faces.npz", "--slices", "slices.csv", said=["slices.csv", *said])


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_slices_that_are_no_file_are_refused(name, place, refused):
    (place / "faces.npz").write_bytes(packed())
    refused("attack", "faces.npz", "--slices", name, said=["slices", name])


def test_slices_in_a_pipe_are_refused(place, refused):
    (place / "faces.npz").write_bytes(packed())
    os.mkfifo(place / "slices.csv")
    refused("attack", "faces.npz", "--slices", "slices.csv", said=["slices.csv"])


#: Whole signals, stored and packed.
WHOLE = (packed(), packed(compressed=True))


@st.composite
def damaged(draw, whole):
    """Bytes after a few flips, cuts, and insertions."""
    content = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "drop", "end"]))
        if kind == "flip" and content:
            content[start] ^= draw(st.integers(1, 255))
        elif kind == "insert":
            content[start:start] = draw(st.binary(min_size=1, max_size=9))
        elif kind == "drop":
            del content[start : start + draw(st.integers(1, 40))]
        elif kind == "cut":
            del content[start:]
        elif kind == "end":
            content = content[:-1]
    return bytes(content)


@st.composite
def odd_arrays(draw):
    """Whole signals of which some arrays are others."""
    dtypes = st.sampled_from(["f4", "f8", "f2", "i8", "u8", "?", "U2", "S2", "M8[s]", "c8", ">f4", ">i8"])
    shapes = st.lists(st.sampled_from([0, 1, 2, CLASSES, MODELS, ROWS]), max_size=5).map(tuple)
    names = ["logits", "keep", "labels", "subjects", "population_logits", "population_labels", "loss_trace"]
    found = {}
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)):
        if draw(st.booleans()) and name in ("logits", "keep", "labels"):
            array = arrays()[name].copy()
            place = tuple(draw(st.integers(0, size - 1)) for size in array.shape)
            odd = st.sampled_from([np.nan, np.inf, -np.inf, 1e38, 0]) if name == "logits" else st.integers(-2, 5)
            array[place] = draw(odd)
            found[name] = array
        else:
            found[name] = np.ones(draw(shapes), draw(dtypes))
    return found


def read_damaged(path, refusal):
    @given(damaged(WHOLE))
    def check(content):
        path.write_bytes(content)
        told = refusal(Signals.load, path)
        assert told is None or path.name in told

    return check


def read_odd(path, refusal):
    @given(odd_arrays())
    def check(found):
        path.write_bytes(packed(**found))
        told = refusal(Signals.load, path)
        assert told is None or path.name in told

    return check


def read_slices(path, refusal):
    whole = ("\n".join(_LINES).encode(), ("\r\n".join(f'"{line}", x' for line in _LINES)).encode())

    @given(damaged(whole))
    def check(content):
        path.write_bytes(content)
        told = refusal(read_families, path, ROWS)
        assert told is None or path.name in told

    return check


FUZZED = [read_damaged, read_odd, read_slices]


def examples(count):
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("read", FUZZED)
def test_any_file_is_read_or_refused(read, tmp_path, refusal):
    examples(60)(read(tmp_path / "fuzzed", refusal))()


@pytest.mark.release
@pytest.mark.parametrize("read", FUZZED)
def test_any_of_thousands_of_files_is_read_or_refused(read, tmp_path, refusal, patient):
    examples(5000)(read(tmp_path / "fuzzed", refusal))()
