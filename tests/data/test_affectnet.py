import numpy as np
import pytest

from fer_audit.data.affectnet import AffectNet
from fer_audit.errors import DataError

NAMES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")


def load(base, **params):
    return AffectNet(root="A", **params).load(8, base)


def names(data, rows):
    return [data.classes[label] for label in rows.labels]


@pytest.fixture
def new(tmp_path, write_face):
    for split in ("train_set", "val_set"):
        folder = tmp_path / "A" / split / "annotations"
        folder.mkdir(parents=True)
        for code in range(8):
            write_face(tmp_path / "A" / split / "images" / f"{code}.jpg")
            # Some releases hold the number, others its text.
            np.save(folder / f"{code}_exp.npy", np.array(str(code) if code % 2 else code))
            np.save(folder / f"{code}_val.npy", np.array(0.5))
    return tmp_path


@pytest.fixture
def old(tmp_path, write_face):
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for split in ("training", "validation"):
        lines = [header]
        for code in range(11):
            write_face(tmp_path / "A" / "Manually_Annotated_Images" / split / f"{code}.jpg")
            lines.append(f"{split}/{code}.jpg,0,0,12,12,1;2;3,{code},0.1,-0.1")
        (tmp_path / "A" / f"{split}.csv").write_text("\n".join(lines))
    return tmp_path


def test_the_new_layout(new):
    data = load(new)
    assert data.classes == NAMES
    assert names(data, data.pool) == names(data, data.test) == list(NAMES)


def test_the_old_layout_leaves_out_what_shows_no_expression(old):
    data = load(old)
    assert names(data, data.pool) == names(data, data.test) == list(NAMES)
    assert data.remarks == (
        "2 images of 'no face'; left out",
        "2 images of 'none'; left out",
        "2 images of 'uncertain'; left out",
    )


def test_a_validation_csv_without_header_is_read(old):
    path = old / "A" / "validation.csv"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    assert len(load(old).test) == 8


def test_seven_expressions_leave_contempt_out(new):
    data = load(new, expressions=7)
    assert data.classes == NAMES[:7]
    assert data.remarks == ("2 images of 'contempt'; left out",)


def test_broken_annotations_are_named(new, old):
    (new / "A" / "train_set" / "annotations" / "3_exp.npy").unlink()
    with pytest.raises(DataError, match=r"3_exp.npy"):
        load(new)
    np.save(new / "A" / "train_set" / "annotations" / "3_exp.npy", np.arange(2))
    with pytest.raises(DataError, match=r"expected one label code, received an array of shape \(2,\)"):
        load(new)
    np.save(new / "A" / "train_set" / "annotations" / "3_exp.npy", np.array(11))
    with pytest.raises(DataError, match=r"a label code of 0\.\.10, received '11'"):
        load(new)


def test_what_is_no_affectnet_says_what_was_expected(tmp_path):
    (tmp_path / "A").mkdir()
    with pytest.raises(DataError, match="is no AffectNet: expected train_set"):
        load(tmp_path)
