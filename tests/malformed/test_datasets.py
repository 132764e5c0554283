"""Lists of images that can't be read: `data` and `prepare` refuse each in one sentence with the file and the line."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_audit.data.answer_columns import read_columns
from fer_audit.data.folders import Folders
from fer_audit.data.manifest import Manifest
from fer_audit.data.member_lists import MemberLists
from fer_audit.data.text_tables import csv_rows, spaced_lines

NAMES = [f"{row}.png" for row in range(8)]
LINES = ["image,label,split", *(f"{name},{('fear', 'anger')[row % 2]},train" for row, name in enumerate(NAMES))]
WHOLE = "\n".join([*LINES, "0.png,fear,test"]) + "\n"


@pytest.fixture
def images(place):
    """Eight small images."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(place / name)
    return place


def line(number, text):
    """The whole csv with another line in the place of one, from 1."""
    lines = WHOLE.splitlines()
    return "\n".join([*lines[: number - 1], text, *lines[number:]]).encode()


#: Contents of a manifest, and what the sentence must hold.
WRONG_LISTS = {
    "empty": (b"", ["m.csv", "empty"]),
    "blank lines": (b"\n\n\r\n", ["m.csv", "empty"]),
    "a mark alone": (b"\xef\xbb\xbf", ["m.csv", "empty"]),
    "a header alone": (b"image,label\n", ["m.csv", "no rows"]),
    "no label": (b"image,lable\n0.png,fear\n", ["m.csv", "'label'", "lable"]),
    "no image": (b"file,label\n0.png,fear\n", ["m.csv", "'image'"]),
    "no header": (b"0.png,fear\n1.png,anger\n", ["m.csv", "'image'"]),
    "semicolons": (b"image;label\n0.png;fear\n", ["m.csv", "'image'"]),
    "tabs": (b"image\tlabel\n0.png\tfear\n", ["m.csv", "'image'"]),
    "a column twice": (b"image,label,label\n0.png,fear,fear\n", ["m.csv", "distinct"]),
    "a column without a name": (b"image,label,\n0.png,fear,x\n", ["m.csv", "distinct"]),
    "a line too short": (line(3, "1.png"), ["m.csv", "line 3: 1 values"]),
    "a line too long": (line(4, "2.png,fear,train,old"), ["m.csv", "line 4: 4 values"]),
    "an empty image": (line(5, ",fear,train"), ["m.csv", "line 5: image is empty"]),
    "an empty label": (line(5, "3.png,,train"), ["m.csv", "line 5: label is empty"]),
    "an empty split": (line(5, "3.png,fear,"), ["m.csv", "line 5: split is empty"]),
    "a number as a label": (line(2, "0.png,3,train"), ["m.csv", "line 2: label '3' is a number"]),
    "an unknown split": (line(2, "0.png,fear,trian"), ["m.csv", "line 2: split 'trian'", "train"]),
    "a validation split": (line(2, "0.png,fear,val"), ["m.csv", "line 2: split 'val'"]),
    "an image that is not there": (line(3, "nowhere.png,fear,train"), ["m.csv", "line 3: no image 'nowhere.png'"]),
    "an image above the folder": (line(3, "../nowhere.png,fear,train"), ["m.csv", "line 3", "../nowhere.png"]),
    "an absolute image": (line(3, "/nowhere/x.png,fear,train"), ["m.csv", "line 3", "/nowhere/x.png"]),
    "a folder as an image": (line(3, ".,fear,train"), ["m.csv", "line 3"]),
    "a device as an image": (line(3, "/dev/zero,fear,train"), ["m.csv", "line 3", "/dev/zero"]),
    "an endless name": (line(3, "x" * 5000 + ".png,fear,train"), ["m.csv", "line 3"]),
    "a quote never closed": (line(3, '"1.png,fear,train'), ["m.csv", "line"]),
    "a quote in the middle": (line(3, '"1".png,fear,train'), ["m.csv", "line 3"]),
    "a zero byte": (line(3, "1\0.png,fear,train"), ["m.csv", "line 3", "zero byte"]),
    "latin-1": (WHOLE.replace("0.png,fear", "0.png,fürchten").encode("latin-1"), ["m.csv", "UTF-8", "line 2"]),
    "UTF-16": (WHOLE.encode("utf-16"), ["m.csv", "UTF-8", "line 1"]),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), ["m.csv", "UTF-8"]),
    "a field of megabytes": (line(3, "x" * 20_000_000 + ",fear,train"), ["m.csv", "line 3"]),
    "a quoted field of megabytes": (line(3, '"' + ("x" * 300 + "\n") * 60_000 + '",fear,train'), ["m.csv", "line"]),
    "only rows to test on": (b"image,label,split\n0.png,fear,test\n1.png,anger,test\n", ["no rows to train on"]),
    "a class of the test split alone": (line(9, "7.png,joyless,test"), ["'joyless'"]),
    "carriage returns and a mistake": (WHOLE.replace("\n", "\r").replace("1.png", "q.png").encode(), ["line 3"]),
    "hundreds of mistakes": (
        ("image,label\n" + "".join(f"q{row}.png,fear\n" for row in range(400))).encode(),
        ["400 problems", "and 390 more"],
    ),
}


