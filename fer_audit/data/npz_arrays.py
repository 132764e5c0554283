"""Arrays of an .npz file from anywhere: their sizes are known before they are unpacked, and nothing is unpickled."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fer_audit.errors import SignalsError

Array = npt.NDArray[Any]

#: Bytes that all arrays may take: 100,000 faces, 18 queries and 8 classes are 60 MB, and a zip of 2 MB can hold this.
MOST_BYTES = 2 << 30

_ENCRYPTED = 0x1  #: flag of a member

#: As NumPy writes them. Others could not be read everywhere, and their unpacking fails in more ways.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: What a header that says nonsense makes NumPy raise.
_NONSENSE = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, OverflowError)


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays by their names, read-only, text as str; raises SignalsError with what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_bytes(path, sum(member.file_size for member in members))
            names = [member.filename.removesuffix(".npy") for member in members]
            if len(set(names)) < len(names):
                raise SignalsError(f"{path} holds two arrays of one name; expected each once")
            return {name: _array(path, archive, member) for name, member in zip(names, members, strict=True)}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise SignalsError(f"{path} is not an .npz file of plain arrays, or is damaged: {_first(error)}") from None


def check_bytes(path: Path, received: int) -> None:
    """Raises SignalsError where what a file holds would take too much memory."""
    if received > MOST_BYTES:
        raise SignalsError(f"{path} would take {received:,} bytes in memory; expected at most {MOST_BYTES:,}")


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise SignalsError(f"{path}: {member.filename} is encrypted or packed strangely; expected what np.savez writes")
    content = archive.read(member)
    try:
        shape, fortran, dtype, start = _header(content)
    except _NONSENSE as error:
        raise SignalsError(f"{path}: {member.filename} is not an array of NumPy: {_first(error)}") from None
    if dtype.hasobject:
        raise SignalsError(
            f"{path}: {member.filename} is a pickle; expected plain arrays, such as of dtype float or str"
        )
    # The header is anyone's, and NumPy would make room for whatever it says.
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or dtype.itemsize < 1 or declared != len(content) - start:
        raise SignalsError(
            f"{path}: {member.filename} says that it is {dtype} {shape}; expected {declared:,} bytes, received "
            f"{len(content) - start:,}"
        )
    array: Array = np.ndarray(shape, dtype, content, start, order="F" if fortran else "C")
    return np.char.decode(array, "utf-8") if dtype.kind == "S" else array


def _header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran's order, dtype, and where the values start."""
    file, formats = io.BytesIO(content), cast("Any", np.lib.format)  # which NumPy 1 gives no types
    version = formats.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format; expected plain arrays, of 1 or 2")
    read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
    return (*read(file), file.tell())


def _first(error: BaseException) -> str:
    """The first line of what was said."""
    return (str(error).splitlines() or [type(error).__name__])[0]
