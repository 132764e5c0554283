from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_audit.attacks.label_attack import Corruption, LabelContext
from fer_audit.attacks.label_file import LabelFile
from fer_audit.data.codes import RAF_DB
from fer_audit.data.dataset import EXPRESSIONS
from fer_audit.errors import DataError, FerAuditError, PluginError

TRAIN = tuple(f"train_{row:05d}.jpg" for row in range(1, 15))
TEST = tuple(f"test_{row:04d}.jpg" for row in range(1, 8))
LABELS = np.arange(14) % 7
TEST_LABELS = np.arange(7)
CODES = {"rafdb": RAF_DB, "rafdb-from-0": {code - 1: name for code, name in RAF_DB.items()}}
#: Row -> class that the list gives it instead of its own.
CHANGES = {0: 3, 9: 6}
CHANGED = np.array([CHANGES.get(row, label) for row, label in enumerate(LABELS)])

Replay = Callable[..., Corruption]


def written(labels: np.ndarray, codes: Mapping[int, str]) -> list[str]:
    """Each of `labels` as its code."""
    code_of = {name: str(code) for code, name in codes.items()}
    return [code_of[EXPRESSIONS[label]] for label in labels]


def lines(names: tuple[str, ...] = TRAIN, labels: np.ndarray = CHANGED, codes: Mapping[int, str] = RAF_DB) -> list[str]:
    """A list as EAC publishes it."""
    return [f"{name} {code}" for name, code in zip(names, written(labels, codes), strict=True)]


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Writes a list and replays it on 14 train rows and 7 test rows."""

    def run(text: str | list[str], context: Mapping[str, Any] | None = None, **params: Any) -> Corruption:
        (tmp_path / "lists").mkdir(exist_ok=True)
        text = text if isinstance(text, str) else "\n".join(text) + "\n"
        (tmp_path / "lists" / "noise.txt").write_bytes(text.encode())
        known = {"names": TRAIN, "base": tmp_path, "test_names": TEST, "test_labels": TEST_LABELS, "codes": CODES}
        where = LabelContext(EXPRESSIONS, np.random.default_rng(0), **(known | dict(context or {})))
        return LabelFile(path="lists/noise.txt", **({"codes": "rafdb"} | params))(LABELS, where)

    return run


ALIGNED = [name.replace(".jpg", "_aligned.jpg") for name in TRAIN]
NAMED = [EXPRESSIONS[label] for label in CHANGED]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (lines(), "rafdb"),
        ([f"{name} {code}" for name, code in zip(ALIGNED, written(CHANGED, RAF_DB), strict=True)], "rafdb"),
        (
            [f"/home/a/aligned/{name}" for name in lines(tuple(ALIGNED), codes=CODES["rafdb-from-0"])],
            "rafdb-from-0",
        ),
        ("\r\n".join(reversed(lines())), "rafdb"),
        (["image,label", *(line.replace(" ", ",") for line in lines())], "rafdb"),
        ([line.replace(" ", " , ") for line in lines()], "rafdb"),
        ([line.replace(" ", "\t") for line in lines()], "rafdb"),
        (["\ufeffImage label", "", *(f"{line}.0" for line in lines())], "rafdb"),
        (["label,image,score", *(f"{name},{row},0.5" for row, name in zip(TRAIN, NAMED, strict=True))], None),
        ([f"{row} {name.title()}" for row, name in zip(TRAIN, NAMED, strict=True)], None),
        ([f"{row} {name.title()}" for row, name in zip(TRAIN, NAMED, strict=True)], "rafdb"),
        ([f"{row} {label}" for row, label in zip(TRAIN, CHANGED, strict=True)], EXPRESSIONS),
        (lines(), dict(RAF_DB)),
        (lines(), {str(code): name for code, name in RAF_DB.items()}),
        (
            [f"{row} {name}".replace("happiness", "happy") for row, name in zip(TRAIN, NAMED, strict=True)],
            {"happy": "happiness"},
        ),
    ],
)
def test_every_form_of_a_list_is_read(replay: Replay, text: str | list[str], codes: Any) -> None:
    done = replay(text, codes=codes)
    np.testing.assert_array_equal(done.labels, CHANGED)
    assert np.flatnonzero(done.corrupted).tolist() == [0, 9]
    assert done.rate == 2 / 14
    assert done.remarks == ()


def test_names_may_lie_in_folders_of_the_dataset(replay: Replay) -> None:
    names = tuple(f"DATASET/train/{label}/{name}" for label, name in zip(LABELS, ALIGNED, strict=True))
    np.testing.assert_array_equal(replay(lines(), {"names": names}).labels, CHANGED)


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path, replay: Replay) -> None:
    done = replay(lines())
    where = LabelContext(EXPRESSIONS, np.random.default_rng(0), names=TRAIN, base=Path("elsewhere"), codes=CODES)
    attack = LabelFile(path=str(tmp_path / "lists" / "noise.txt"), codes="rafdb")
    np.testing.assert_array_equal(attack(LABELS, where).labels, done.labels)


def test_corrupted_test_labels_are_refused(replay: Replay) -> None:
    test_labels = TEST_LABELS.copy()
    test_labels[[1, 4, 5]] = [0, 6, 0]
    done = replay(lines() + lines(TEST, test_labels))
    np.testing.assert_array_equal(done.labels, CHANGED)
    assert done.remarks == ("the list also changes 3 of 7 test labels; that part was not used",)


def test_test_labels_that_agree_are_noted(replay: Replay) -> None:
    said = replay(lines() + lines(TEST[:5], TEST_LABELS[:5])).remarks
    assert said == ("the list also names 5 of 7 test rows, with the dataset's labels; that part was not used",)
    said = replay(lines() + lines(TEST, TEST_LABELS), {"test_labels": None}).remarks
    assert said == ("the list also names 7 of 7 test rows; that part was not used",)


def test_names_that_the_dataset_lacks_can_be_skipped(replay: Replay) -> None:
    done = replay([*lines(), "train_77777.jpg 5", "train_88888.jpg 5"], on_unknown="skip")
    np.testing.assert_array_equal(done.labels, CHANGED)
    # Without a name: remarks are published, and a file may be called after the person that it shows.
    assert done.remarks == ("the list names 2 rows that the dataset lacks",)


def test_rows_of_the_population_are_known_and_not_used(replay: Replay) -> None:
    done = replay([*lines(), "train_77777.jpg 5"], {"population_names": ("train_77777.jpg",)})
    np.testing.assert_array_equal(done.labels, CHANGED)
    assert done.remarks == ("the list also names 1 of the population's rows; that part was not used",)


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        (lines()[3:], {}, r"must name every row .*: 3 of 14 are not in it, first 'train_00001.jpg'"),
        (
            [*lines(), "train_77777.jpg 5"],
            {},
            r"names 1 row that the dataset lacks .*first 'train_77777.jpg' .*line 15",
        ),
        ([*lines(), *lines()[:2]], {}, r"names 2 rows that it has named before, first 'train_00001.jpg' .*line 15"),
        (lines(), {"codes": None}, r"line 1: label '1' is a number.* `codes: rafdb`, `codes: rafdb-from-0`"),
        (lines(), {"codes": "rafbd"}, "did you mean 'rafdb'"),
        (lines(), {"codes": "rafdb-from-0"}, r"expected a label of `codes` \(0 surprise, 1 fear.*received '7'"),
        (lines(), {"codes": ("surprise", "fear")}, r"expected a label of `codes` \(0 surprise, 1 fear\)"),
        (lines(), {"codes": dict(RAF_DB) | {4: "joy"}}, "label '4' stands for 'joy', which is no class of the dataset"),
        ([line.replace(" 4", " hapiness") for line in lines()], {}, r"received 'hapiness'"),
        ([f"{row} hapiness" for row in TRAIN], {"codes": None}, r"did you mean 'happiness'"),
        ("", {}, "is empty"),
        ("\n \n", {}, "is empty"),
        (["train_00001.jpg"], {}, r"line 1: expected 2 values"),
        (["image,label", "train_00001.jpg"], {}, r"line 2: expected 2 values"),
        (["image,label", "train_00001.jpg,"], {}, r"line 2: expected 2 values"),
        (["file,label", "train_00001.jpg,5"], {}, r"line 1: expected a header with image, label"),
        (["train_00001.jpg,5,0.3"], {}, r"line 1: expected 2 values"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(
    replay: Replay, text: str | list[str], params: dict[str, Any], message: str
) -> None:
    with pytest.raises(FerAuditError, match=message):
        replay(text, **params)


def test_ambiguous_names_are_refused(replay: Replay) -> None:
    names = ("a/train_00001.jpg", "b/train_00001.jpg", *TRAIN[2:])
    with pytest.raises(DataError, match=r"names 1 row by ambiguous names, first 'train_00001.jpg'"):
        replay([line for line in lines() if "00002" not in line], {"names": names})
    with pytest.raises(DataError, match=r"names 1 row by ambiguous names, first 'train_00001.jpg'"):
        replay(lines(), {"test_names": (*TEST[1:], "train_00001.jpg")})


def test_labels_in_another_order_are_refused(replay: Replay) -> None:
    shifted = (*EXPRESSIONS[1:], EXPRESSIONS[0])
    text = [f"{row} {label}" for row, label in zip(TRAIN, LABELS, strict=True)]
    with pytest.raises(DataError, match="another order than `codes` say; most rows are read as neutral as happiness"):
        replay(text, codes=shifted)


def test_many_errors_of_one_kind_are_no_other_order(replay: Replay) -> None:
    done = replay([f"{row} happiness" for row in TRAIN], codes=None)
    assert done.rate == 12 / 14


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    where = LabelContext(EXPRESSIONS, np.random.default_rng(0), names=TRAIN, base=tmp_path)
    with pytest.raises(DataError, match=r"no list at .*missing\.txt"):
        LabelFile(path="missing.txt")(LABELS, where)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match="expected text in UTF-8"):
        LabelFile(path="photo.jpg")(LABELS, where)
    with pytest.raises(PluginError, match="path"):
        LabelFile()
