import re

import numpy as np
import pytest

from fer_audit.data.codes import RAF_DB
from fer_audit.data.listing import Listing
from fer_audit.data.rafdb import _PUBLISHED, RafDb, _check_counts
from fer_audit.errors import DataError

CODES = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: "neutral"}
FILES = [(f"train_{code:05d}.jpg", code) for code in CODES] + [(f"test_{code:04d}.jpg", code) for code in CODES]


def load(base, **params):
    return RafDb(root="RAF", **params).load(8, base)


def labels(data):
    return {
        name: data.classes[label]
        for rows in (data.pool, data.test)
        for name, label in zip(rows.names, rows.labels, strict=True)
    }


@pytest.fixture
def authors(tmp_path, write_face):
    """The authors' layout; places and names may differ."""

    def make(listed="EmoLabel/list_patition_label.txt", images="Image/aligned", suffix="_aligned"):
        root = tmp_path / "RAF"
        for name, _ in FILES:
            write_face(root / images / name.replace(".jpg", f"{suffix}.jpg"))
        (root / listed).parent.mkdir(parents=True, exist_ok=True)
        (root / listed).write_text("".join(f"{name} {code}\n" for name, code in FILES))
        return root

    return make


@pytest.mark.parametrize(
    ("listed", "images", "suffix"),
    [
        ("EmoLabel/list_patition_label.txt", "Image/aligned", "_aligned"),
        ("EmoLabel/list_partition_label.txt", "Image/aligned", "_aligned"),
        ("list_patition_label.txt", "Image/aligned", "_aligned"),
        ("list_patition_label.txt", "aligned", "_aligned"),
        ("list_patition_label.txt", "", "_aligned"),
        ("list_patition_label.txt", "", ""),
        ("basic/EmoLabel/list_patition_label.txt", "basic/Image/aligned", "_aligned"),
    ],
)
def test_the_authors_layout_is_read(tmp_path, authors, listed, images, suffix):
    authors(listed, images, suffix)
    data = load(tmp_path)
    assert data.classes == ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
    assert (len(data.pool), len(data.test)) == (7, 7)
    assert labels(data) == {name: CODES[code] for name, code in FILES}
    assert data.pool.subjects is None


def test_originals_are_chosen_by_name(tmp_path, authors, write_face):
    root = authors()
    for name, _ in FILES:
        write_face(root / "Image" / "original" / name, size=(30, 20))
    assert load(tmp_path, images="original").pool.traits[:, 0].tolist() == [30] * 7
    assert load(tmp_path).pool.traits[:, 0].tolist() == [12] * 7


def test_attributes_come_along(tmp_path, authors):
    root = authors()
    folder = root / "Annotation" / "manual"
    folder.mkdir(parents=True)
    for row, (name, _) in enumerate(FILES):
        points = "".join(f"{10 + i}.5\t{20 + i}.25\n" for i in range(5))
        text = f"{points}{row % 3}\n{row % 3}\n{row % 5}\n"
        (folder / f"{name[:-4]}_manu_attri.txt").write_text(text)
    (folder / "test_0007_manu_attri.txt").unlink()
    data = load(tmp_path)
    assert data.pool.attributes["gender"] == ("male", "female", "unsure", "male", "female", "unsure", "male")
    assert data.pool.attributes["race"][:3] == ("Caucasian", "African-American", "Asian")
    assert data.pool.attributes["age"] == ("0-3", "4-19", "20-39", "40-69", "70+", "0-3", "4-19")
    assert data.test.attributes["age"][-1] == "unknown"
    dataset = RafDb(root="RAF")
    before = dataset.fingerprint(8, tmp_path)
    path = folder / "train_00001_manu_attri.txt"
    path.write_text(path.read_text()[:-2] + "4\n")
    assert dataset.fingerprint(8, tmp_path) != before
    path.write_text("1 2\n" * 5 + "0\n0\n9\n")
    with pytest.raises(DataError, match=r"expected age as a number 0\.\.4, received '9'"):
        load(tmp_path)


