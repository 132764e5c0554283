"""Arrays of an .npz file that stay in the file until they are read, so that signals may be larger than the memory."""

from __future__ import annotations

import mmap
import struct
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

#: Smaller arrays are simply read.
_WORTH_MAPPING = 64 << 20

_LOCAL_HEADER = struct.Struct("<26x2H")  # of a zip member: the lengths of its name and of its extra field


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """The arrays called `names` that the .npz file at `path` holds; large ones that are not compressed are mapped.

    Raises:
        OSError, ValueError, AttributeError, zipfile.BadZipFile: the file is not what `np.savez` writes.
    """
    # Opened here, since NumPy leaves a file open that turns out to be no archive.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        held = [name for name in names if name in file.files]
        mapped = _map(path, held)
        return {name: mapped[name] if name in mapped else file[name] for name in held}


def release(array: npt.NDArray[Any]) -> None:
    """Gives the memory of a mapped array back; it is read from its file again when it is used again."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    if isinstance(base, mmap.mmap) and sys.platform != "win32":
        base.madvise(mmap.MADV_DONTNEED)


def _map(path: Path, names: list[str]) -> dict[str, npt.NDArray[Any]]:
    """The large uncompressed arrays, mapped."""
    found = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        for name in names:
            info = members.get(name)
            if info is None or info.compress_type != zipfile.ZIP_STORED or info.file_size < _WORTH_MAPPING:
                continue
            file.seek(info.header_offset)
            file.seek(sum(_LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))), 1)
            shape, by_column, dtype = _header(file)
            if by_column or dtype.hasobject:
                continue
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            size = dtype.itemsize * int(np.prod(shape))
            found[name] = np.frombuffer(view, dtype, count=size // dtype.itemsize, offset=file.tell()).reshape(shape)
    return found


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype of the .npy array that starts here."""
    numpy_format: Any = np.lib.format
    read = {(1, 0): numpy_format.read_array_header_1_0, (2, 0): numpy_format.read_array_header_2_0}
    shape, by_column, dtype = read[numpy_format.read_magic(file)](file)
    return shape, by_column, dtype
