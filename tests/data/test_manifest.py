import csv

import numpy as np
import pytest

from fer_audit.data.manifest import Manifest
from fer_audit.errors import DataError, PluginError

LABELS = ("happiness", "sadness", "neutral", "anger")


@pytest.fixture
def make(tmp_path, write_image):
    """Writes a csv and all images that it names; the number of the row is the grey level of its image."""

    def make(rows, header="image,label", images=True):
        (tmp_path / "faces").mkdir(exist_ok=True)
        lines = [header, *(",".join(row) for row in rows)]
        (tmp_path / "faces" / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if images:
            for number, row in enumerate(rows):
                write_image(tmp_path / "faces" / row[0], number)
        return tmp_path

    return make


def load(base, **params):
    return Manifest(path="faces/labels.csv", **params).load(8, base)


def many(count=16):
    return [(f"img/{i:02d}.png", LABELS[i % 4]) for i in range(count)]


def test_rows_keep_their_pixels_names_and_labels(make):
    data = load(make(many()))
    assert data.classes == ("neutral", "happiness", "sadness", "anger")
    assert (len(data.pool), len(data.test), len(data.population)) == (12, 4, 0)
    assert not data.drawn
    for rows in (data.pool, data.test):
        for image, label, name in zip(rows.images, rows.labels, rows.names, strict=True):
            number = int(name[4:6])
            assert (image == number).all()
            assert data.classes[label] == LABELS[number % 4]
    assert data.pool.subjects is None


def test_the_random_split_is_stratified_and_follows_its_seed(make):
    base = make(many(32))
    first, again, other = (load(base, split_seed=seed).test for seed in (0, 0, 1))
    assert np.bincount(first.labels).tolist() == [2, 2, 2, 2]
    assert first.names == again.names != other.names
    assert len(load(base, population_fraction=0.25).population) == 8


def test_split_subject_and_attributes_are_read(make):
    rows = [
        ("a.png", "happy", "train", "p2", "old"),
        ("b.png", "Sad", "train", "p1", "young"),
        ("c.png", "happiness", "test", "p2", "old"),
        ("d.png", "sadness", "population", "p3", ""),
    ]
    data = load(make(rows, "image,label,split,subject,age"))
    assert data.classes == ("happiness", "sadness")
    assert [rows.names for rows in (data.pool, data.test, data.population)] == [
        ("a.png", "b.png"),
        ("c.png",),
        ("d.png",),
    ]
    assert data.pool.subjects.tolist() == [1, 0]
    assert data.test.subjects.tolist() == [1]
    assert data.pool.attributes == {"age": ("old", "young")}


def test_the_random_split_keeps_subjects_together(make):
    rows = [(f"{i:02d}.png", LABELS[i % 4], f"p{i // 3}") for i in range(30)]
    data = load(make(rows, "image,label,subject"))
    assert not set(data.pool.subjects) & set(data.test.subjects)


def test_classes_may_be_ordered_and_labels_ignored(make):
    data = load(make(many()), classes=["anger", "sad", "happy"], ignore=["neutral"])
    assert data.classes == ("anger", "sadness", "happiness")
    assert len(data.pool) + len(data.test) == 12


def test_other_classes_follow_by_the_alphabet(make):
    rows = [(f"{i}.png", label) for i, label in enumerate(["zeal", "boredom", "contempt", "anger"] * 3)]
    assert load(make(rows)).classes == ("anger", "contempt", "boredom", "zeal")


def test_absolute_paths_and_a_byte_order_mark_are_fine(make, tmp_path, write_image):
    outside = write_image(tmp_path / "elsewhere" / "x.png", 200)
    base = make(many())
    path = base / "faces" / "labels.csv"
    path.write_text(path.read_text() + f"{outside},anger\n", encoding="utf-8-sig")
    data = load(base)
    assert str(outside) in data.pool.names + data.test.names


def test_sources_are_the_csv_and_the_images(make):
    base = make(many(8))
    dataset = Manifest(path="faces/labels.csv")
    assert [path.name for path in dataset.sources(base)] == ["labels.csv", *(f"{i:02d}.png" for i in range(8))]
    before = dataset.fingerprint(8, base)
    (base / "faces" / "img" / "03.png").write_bytes(b"changed")
    assert dataset.fingerprint(8, base) != before


# Each trap: header, rows below a good first one, parameters, what the error says.
TRAPS = {
    "no label column": ("image,lable", [], {}, r"no column 'label' \(did you mean 'lable'\?\)"),
    "no image column": ("path,label", [], {}, "no column 'image'"),
    "column twice": ("image,label,label", [], {}, "distinct names"),
    "too few values": ("image,label,age", [], {}, "line 2: 2 values"),
    "unknown label": ("image,label", [("b.png", "hapiness")], {"classes": ["happy", "sad"]},
        "line 3: label 'hapiness' is not in `classes` .did you mean 'happiness'"),
    "numbered label": ("image,label", [("b.png", "3")], {}, "line 3: label '3' is a number"),
    "empty label": ("image,label", [("b.png", "")], {}, "line 3: label is empty"),
    "empty class": ("image,label", [], {"classes": ["happy", "fear"]}, "class 'fear' has no rows"),
    "all ignored": ("image,label", [], {"ignore": ["happy"]}, "has no rows"),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_are_named(make, trap):
    header, rows, params, message = TRAPS[trap]
    base = make([("a.png", "happiness"), *rows], header)
    with pytest.raises(DataError, match=message) as caught:
        load(base, **params)
    assert "labels.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("split", "message"),
    [("tset", "did you mean 'test'"), ("valid", "nothing is tuned: make it train or test"), ("", "split is empty")],
)
def test_unknown_splits_are_named(make, split, message):
    with pytest.raises(DataError, match=f"line 2: .*{message}"):
        load(make([("a.png", "anger", split)], "image,label,split"))


def test_a_split_column_leaves_nothing_to_split(make):
    with pytest.raises(DataError, match="expected population_fraction 0"):
        load(make([("a.png", "anger", "train")], "image,label,split"), population_fraction=0.1)


def test_a_class_without_training_images_is_named(make):
    rows = [("a.png", "anger", "train"), ("b.png", "fear", "test")]
    with pytest.raises(DataError, match="no training image of class 'fear'"):
        load(make(rows, "image,label,split"))


def test_no_csv(tmp_path):
    with pytest.raises(DataError, match="no csv at"):
        load(tmp_path)


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"image,label\n", "has no rows")])
def test_empty_csv(make, content, message):
    base = make([])
    (base / "faces" / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(base)


def test_a_csv_in_another_encoding(make):
    base = make([])
    (base / "faces" / "labels.csv").write_bytes("image,label\nä.png,anger\n".encode("latin-1"))
    with pytest.raises(DataError, match="expected a csv in UTF-8"):
        load(base)


def test_missing_images_are_listed_ten_at_most(make):
    with pytest.raises(DataError, match="has 16 problems") as caught:
        load(make(many(), images=False))
    lines = str(caught.value).splitlines()
    assert lines[1].startswith("  line 2: no image ")
    assert len(lines) == 12
    assert lines[-1] == "  ... and 6 more"


def test_unreadable_images_are_named(make):
    base = make(many())
    (base / "faces" / "img" / "05.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"line 7: can't read .*05\.png"):
        load(base)


def test_a_path_is_needed():
    with pytest.raises(PluginError, match="'path'"):
        Manifest()


def test_real_faces(real_faces):
    dataset = Manifest(path="labels.csv")
    data = dataset.load(24, real_faces)
    with (real_faces / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(data.pool) + len(data.test) == len(rows)
    assert data.classes == ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
    assert not set(data.pool.subjects) & set(data.test.subjects)
    share = np.bincount(data.test.labels) / np.bincount(np.concatenate([data.pool.labels, data.test.labels]))
    assert np.abs(share - 0.25).max() < 0.03