@pytest.mark.parametrize("case", WRONG_LISTS)
def test_a_list_that_is_none_is_refused(case, images, refused):
    content, said = WRONG_LISTS[case]
    (images / "m.csv").write_bytes(content)
    refused("data", "manifest(path=m.csv)", "--size", 16, said=said)


#: Parameters that don't fit, and what the sentence must hold.
WRONG_PARAMETERS = {
    "manifest": ["'path'"],
    "manifest(path=3)": ["'path'"],
    "manifest(path=nowhere.csv)": ["nowhere.csv"],
    "manifest(path=.)": ["directory"],
    "manifest(path=m.csv, classes=fear)": ["'classes'"],
    "manifest(path=m.csv, classes=[fear])": ["'anger'", "`classes`"],
    "manifest(path=m.csv, classes=[fear, anger, contempt])": ["'contempt'"],
    "manifest(path=m.csv, ignore=[fear, anger])": ["no rows"],
    "manifest(path=m.csv, on_bad_image=shrug)": ["'on_bad_image'"],
    "manifest(path=m.csv, population_fraction=0.2)": ["population_fraction 0"],
    "manifest(path=m.csv, split_seed=-1)": ["'split_seed'"],
    "manifest(path=m.csv, test_fraction=.nan)": ["'test_fraction'"],
    "manifest(path=m.csv": ["("],
    "manifest(path=m.csv))": [")"],
    "manifest(path)": ["parameter=value"],
    "manifest(path=a, path=b)": ["path=b"],
    "manifest(path={)": ["{"],
    "manyfest(path=m.csv)": ["'manyfest'", "manifest"],
    "": ["DATASET"],
    "folders(root=nowhere)": ["nowhere"],
    "folders(root=m.csv)": ["m.csv"],
    "folders(root=., subject_pattern='(')": ["'subject_pattern'"],
    "synthface(rows=-1)": ["'rows'"],
    "synthface(rows=much)": ["'rows'", "'much'"],
    "nobody/faces": ["'nobody/faces'"],
}


@pytest.mark.parametrize("dataset", WRONG_PARAMETERS)
def test_parameters_that_do_not_fit_are_refused(dataset, images, refused):
    (images / "m.csv").write_text(WHOLE)
    refused("data", dataset, "--size", 16, said=WRONG_PARAMETERS[dataset])


@pytest.mark.parametrize("size", [0, -1, 8, 100_000])
def test_sizes_that_no_image_has_are_refused(size, images, refused):
    refused("data", "synthface", f"--size={size}", said=["--size", str(size)])


def _empty(root):
    root.mkdir()


def _no_images(root):
    (root / "fear").mkdir(parents=True)
    (root / "fear" / "note.txt").write_text("nothing")


