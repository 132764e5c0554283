"""Arrays of an .npz file that stay in the file until they are read, so that signals may be larger than the memory."""

from __future__ import annotations

import math
import mmap
import struct
import sys
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fer_audit.plain_file import open_plain

Array = npt.NDArray[Any]

#: Smaller arrays are simply read.
_WORTH_MAPPING = 64 << 20

#: How often what is unpacked may hold what was stored, where it is much: packed answers shrink to a half, seldom to a
#: fiftieth.
_MOST_EXPANSION, _EXPANSION_COUNTS_FROM = 250, 64 << 20

_LOCAL_HEADER = struct.Struct("<26x2H")  # of a zip member: the lengths of its name and of its extra field

_ENCRYPTED = 0x1  #: flag of a member

#: As NumPy writes them.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: What damage, and headers that say nonsense, make zipfile and NumPy raise.
_NONSENSE = (
    *(ValueError, TypeError, SyntaxError, LookupError, OverflowError, EOFError, RecursionError, MemoryError),
    *(NotImplementedError, RuntimeError, tokenize.TokenError, struct.error, zlib.error, zipfile.BadZipFile),
)


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """The arrays called `names` that the .npz file at `path` holds; large ones that are not compressed are mapped.

    Raises:
        OSError, ValueError: the file is not what `np.savez` writes, or would unpack to far more than it is.
    """
    with open_plain(path, sys.maxsize) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _NONSENSE as error:
            raise ValueError(_first(error)) from None
        with archive:
            members = _members(archive)
            return {name: _array(archive, file, members[name], name) for name in names if name in members}


def release(array: Array) -> None:
    """Gives the memory of a mapped array back; it is read from its file again when it is used again."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    if isinstance(base, mmap.mmap) and sys.platform != "win32":
        base.madvise(mmap.MADV_DONTNEED)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in found:
            raise ValueError(f"it has two arrays called {name[:100]!r}")
        found[name] = member
    return found


def _array(archive: zipfile.ZipFile, file: BinaryIO, member: zipfile.ZipInfo, name: str) -> Array:
    try:
        _check(member)
        with archive.open(member) as stream:
            shape, by_column, dtype = _header(stream)
            _check_size(shape, dtype, member.file_size - stream.tell())
            if member.compress_type != zipfile.ZIP_STORED or member.file_size < _WORTH_MAPPING or by_column:
                return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if by_column else "C")
            return _map(file, member, stream.tell(), dtype).reshape(shape)
    except _NONSENSE as error:
        raise ValueError(f"{name} is damaged or no plain array: {_first(error)}") from None


def _check(member: zipfile.ZipInfo) -> None:
    """Raises ValueError for what `np.savez` does not write."""
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise ValueError("it is encrypted or packed strangely")
    most = max(_EXPANSION_COUNTS_FROM, _MOST_EXPANSION * member.compress_size)
    if member.compress_type != zipfile.ZIP_STORED and member.file_size > most:
        raise ValueError(f"{member.compress_size:,} bytes unpack to {member.file_size:,}, as a zip bomb does")


def _check_size(shape: tuple[int, ...], dtype: np.dtype[Any], held: int) -> None:
    """Raises ValueError where an array is not what its header says, for which NumPy would make room."""
    if dtype.hasobject:
        raise ValueError("it is a pickle, which could run any code")
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or dtype.itemsize < 1 or declared != held:
        raise ValueError(f"{dtype} {shape} are {declared:,} bytes, and it holds {held:,}")


def _map(file: BinaryIO, member: zipfile.ZipInfo, start: int, dtype: np.dtype[Any]) -> Array:
    """The values of a member that is not compressed, `start` bytes behind its beginning, in one row."""
    file.seek(member.header_offset)
    begin = member.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size)))
    view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    count = (member.file_size - start) // dtype.itemsize
    return np.frombuffer(view, dtype, count=count, offset=begin + start)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype of the .npy array that starts here."""
    formats: Any = np.lib.format
    read = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    version = formats.read_magic(file)
    if version not in read:
        raise ValueError(f"version {version} of the format, expected 1 or 2")
    shape, by_column, dtype = read[version](file)
    return shape, by_column, dtype


def _first(error: BaseException) -> str:
    """The first line of what was said."""
    return (str(error).splitlines() or [type(error).__name__])[0]
