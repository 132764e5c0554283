import pytest
from PIL import Image

from fer_audit.data.jaffe import Jaffe
from fer_audit.errors import DataError

CODES = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}


@pytest.fixture
def root(tmp_path, write_face):
    for subject in ("KA", "KL", "KM", "KR"):
        for place, code in enumerate(CODES):
            path = tmp_path / "J" / f"{subject}.{code}1.{place + 39}.tiff"
            write_face(path, mode="P" if place == 0 else "L")
    return tmp_path


def test_names_tell_subject_and_expression(root):
    data = Jaffe(root="J").load(8, root)
    assert len(data.pool) + len(data.test) == 28
    for rows in (data.pool, data.test):
        assert [data.classes[label] for label in rows.labels] == [CODES[name.split(".")[1][:2]] for name in rows.names]
    assert not set(data.pool.subjects.tolist()) & set(data.test.subjects.tolist())


def test_palettes_are_looked_up(tmp_path, root):
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 200, 200])
    palette.save(root / "J" / "YM.AN1.61.tiff")
    data = Jaffe(root="J").load(8, root)
    rows = data.pool if "YM.AN1.61.tiff" in data.pool.names else data.test
    assert (rows.images[rows.names.index("YM.AN1.61.tiff")] == 200).all()


def test_other_names_are_refused(root, write_face):
    write_face(root / "J" / "KA.XX1.39.tiff")
    with pytest.raises(DataError, match=r"KA.XX1.39.tiff"):
        Jaffe(root="J").load(8, root)
