"""Files that a user names: read whole, or refused before they are read."""

import os

import pytest

from fer_audit.plain_file import open_plain, read_plain


def test_a_file_of_just_the_size_is_read(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_plain(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, expected at most 4"):
        read_plain(tmp_path / "x", 4)


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "y").symlink_to("x")
    assert read_plain(tmp_path / "y", 1) == b"1"


def test_what_is_no_file_is_refused_and_left_closed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for path, kind in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "no", FileNotFoundError),
        (tmp_path / "pipe", OSError),
    ):
        with pytest.raises(kind):
            open_plain(path, 9)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
