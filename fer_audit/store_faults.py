"""What a user is told where the disk, and not the program, is at fault."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from fer_audit.errors import StoreError

_FREE = "free some space"

_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EISDIR})

#: What mends it.
_REMEDIES: dict[int | None, str] = {
    None: _FREE,
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "make it writable, or name another store with --store",
    errno.EACCES: "ask for the right to it, or name another store with --store",
    errno.EPERM: "ask for the right to it, or name another store with --store",
    **dict.fromkeys(_IN_THE_WAY, "move what is in its way"),
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.EIO: "check its disk",
    errno.ESTALE: "mount it again",
}

#: What only a disk can cause, whatever a library makes of it.
_OF_A_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})


@contextlib.contextmanager
def explained(root: Path, doing: str = "write to") -> Iterator[None]:
    """Makes a StoreError of what goes wrong with the files of the store at `root`."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        fault = _fault(error)
        if fault is None:
            raise
        raise store_error(fault, root, doing) from error


def store_error(error: OSError, root: Path, doing: str) -> StoreError:
    """One sentence: the store, what happened, what mends it."""
    happened, remedy = _happened(error), _REMEDIES.get(error.errno, "see to that")
    place = _place(error, root)
    if error.errno == errno.ENOENT and not os.path.lexists(root):
        happened, remedy, place = "its folder is gone", "bring it back (is its disk still there?)", ""
    elif error.errno == errno.ENOENT and not place:
        happened, remedy = "one of its files was removed meanwhile", "leave that to fer-audit store prune"
    return StoreError(
        f"can't {doing} the store {root}: {happened}{place}; {remedy} and run again: nothing finished is lost"
    )


def _happened(error: OSError) -> str:
    said = " ".join(str(error).split())
    if error.errno is None:  # NumPy's own words where it can't write a file whole
        return f"a file was not written whole ({said})"
    # HDF5 puts a page into the text of an error.
    return os.strerror(error.errno) if error.errno in _REMEDIES else (error.strerror or said)


def _fault(error: BaseException) -> OSError | None:
    """The fault of the disk behind `error`: an archive that is closed half-written raises errors of its own."""
    if isinstance(error, OSError):
        return error
    behind = error.__context__
    while behind is not None:
        if isinstance(behind, OSError) and behind.errno in _OF_A_DISK:
            return behind
        behind = behind.__context__
    return None


def _place(error: OSError, root: Path) -> str:
    """Where it happened, if it is of use: what is in the way, or a file outside the store."""
    if not isinstance(error.filename, str) or os.sep not in error.filename:
        return ""
    path = Path(error.filename)
    if error.errno in _IN_THE_WAY:
        path = next((part for part in (path, *path.parents) if part.is_file() or part.is_symlink()), path)
    elif path.absolute().is_relative_to(root.absolute()):
        return ""
    return f": {path}"
