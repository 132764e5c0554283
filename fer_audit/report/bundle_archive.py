"""The zip file of a bundle: always the same bytes when written, data of a stranger when read."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from fer_audit.errors import ResultsError

MEBIBYTE = 1 << 20

#: Of a bundle: a run of ten thousand cells has a few csv files each.
MOST_FILES = 50_000
MOST_BYTES = 1024 * MEBIBYTE  #: of all files together, unpacked

#: How often what is unpacked may hold what was stored; results and csv files shrink to a tenth, seldom to a fiftieth.
MOST_EXPANSION = 250
EXPANSION_COUNTS_FROM = 64 * MEBIBYTE

#: Longest name of a file, in letters.
_LONGEST = 1000

_EPOCH = (1980, 1, 1, 0, 0, 0)  #: the earliest time that a zip file can hold
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_ENCRYPTED = 0x1


def write_archive(files: Mapping[str, bytes], target: Path) -> None:
    """Writes `files` by name; the same files give the same bytes. A reader sees the old archive or the new one."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in sorted(files):
                archive.writestr(_entry(name), files[name], zipfile.ZIP_DEFLATED, compresslevel=6)
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _entry(name: str) -> zipfile.ZipInfo:
    """Without anything of the machine and the time."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3  # as on Unix, on every system
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


def read_archive(path: Path) -> dict[str, bytes]:
    """The files of an archive by name; raises ResultsError for what is damaged or could do harm.

    Names, kinds and sizes are looked at before anything is unpacked; a size that lies is found by the checksum.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(path, entries)
            return {entry.filename: archive.read(entry) for entry in entries}
    except _DAMAGED as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise ResultsError(
            f"{path} is truncated or damaged ({said}); expected a whole zip file, copy it again"
        ) from None
    except OSError as error:
        raise ResultsError(f"can't read {path}: {error.strerror or error}") from None


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES:
        raise ResultsError(f"{path} holds {len(entries):,} files, a bundle at most {MOST_FILES:,}; it is none of ours")
    for entry in entries:
        problem = _problem(entry)
        if problem:
            raise ResultsError(f"{path} names {entry.orig_filename!r}, which {problem}; ask where the file comes from")
    names = {entry.filename for entry in entries}
    if len(names) < len(entries):
        raise ResultsError(f"{path} has two files of one name; expected each once, ask where the file comes from")
    within = next((name for name in names if any(str(above) in names for above in PurePosixPath(name).parents)), None)
    if within is not None:
        raise ResultsError(f"{path} has {within!r} below another file; ask where the file comes from")
    _check_sizes(path, entries)


def _problem(entry: zipfile.ZipInfo) -> str:
    """Why an entry is none of a bundle's; empty where nothing speaks against it."""
    name = entry.orig_filename  # `filename` is cut where a zero byte stands
    if "\\" in name:
        return "holds a backslash"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "is an absolute path"
    if ".." in name.split("/"):
        return "leads out of the bundle"
    if name != str(PurePosixPath(name)) or name == "." or len(name) > _LONGEST or not name.isprintable():
        return "is no plain name of a file"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is a link or another special file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return "" if entry.compress_type in _METHODS else "is compressed in a way that bundles are not"


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    unpacked, stored = sum(entry.file_size for entry in entries), path.stat().st_size
    if unpacked > MOST_BYTES:
        raise ResultsError(f"{path} unpacks to {unpacked:,} bytes, a bundle to at most {MOST_BYTES:,}")
    # Against the size of the file, as entries may share bytes that are unpacked many times.
    if unpacked > EXPANSION_COUNTS_FROM and unpacked > MOST_EXPANSION * stored:
        raise ResultsError(
            f"{path} unpacks {stored:,} bytes to {unpacked:,}, as a zip bomb does; a bundle has at most "
            f"{MOST_EXPANSION} times as many"
        )
