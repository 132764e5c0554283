"""Zip archives of strangers: looked at in the central directory, before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath, PureWindowsPath

from fer_audit.errors import ModelFileError
from fer_audit.model_files.limits import MOST_MEMBERS, check_expansion


def open_archive(content: bytes) -> zipfile.ZipFile:
    """The archive, whose names and sizes do no harm; raises ModelFileError."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ModelFileError(
            f"the archive is truncated or damaged ({reason(error)}); expected a whole zip file; copy it again"
        ) from None
    _check_members(archive.infolist(), len(content))
    return archive


def leads_out(name: str) -> bool:
    """Whether a path in a file is absolute or leads out of the folder that it is below."""
    written = (PurePosixPath(name), PureWindowsPath(name))
    return any(path.is_absolute() or path.drive or path.root or ".." in path.parts for path in written)


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member of an archive that was opened here; raises ModelFileError where it is damaged."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelFileError(
            f"{name} in the archive is damaged ({reason(error)}); expected a whole file; copy it again"
        ) from None


def reason(error: BaseException, most: int = 160) -> str:
    """What an exception of foreign code says, as a part of a sentence."""
    first = " ".join(str(error).strip().split("\n", 1)[0].split()).split(". ", 1)[0].rstrip(".:;, ")
    short = first if len(first) <= most else f"{first[:most]}…"
    return short or type(error).__name__


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MOST_MEMBERS:
        raise ModelFileError(
            f"the archive holds {len(members):,} files; expected the few of a model; save the model again"
        )
    for member in members:
        if leads_out(member.filename):
            raise ModelFileError(
                f"the archive names {member.filename!r}, which lies outside of it; expected names below the archive; "
                f"don't unpack it, and ask where it comes from"
            )
        if member.flag_bits & 0x1:
            raise ModelFileError(f"{member.filename} in the archive is encrypted; expected plain files; decrypt it")
        check_expansion(member.file_size, member.compress_size, f"{member.filename} in the archive")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ModelFileError("the archive has two files of one name; expected each once; save the model again")
    # Members that overlap are few bytes which are unpacked many times.
    stored = min(size, sum(member.compress_size for member in members))
    check_expansion(sum(member.file_size for member in members), stored, "the archive")
