"""Locks on files, which the end of a process lets go of, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """The open file of a lock; the end of the process lets go of it too, as its workers do not inherit it (PEP 446)."""
    number = _opened(path)
    try:
        yield number
    finally:
        _release(number)


@contextlib.contextmanager
def claimed(path: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this holds the claim `path`, a file that is there only meanwhile; raises OSError.

    With `wait`, once nobody else holds it.
    """
    number = _locked(path, wait=wait)
    if number is None:
        yield False
        return
    try:
        yield True
    finally:
        # Removed while it is held: who opened it before and holds it next finds that it is no longer the claim.
        with contextlib.suppress(OSError):
            path.unlink()
        _release(number)


def _locked(path: Path, *, wait: bool) -> int | None:
    """The open file `path` with its lock, or None where somebody else has that; raises OSError."""
    while True:
        number = _opened(path)
        try:
            fcntl.flock(number, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(number), path.stat()):
                return number
        except BlockingIOError:
            os.close(number)
            return None
        except FileNotFoundError:
            pass  # who held it removed it in between
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _opened(path: Path) -> int:
    # For writing, although nothing is written: NFS grants an exclusive lock on no other file.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _release(number: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.flock(number, fcntl.LOCK_UN)  # also for a process that was forked and holds a copy
    os.close(number)
