import pytest

from fer_audit.data.sfew import Sfew
from fer_audit.errors import DataError

FOLDERS = {
    "Angry": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}


@pytest.mark.parametrize(("train", "val"), [("Train", "Val"), ("Train_Aligned_Faces/Train", "Val_Aligned_Faces_new")])
def test_train_and_val_are_read(tmp_path, write_face, train, val):
    for split in (train, val):
        for folder in FOLDERS:
            write_face(tmp_path / "S" / split / folder / "Film_000123440_00000007.png")
    write_face(tmp_path / "S" / "Test" / "Film_1.png")
    data = Sfew(root="S").load(8, tmp_path)
    for rows in (data.pool, data.test):
        assert {
            name.split("/")[-2]: data.classes[label] for name, label in zip(rows.names, rows.labels, strict=True)
        } == FOLDERS


def test_a_missing_split_is_told(tmp_path):
    (tmp_path / "S" / "Train").mkdir(parents=True)
    with pytest.raises(DataError, match="expected one folder Val, received Train"):
        Sfew(root="S").load(8, tmp_path)
