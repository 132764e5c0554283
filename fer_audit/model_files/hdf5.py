"""HDF5 files of strangers: looked at before anything is read from them."""

from __future__ import annotations

import math
from typing import Any

import h5py

from fer_audit.errors import ModelFileError
from fer_audit.model_files.archive import reason
from fer_audit.model_files.limits import MOST_MEMBERS, check_expansion


def open_hdf5(content: bytes, what: str) -> h5py.File:
    """The file, all of whose objects are in it and of a modest size; raises ModelFileError."""
    try:
        file = h5py.File.in_memory(file_image=content)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{what} is truncated or damaged ({reason(error)}); expected a whole HDF5 file; copy it again"
        ) from None
    _check_links(file, what)
    _check_datasets(file, what)
    return file


def held_numbers(file: h5py.File) -> int:
    """Numbers in all datasets."""
    total = 0

    def seen(_: str, found: Any) -> None:
        nonlocal total
        if isinstance(found, h5py.Dataset) and found.shape is not None:
            total += math.prod(found.shape)

    file.visititems(seen)
    return total


def _check_links(file: h5py.File, what: str) -> None:
    links = 0

    def seen(name: str, link: Any) -> ModelFileError | None:
        nonlocal links
        links += 1
        if links > MOST_MEMBERS:
            return ModelFileError(
                f"{what} holds more than {MOST_MEMBERS:,} objects; expected those of one model; save the model again"
            )
        if isinstance(link, h5py.HardLink):
            return None
        target = getattr(link, "filename", None) or getattr(link, "path", "")
        return ModelFileError(
            f"{name} in {what} is a link to {str(target)!r}; expected all weights to be in the file itself; save the "
            f"model again"
        )

    _raise(file.visititems_links(seen))


def _check_datasets(file: h5py.File, what: str) -> None:
    declared = stored = 0

    def seen(name: str, found: Any) -> ModelFileError | None:
        nonlocal declared, stored
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            return None
        size, on_disk = math.prod(found.shape) * found.dtype.itemsize, found.id.get_storage_size()
        declared, stored = declared + size, stored + on_disk
        return _wrong_dataset(found, size, on_disk, f"{name} in {what}")

    _raise(file.visititems(seen))
    check_expansion(declared, stored, what)


def _wrong_dataset(found: Any, size: int, stored: int, what: str) -> ModelFileError | None:
    if found.external or found.is_virtual:
        return ModelFileError(
            f"{what} lies in another file; expected all weights to be in the file itself; save the model again"
        )
    try:
        check_expansion(size, stored, what)
    except ModelFileError as error:
        return error
    return None


def _raise(error: ModelFileError | None) -> None:
    """h5py loses what is raised while it visits, so that it is returned there, which ends the visit."""
    if error is not None:
        raise error
