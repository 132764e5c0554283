"""The table of reference models."""

import numpy as np
import pytest

from fer_audit.errors import DataError
from fer_audit.runner.model_audit.references import _check_name, read_table

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


def test_an_image_of_the_population_that_a_reference_knows_is_told(tmp_path):
    path = tmp_path / "references.csv"
    path.write_text("image,0.onnx\na.png,1\nb.png,0\nc.png,0\np.png,1\nq.png,0\n")
    with pytest.raises(DataError, match=r"1 of the 2 images of the population were trained on"):
        read_table(path, ROWS, ["p.png", "q.png"])
    assert read_table(path, ROWS, ["q.png"])[0] == ["0.onnx"]


def test_a_line_twice_is_told(tmp_path):
    path = tmp_path / "references.csv"
    path.write_text("image,0.onnx\na.png,1\na.png,0\n")
    with pytest.raises(DataError, match=r"line 3: 'a\.png' is in an earlier line too"):
        read_table(path, ["a.png"])


@pytest.mark.parametrize("name", ["../other.keras", "/other.keras", "sub/../../other.keras", "..\\other.keras"])
def test_a_column_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="leads out of the folder"):
        _check_name(tmp_path, name, trust=True)


def test_code_among_references_is_refused_without_trust(tmp_path):
    with pytest.raises(DataError, match="is code, which would be run"):
        _check_name(tmp_path, "own.py:answer", trust=False)
    _check_name(tmp_path, "own.py:answer", trust=True)