def _numbered(root):
    (root / "1").mkdir(parents=True)


def _half_split(root):
    (root / "train" / "fear").mkdir(parents=True)


def _folder_called_image(root):
    (root / "fear" / "x.png").mkdir(parents=True)


def _pipe_called_image(root):
    (root / "fear").mkdir(parents=True)
    os.mkfifo(root / "fear" / "x.png")


def _link_to_nowhere(root):
    (root / "fear").mkdir(parents=True)
    (root / "fear" / "x.png").symlink_to("nowhere.png")


def _circle(root):
    (root / "fear").mkdir(parents=True)
    (root / "fear" / "again").symlink_to("..")
    (root / "fear" / "x.png").symlink_to("x.png")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_empty, "class folders"),
        (_no_images, "no images in 'fear'"),
        (_numbered, "folder '1'"),
        (_half_split, "no folder for test"),
        (_folder_called_image, "fear/x.png"),
        (_pipe_called_image, "fear/x.png"),
        (_link_to_nowhere, "fear/x.png"),
        (_circle, "fear/x.png"),
    ],
)
def test_folders_that_are_none_are_refused(make, said, place, refused):
    make(place / "faces")
    refused("data", "folders(root=faces)", "--size", 16, said=["faces", said])
    refused("prepare", "faces", "out", "--detector", "none", said=["faces", said])


def test_a_list_in_a_pipe_is_refused(place, refused):
    os.mkfifo(place / "m.csv")
    refused("data", "manifest(path=m.csv)", said=["m.csv", "pipe"])
    refused("prepare", "m.csv", "out", said=["m.csv", "pipe"])


def test_an_unknown_dataset_of_a_grid_is_refused(place, refused):
    (place / "grid.yaml").write_text("dataset: {name: manifest, params: {path: m.csv}}\nmodels: [mini-xception]\n")
    for command in ("plan", "data"):
        refused(command, "grid.yaml", said=["m.csv"])


#: Answers of a model instead of images, as `audit` reads them; what the sentence must hold.
WRONG_ANSWERS = {
    "empty": (b"", "empty"),
    "no label": (b"logit_fear,logit_anger\n0,1\n", "'label'"),
    "no logits": (b"label\nfear\n", "logit_<class>"),
    "both kinds": (b"label,logit_fear,probability_fear\nfear,0,1\n", "both"),
    "one class": (b"label,logit_fear\nfear,0\n", "two classes"),
    "no rows": (b"label,logit_fear,logit_anger\n", "two classes"),
    "a label of no class": (b"label,logit_fear,logit_anger\njoy,0,1\n", "line 2: label 'joy'"),
    "NaN": (b"label,logit_fear,logit_anger\nfear,nan,1\n", "line 2"),
    "infinite": (b"label,logit_fear,logit_anger\nfear,1e999,1\n", "line 2"),
    "text": (b"label,logit_fear,logit_anger\nfear,high,1\n", "line 2: logit_fear must be a number"),
    "ragged": (b"label,logit_fear,logit_anger\nfear,1\n", "line 2: expected 3 values"),
    "probabilities of two": (b"label,probability_fear,probability_anger\nfear,1,1\n", "line 2: probabilities"),
    "zero bytes": (b"label,logit_fear,logit_anger\nfear\0,1,2\n", "line 2: a zero byte"),
    "a quote never closed": (b'label,logit_fear,logit_anger\n"fear,1,2\n', "line"),
    "latin-1": ("label,logit_fear,logit_ärger\nfear,1,2\n".encode("latin-1"), "line 1 is not in UTF-8"),
}


@pytest.mark.parametrize("case", WRONG_ANSWERS)
def test_answers_that_are_none_are_refused(case, place, refused):
    content, said = WRONG_ANSWERS[case]
    (place / "a.csv").write_bytes(content)
    (place / "b.csv").write_bytes(b"label,logit_fear,logit_anger\nfear,0,1\nanger,1,0\n")
    refused("audit", "--members", "a.csv", "--nonmembers", "b.csv", said=["a.csv", said])


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_answers_in_a_pipe_are_refused(suffix, place, refused):
    os.mkfifo(place / f"a{suffix}")
    (place / "b.csv").write_bytes(b"label,logit_fear,logit_anger\nfear,0,1\nanger,1,0\n")
    refused("audit", "--members", f"a{suffix}", "--nonmembers", "b.csv", said=[f"a{suffix}"])


