import pytest

from fer_audit.data.ckplus48 import CkPlus48
from fer_audit.errors import DataError

FOLDERS = {
    "anger": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sadness": "sadness",
    "surprise": "surprise",
}


@pytest.fixture
def root(tmp_path, write_face):
    for folder in FOLDERS:
        for subject in range(8):
            for frame in (15, 16, 17):
                write_face(tmp_path / "C" / folder / f"S{subject:03d}_004_000000{frame}.png", mode="L")
    return tmp_path


def test_people_stay_on_one_side(root):
    data = CkPlus48(root="C").load(8, root)
    assert data.classes == ("happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
    assert len(data.pool) + len(data.test) == 7 * 8 * 3
    assert not set(data.pool.subjects.tolist()) & set(data.test.subjects.tolist())
    assert len({*data.pool.subjects.tolist(), *data.test.subjects.tolist()}) == 8
    for name, label in zip(data.pool.names, data.pool.labels, strict=True):
        assert data.classes[label] == FOLDERS[name.split("/")[0]]


def test_names_without_a_subject_are_refused(root, write_face):
    write_face(root / "C" / "fear" / "face.png")
    with pytest.raises(DataError, match=r"fear/face.png(.|\n)*|names that hold the subject"):
        CkPlus48(root="C").load(8, root)


def test_numbered_folders_are_refused(tmp_path, write_face):
    write_face(tmp_path / "C" / "0" / "S010_004_00000017.png")
    with pytest.raises(DataError, match="order of numbers can't be guessed"):
        CkPlus48(root="C").load(8, tmp_path)
