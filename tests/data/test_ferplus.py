import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.data.ferplus import FerPlus, majority
from fer_audit.errors import DataError

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
EMOTIONS = HEADER.split(",")[2:10]
USAGES = ("Training", "PublicTest", "PrivateTest")


@pytest.fixture
def write(tmp_path):
    """fer2013.csv and fer2013new.csv: a row of each expression and usage, then what `extra` (votes, name) adds."""

    def write(extra=(), usages=None):
        rng = np.random.default_rng(0)
        rows = [(use, [9 if k == code else 0 for k in range(8)] + [1, 0]) for code in range(8) for use in USAGES]
        named = [(use, f"fer{number:07d}.png", votes) for number, (use, votes) in enumerate(rows)]
        named += [("Training", name, votes) for votes, name in extra]
        faces = ["emotion,pixels,Usage"]
        faces += [f"0,{' '.join(map(str, rng.integers(0, 256, 2304)))},{use}" for use, _, _ in named]
        new = [HEADER, *(f"{use},{name},{','.join(map(str, votes))}" for use, name, votes in named)]
        (tmp_path / "F").mkdir(exist_ok=True)
        (tmp_path / "F" / "fer2013.csv").write_text("\n".join(faces))
        (tmp_path / "F" / "fer2013new.csv").write_text("\n".join(new))
        return tmp_path

    return write


def load(base, **params):
    return FerPlus(root="F", **params).load(16, base)


def test_majorities_become_labels_and_votes_come_along(write):
    data = load(write())
    assert data.classes == ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
    assert [data.classes[label] for label in data.pool.labels] == EMOTIONS
    assert (len(data.pool), len(data.test), len(data.population)) == (8, 8, 8)
    assert (data.pool.votes.argmax(axis=1) == data.pool.labels).all()
    assert data.pool.votes.max(axis=1).tolist() == [1.0] * 8


def test_rows_without_a_name_or_majority_are_left_out_and_counted(write):
    none, tie, other = [0] * 10, [5, 5, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 9, 1]
    data = load(write([(none, ""), (tie, "a.png"), (other, "b.png"), ([3, 2, 0, 0, 0, 0, 0, 0, 1, 1], "c.png")]))
    assert data.pool.names[-1] == "c.png"
    assert len(data.pool) == 9
    assert data.pool.votes[-1][:2].tolist() == [0.6, 0.4]
    assert data.remarks == (
        "1 rows are no faces (no name); left out",
        "2 rows have no majority for an expression; left out",
    )


def test_seven_expressions_leave_contempt_out(write):
    data = load(write(), expressions=7)
    assert "contempt" not in data.classes
    assert len(data.pool) == 7
    assert data.remarks == ("3 rows of contempt; left out",)


@given(st.lists(st.integers(0, 10), min_size=10, max_size=10))
def test_the_majority_rule(votes):
    counted = [vote if vote > 1 else 0 for vote in votes]
    winners = [k for k in range(8) if 2 * counted[k] > sum(counted)]
    assert majority(np.array([votes]))[0] == (winners[0] if winners else -1)


def test_files_that_do_not_belong_together_are_refused(write, tmp_path):
    base = write()
    path = base / "F" / "fer2013new.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(DataError, match="has 23 rows, but the csv of the faces 24"):
        load(base)
    path.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(DataError, match="rows in the order of the csv of the faces"):
        load(base)
    path.unlink()
    with pytest.raises(DataError, match=r"found no fer2013new.csv \(the votes\)"):
        load(base)