@st.composite
def damaged(draw, whole):
    """A text with a few letters, lines or bytes gone, doubled, or put in."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["drop", "insert", "cut", "double", "odd"]))
        if kind == "drop":
            del content[start : start + draw(st.integers(1, 20))]
        elif kind == "insert":
            content[start:start] = draw(st.binary(min_size=1, max_size=4))
        elif kind == "cut":
            del content[start:]
        elif kind == "double":
            content[start:start] = content[start : start + draw(st.integers(1, 60))]
        else:
            odd = [b'"', b",", b"\r", b"\n", b"\0", b"'", b"../", b"/", b"nan", b"1e999", b"\xef\xbb\xbf", b"\\"]
            content[start:start] = draw(st.sampled_from(odd))
    return bytes(content)


def read_manifest(place, refusal):
    @given(damaged(WHOLE.encode()))
    def check(content):
        (place / "m.csv").write_bytes(content)
        told = refusal(Manifest(path="m.csv").listing, place)
        assert told is None or "m.csv" in told

    return check


def read_member_lists(place, refusal):
    (place / "b.csv").write_text("image,label\n6.png,fear\n7.png,anger\n")

    @given(damaged("\n".join(["image,label,subject", "0.png,fear,p", "1.png,anger,q"]).encode()))
    def check(content):
        (place / "m.csv").write_bytes(content)
        told = refusal(MemberLists(members="m.csv", nonmembers="b.csv").listing, place)
        assert told is None or told.isprintable() or "\n  " in told

    return check


def read_answers(place, refusal):
    whole = b'label,logit_fear,logit_anger,age,subject\nfear,0.25,-1e3,old,p1\nanger,1,2,"young, or so",p2\n'

    @given(damaged(whole))
    def check(content):
        (place / "a.csv").write_bytes(content)
        told = refusal(read_columns, place / "a.csv")
        assert told is None or "a.csv" in told

    return check


def read_packed_answers(place, refusal):
    file = io.BytesIO()
    np.savez(file, logits=np.ones((2, 3)), labels=np.array([0, 1]), classes=np.array(["a", "b", "c"]))

    @given(damaged(file.getvalue()))
    def check(content):
        (place / "a.npz").write_bytes(content)
        told = refusal(read_columns, place / "a.npz")
        assert told is None or "a.npz" in told

    return check


def read_tables(place, refusal):
    @given(damaged(WHOLE.encode()))
    def check(content):
        (place / "t.csv").write_bytes(content)
        for read in (lambda path: csv_rows(path, ("image",)), lambda path: list(spaced_lines(path, 1))):
            told = refusal(read, place / "t.csv")
            assert told is None or "t.csv" in told

    return check


def read_folders(place, refusal):
    for name in ("fear", "anger"):
        (place / "f" / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(place / "f" / name / "x.png")
    names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6)

    @given(st.dictionaries(names, st.none() | names, max_size=3), st.text(max_size=5))
    def check(classes, pattern):
        told = refusal(lambda: Folders(root="f", classes=classes, subject_pattern=pattern).listing(place))
        assert told is None or told

    return check


FUZZED = [read_manifest, read_member_lists, read_answers, read_packed_answers, read_tables, read_folders]


def examples(count):
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("read", FUZZED)
def test_any_list_is_read_or_refused(read, images, refusal):
    examples(25)(read(images, refusal))()


@pytest.mark.release
@pytest.mark.parametrize("read", FUZZED)
def test_any_of_thousands_of_lists_is_read_or_refused(read, images, refusal, patient):
    examples(3000)(read(images, refusal))()
