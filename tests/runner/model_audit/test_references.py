"""The table of reference models."""

import numpy as np
import pytest

from fer_audit.errors import DataError
from fer_audit.runner.model_audit.references import read_table

ROWS = ["a.png", "b.png", "c.png"]


def test_a_table_is_read_in_the_order_of_the_rows(tmp_path):
    path = tmp_path / "references.csv"
    path.write_text("image,0.onnx,1.onnx\nc.png,1,0\nother.png,0,0\na.png,0,1\nb.png,1,1\n")
    names, keep = read_table(path, ROWS)
    assert names == ["0.onnx", "1.onnx"]
    np.testing.assert_array_equal(keep, [[False, True, True], [True, True, False]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the header"),
        ("picture,0.onnx\n", "expected the header"),
        ("image\n", "expected the header"),
        ("image,0.onnx,0.onnx\n", "expected the header"),
        ("image,0.onnx\na.png,yes\n", "line 2"),
        ("image,0.onnx\na.png,1,0\n", "line 2"),
        ("image,0.onnx\na.png,1\n", "lacks 2 of the 3 members and non-members, such as b.png, c.png"),
    ],
)
def test_each_mistake_is_one_sentence(tmp_path, text, said):
    path = tmp_path / "references.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        read_table(path, ROWS)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_table_is_told(tmp_path):
    with pytest.raises(DataError, match=r"no references\.csv"):
        read_table(tmp_path / "references.csv", ROWS)
