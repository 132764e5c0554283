import pytest

from fer_audit.data.mmafedb import MmaFeDb
from fer_audit.errors import DataError

FOLDERS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}


@pytest.fixture
def root(tmp_path, write_face):
    for split in ("train", "valid", "test"):
        for folder in FOLDERS:
            write_face(tmp_path / "M" / "MMAFEDB" / split / folder / "1.jpg", mode="L")
    return tmp_path


def test_three_splits_are_read(root):
    data = MmaFeDb(root="M").load(8, root)
    for rows in (data.pool, data.test, data.population):
        assert {
            name.split("/")[1]: data.classes[label] for name, label in zip(rows.names, rows.labels, strict=True)
        } == FOLDERS


def test_the_use_of_valid_can_be_chosen(root):
    assert len(MmaFeDb(root="M", valid="leave-out").load(8, root).population) == 0
    assert len(MmaFeDb(root="M/MMAFEDB", valid="test").load(8, root).test) == 14


def test_a_missing_split_is_told(tmp_path):
    (tmp_path / "M" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match="found no 'test'"):
        MmaFeDb(root="M").load(8, tmp_path)
