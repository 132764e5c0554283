"""Lines of a csv: their numbers as an editor shows them, and what is wrong in which."""

import pytest

from fer_audit.data import csv_lines as module
from fer_audit.data.csv_lines import csv_head, csv_lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_have_the_numbers_of_an_editor(tmp_path, end):
    text = end.join(["a,b", "", '1,"x, y"', '2, " z"']) + end
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert csv_lines(tmp_path / "t.csv") == [(1, ["a", "b"]), (3, ["1", "x, y"]), (4, ["2", " z"])]
    assert csv_head(tmp_path / "t.csv") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\nb\0c\n", "line 2: a zero byte"),
        (b"a\nb\n\xff\n", "line 3 is not in UTF-8"),
        (b'a\n"b\nc', "line 3: unexpected end of data"),
        (b'a\nb\n"b"c', "line 3: "),
        (b"a\n" + b"x" * 101 + b"\n", "line 2: more than 100 letters"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, monkeypatch, content, said):
    monkeypatch.setattr(module, "LONGEST", 100)
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        csv_lines(tmp_path / "t.csv")
