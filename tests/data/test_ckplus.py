import pytest

from fer_audit.data.ckplus import CkPlus
from fer_audit.errors import DataError

CODES = {1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happiness", 6: "sadness", 7: "surprise"}


@pytest.fixture
def root(tmp_path, write_face):
    """Four people show everything in six frames; one sequence of each has no label."""
    for subject in ("S005", "S010", "S011", "S999"):
        for code in (*CODES, 8):
            for frame in range(1, 7):
                write_face(
                    tmp_path
                    / "C"
                    / "cohn-kanade-images"
                    / subject
                    / f"{code:03d}"
                    / f"{subject}_{code:03d}_{frame:08d}.png",
                    mode="L",
                )
            folder = tmp_path / "C" / "Emotion" / subject / f"{code:03d}"
            folder.mkdir(parents=True)
            if code != 8:
                (folder / f"{subject}_{code:03d}_00000006_emotion.txt").write_text(f"   {code}.0000000e+00\n")
    return tmp_path


def test_sequences_give_their_first_and_last_frames(root):
    data = CkPlus(root="C").load(8, root)
    found = {}
    for rows in (data.pool, data.test):
        for name, label in zip(rows.names, rows.labels, strict=True):
            _, subject, sequence, file = name.split("/")
            found.setdefault((subject, int(sequence)), {})[int(file[-5])] = data.classes[label]
    assert len(found) == 28
    assert all(frames == {1: "neutral", **dict.fromkeys((4, 5, 6), CODES[code])} for (_, code), frames in found.items())
    assert not set(data.pool.subjects.tolist()) & set(data.test.subjects.tolist())
    assert data.remarks == ("4 sequences without a label; left out",)


def test_the_number_of_frames_can_be_chosen(root):
    data = CkPlus(root="C", peak_frames=1, neutral_frames=0).load(8, root)
    assert len(data.pool) + len(data.test) == 28
    assert "neutral" not in data.classes


def test_bad_labels_and_other_folders_are_refused(root):
    path = root / "C" / "Emotion" / "S005" / "001" / "S005_001_00000006_emotion.txt"
    path.write_text("9.0")
    with pytest.raises(DataError, match=r"expected a label code \(0 neutral, 1 anger.*received '9.0'"):
        CkPlus(root="C").load(8, root)
    with pytest.raises(DataError, match="is no CK\\+: expected folders cohn-kanade-images and Emotion"):
        CkPlus(root="C/Emotion").load(8, root)
