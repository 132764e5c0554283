from __future__ import annotations

import pytest

from fer_audit.attacks.row_names import RowNames

NAMES = (
    "train/1/train_00001_aligned.jpg",
    "train_00002.jpg",
    "KA.AN1.39.tiff",
    "a/x.png",
    "b/x.png",
    "x",
    "Training 7",
)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("train/1/train_00001_aligned.jpg", [0]),
        ("train_00001.jpg", [0]),
        ("train_00001", [0]),
        ("/data/RAF/aligned/train_00002_aligned.jpg", [1]),
        (r"C:\RAF\train_00002.JPG", [1]),
        ("KA.AN1.39", [2]),
        ("KA.AN1", []),
        ("a/x.png", [3]),
        ("x", [5]),
        ("x.png", [3, 4, 5]),
        ("Training 7", [6]),
        ("train_1.jpg", []),
    ],
)
def test_rows_are_found_by_whole_name_or_file(name: str, rows: list[int]) -> None:
    assert RowNames(NAMES).find(name) == rows