def test_votes_come_along_in_the_order_of_the_classes(tmp_path, authors):
    root = authors()
    lines = [f"{name} " + " ".join("0.7" if place == code else "0.05" for place in CODES) for name, code in FILES]
    (root / "EmoLabel" / "distribution_basic.txt").write_text("\n".join(lines))
    data = load(tmp_path)
    assert data.pool.votes.shape == (7, 7)
    assert (data.pool.votes.argmax(axis=1) == data.pool.labels).all()
    assert np.allclose(data.pool.votes.sum(axis=1), 1)
    (root / "EmoLabel" / "distribution_basic.txt").write_text("\n".join(lines[1:]))
    with pytest.raises(DataError, match=r"no line for train_00001.jpg"):
        load(tmp_path)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("inside", ["RAF", "RAF/DATASET"])
def test_the_kaggle_copy_is_read(tmp_path, write_face, flat, inside):
    for split in ("train", "test"):
        lines = ["image,label"]
        for name, code in FILES:
            if name.startswith(split):
                file = name.replace(".jpg", "_aligned.jpg")
                write_face(tmp_path / inside / split / ("" if flat else str(code)) / file)
                lines.append(f"{file},{code}")
        (tmp_path / "RAF" / f"{split}_labels.csv").write_text("\n".join(lines))
    data = load(tmp_path)
    assert (len(data.pool), len(data.test)) == (7, 7)
    found = {
        re.search(r"t\w+_\d+", name.split("/")[-1])[0].replace("_aligned", ""): label
        for name, label in labels(data).items()
    }
    assert found == {name[:-4]: CODES[code] for name, code in FILES}


@pytest.mark.parametrize("second", ["valid", "test"])
def test_numbered_folders_from_one_are_raf_codes(tmp_path, write_face, second):
    for split in ("train", second):
        for code in CODES:
            write_face(tmp_path / "RAF" / split / str(code) / "a.jpg")
    assert labels(load(tmp_path)) == {
        f"{split}/{code}/a.jpg": name for split in ("train", second) for code, name in CODES.items()
    }


def test_numbered_folders_from_zero_need_their_order(tmp_path, write_face):
    for split in ("train", "test"):
        for code in range(7):
            write_face(tmp_path / "RAF" / split / str(code) / "a.jpg")
    with pytest.raises(DataError, match=r"order can't be guessed: set `codes: affectnet`"):
        load(tmp_path)
    assert labels(load(tmp_path, codes="affectnet"))["train/0/a.jpg"] == "neutral"
    assert labels(load(tmp_path, codes="affectnet"))["train/6/a.jpg"] == "anger"
    assert labels(load(tmp_path, codes="rafdb-from-0"))["train/0/a.jpg"] == "surprise"


def test_a_complete_split_with_other_counts_is_refused():
    def listing(names):
        rows = [name for name, count in zip(names, _PUBLISHED["test"], strict=True) for _ in range(count)]
        return Listing("RAF", tuple(rows), tuple(rows), tuple(rows), splits=("test",) * len(rows))

    _check_counts(listing(list(RAF_DB.values())))
    with pytest.raises(DataError, match="probably in another order"):
        _check_counts(listing([*list(RAF_DB.values())[1:], "surprise"]))


def test_what_is_no_raf_db_says_what_was_expected(tmp_path):
    (tmp_path / "RAF" / "pictures").mkdir(parents=True)
    with pytest.raises(DataError, match=r"is no RAF-DB: expected EmoLabel/list_patition_label.txt.*received pictures"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"no folder .*elsewhere"):
        RafDb(root="elsewhere").load(8, tmp_path)


def test_bad_lines_are_named(tmp_path, authors):
    root = authors()
    listed = root / "EmoLabel" / "list_patition_label.txt"
    good = listed.read_text()
    for broken, message in (
        ("train_00001.jpg 8", r"line 15: expected a label code \(1 surprise, 2 fear.*received '8'"),
        ("photo.jpg 1", r"line 15: expected a name such as train_00001.jpg"),
        ("train_00001.jpg", "line 15: expected 2 values"),
        ("train_00009.jpg 1", r"line 15: no image .*train_00009.jpg"),
    ):
        listed.write_text(good + broken + "\n")
        with pytest.raises(DataError, match=message):
            load(tmp_path)
