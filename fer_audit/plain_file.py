"""A file that a user names: read only where it is a plain file of a size that such files have."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path


def open_plain(path: Path, most: int) -> io.BufferedReader:
    """The file at `path`, opened for reading bytes; raises OSError, also where it has more than `most` bytes.

    Pipes and devices are refused, which might never end, or never begin.
    """
    # Without O_NONBLOCK the opening of a pipe waits until somebody writes into it.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        _check(number, path, most)
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_plain(path: Path, most: int) -> bytes:
    """All bytes of the file at `path`; raises OSError as `open_plain` does."""
    with open_plain(path, most) as file:
        return file.read()


def _check(number: int, path: Path, most: int) -> None:
    found = os.fstat(number)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "It is a pipe or a device, expected a plain file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"It has {found.st_size:,} bytes, expected at most {most:,}", str(path))
