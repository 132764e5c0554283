import numpy as np
import pytest

from fer_audit.data.fer2013 import Fer2013
from fer_audit.errors import DataError

NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def csv_lines(usage=("Training", "PublicTest", "PrivateTest"), columns="emotion,pixels,Usage", seed=0):
    """Three rows of each class, one a usage, in the layout that `columns` names."""
    rng = np.random.default_rng(seed)
    lines = [columns]
    for code in range(7):
        for use in usage:
            values = {"emotion": str(code), "pixels": " ".join(map(str, rng.integers(0, 256, 48 * 48))), "Usage": use}
            lines.append(",".join(values[name.strip()] for name in columns.split(",")))
    return lines


@pytest.fixture
def write(tmp_path):
    def write(lines, name="fer2013.csv"):
        (tmp_path / "F").mkdir(exist_ok=True)
        (tmp_path / "F" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "F" / name).write_text("\n".join(lines))
        return tmp_path

    return write


def load(base, size=48, **params):
    return Fer2013(root="F", **params).load(size, base)


def names(data, rows):
    return [data.classes[label] for label in rows.labels]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("fer2013.csv", "emotion,pixels,Usage"),
        ("icml_face_data.csv", "emotion, Usage, pixels"),
        ("fer2013/fer2013.csv", "emotion,pixels,Usage"),
    ],
)
def test_the_csv_is_read_pixel_by_pixel(write, name, columns):
    lines = csv_lines(columns=columns)
    data = load(write(lines, name))
    assert names(data, data.pool) == names(data, data.test) == names(data, data.population) == list(NAMES)
    place = [column.strip() for column in columns.split(",")].index("pixels")
    first = np.array(lines[1].split(",")[place].split(), int).reshape(48, 48)
    assert (data.pool.images[0] == first[:, :, None]).all()
    assert data.pool.traits is None


def test_the_use_of_the_public_rows_can_be_chosen(write):
    base = write(csv_lines())
    assert len(load(base, public_test="test").test) == 14
    assert len(load(base, public_test="train").pool) == 14
    left = load(base, public_test="leave-out")
    assert (len(left.pool), len(left.test), len(left.population)) == (7, 7, 0)


def test_the_competition_names_no_split(write):
    data = load(write(csv_lines(usage="abcd", columns="emotion,pixels"), "train.csv"), test_fraction=0.25)
    assert (len(data.pool), len(data.test)) == (21, 7)
    assert sorted(names(data, data.test)) == sorted(NAMES)


def test_folders_are_read_by_name_and_not_by_the_alphabet(tmp_path, write_face):
    folders = {
        "angry": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "happiness",
        "neutral": "neutral",
        "sad": "sadness",
        "surprise": "surprise",
    }
    for split in ("train", "test"):
        for folder in folders:
            write_face(tmp_path / "F" / split / folder / "x.png", mode="L")
    data = load(tmp_path, 8)
    assert {
        name.split("/")[1]: data.classes[label] for name, label in zip(data.pool.names, data.pool.labels, strict=True)
    } == folders
    assert len(data.test) == 7
    write_face(tmp_path / "F" / "train" / "cats" / "x.png")
    with pytest.raises(DataError, match="folder 'cats'"):
        load(tmp_path, 8)


def test_copies_across_splits_are_dropped_on_request(write):
    lines = csv_lines()
    lines.append(lines[3].replace("PrivateTest", "Training"))  # a copy of a test row, with its label
    base = write(lines)
    assert len(load(base).pool) == 8
    data = load(base, deduplicate=True)
    assert (len(data.pool), len(data.test)) == (7, 7)
    assert data.remarks == ("rows dropped because another split has a copy of their image: 1 of the train split",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,1 2 3,Training", r"line 23: 3 numbers"),
        ("0,1 2 x,Training", r"line 23: no numbers"),
        ("7," + "0 " * 2304 + ",Training", r"line 23: expected a label code \(0 anger.*received '7'"),
        ("0," + "0 " * 2304 + ",Train", r"line 23: 'Train'"),
        ("0," + "256 " * 2304 + ",Training", r"line 23: 2304 numbers"),
        ("0,1", r"line 23: 2 values"),
    ],
)
def test_broken_lines_are_named(write, line, message):
    with pytest.raises(DataError, match=message):
        load(write([*csv_lines(), line]))


def test_what_is_no_fer2013_says_what_was_expected(tmp_path):
    (tmp_path / "F").mkdir()
    with pytest.raises(DataError, match=r"is no FER2013: expected fer2013.csv"):
        load(tmp_path)
    (tmp_path / "F" / "fer2013.csv").write_text("label,pixels,Usage\n")
    with pytest.raises(DataError, match="has no column 'emotion'"):
        load(tmp_path)
