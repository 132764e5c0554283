import numpy as np
import pytest
from PIL import Image

from fer_audit.data.expw import ExpW
from fer_audit.errors import DataError

NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


@pytest.fixture
def root(tmp_path):
    """Eight photographs with seven faces each, of brightness 10 x (1 + code) + photograph, in a picture of noise."""
    folder = tmp_path / "E" / "image" / "origin"
    folder.mkdir(parents=True)
    lines = []
    rng = np.random.default_rng(0)
    for number in range(8):
        picture = rng.integers(0, 256, (40, 140, 3), np.uint8)
        for code in range(7):
            picture[10:30, 20 * code : 20 * code + 20] = 10 * (1 + code) + number
            lines.append(f"p{number}.png {code} 10 {20 * code} {20 * code + 20} 30 {20 + 10 * code} {code}")
        Image.fromarray(picture).save(folder / f"p{number}.png")
    (tmp_path / "E" / "label").mkdir()
    (tmp_path / "E" / "label" / "label.lst").write_text("\n".join(lines))
    return tmp_path


def test_faces_are_cut_from_their_photographs(root):
    data = ExpW(root="E").load(8, root)
    assert len(data.pool) + len(data.test) == 56
    for rows in (data.pool, data.test):
        for name, label, image in zip(rows.names, rows.labels, rows.images, strict=True):
            code = int(name.split("#")[1])
            assert data.classes[label] == NAMES[code]
            assert (image == 10 * (1 + code) + int(name[1])).all()
    photographs = [{name.split("#")[0] for name in rows.names} for rows in (data.pool, data.test)]
    assert not photographs[0] & photographs[1]


def test_uncertain_faces_are_left_out_and_margins_added(root):
    data = ExpW(root="E", least_confidence=40).load(8, root)
    assert len(data.pool) + len(data.test) == 40
    assert data.remarks == ("16 faces below least_confidence; left out",)
    wide = ExpW(root="E", margin=0.5).load(8, root)
    assert (wide.pool.images[:, 0].std(axis=(1, 2)) > 2).all()
    assert (data.pool.images.std(axis=(1, 2, 3)) == 0).all()


def test_broken_lines_are_named(root):
    path = root / "E" / "label" / "label.lst"
    good = path.read_text()
    for line, message in (
        ("p0.png 0 10 0 20", "line 57: expected 8 values"),
        ("p0.png 0 x 0 20 30 50 1", "line 57: expected name, face, top"),
        ("p0.png 0 10 0 20 30 50 7", "line 57: expected a label code"),
    ):
        path.write_text(f"{good}\n{line}")
        with pytest.raises(DataError, match=message):
            ExpW(root="E").load(8, root)
    path.write_text(good + "\np0.png 9 10 500 520 30 50 1")
    with pytest.raises(DataError, match=r"line 57: can't read .*outside of 140 x 40"):
        ExpW(root="E").load(8, root)
    assert len(ExpW(root="E", on_bad_image="skip").load(8, root).remarks) == 1
