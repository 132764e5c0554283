"""The manifest of an artefact: the SHA-256 of each of its files, written last and checked before any is used.

An artefact is whole where its manifest is, byte for byte, the one that would be written for the files that lie there
now. So whatever is altered, cut, missing, added or a link shows, in the manifest itself too; and a manifest of
another format answers for nothing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from pathlib import Path

MANIFEST = "manifest.json"

#: A link is never followed out of the store, and nobody waits for a pipe.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FIRST_BYTES = 1 << 16
_MORE_BYTES = 1 << 20

#: What is wrong with one file. Whatever else goes wrong, such as a missing right, says nothing about the artefact.
_OF_THE_FILE = frozenset({errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EIO})


def write_manifest(folder: Path) -> None:
    """Writes the manifest of the files that lie in `folder`; raises OSError."""
    # No fsync: a power cut may empty or cut what was written last, which the checksums find, so that it costs the
    # artefacts of some seconds and never gives a wrong one. To wait for the disk would cost every run.
    place = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        digests = {name: _sha256(name, place) for name in _names(place)}
    finally:
        os.close(place)
    (folder / MANIFEST).write_bytes(_manifest(digests))


def is_whole(folder: str) -> bool:
    """Whether the artefact is what its manifest says; raises OSError, for an absent one FileNotFoundError."""
    place = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        names = _names(place)
        try:
            digests = {name: _sha256(name, place) for name in names}
            return bool(names) and _content(MANIFEST, place) == _manifest(digests)
        except OSError as error:
            if error.errno in _OF_THE_FILE:
                return False
            raise
    finally:
        os.close(place)


def whole_contents(folder: str) -> dict[str, bytes] | None:
    """The files of a small artefact as they were checked, or None where it is not whole; raises as `is_whole`."""
    place = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        try:
            contents = {name: _content(name, place) for name in _names(place)}
            digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
            return contents if contents and _content(MANIFEST, place) == _manifest(digests) else None
        except OSError as error:
            if error.errno in _OF_THE_FILE:
                return None
            raise
    finally:
        os.close(place)


def damage(folder: str) -> str | None:
    """What is wrong with the artefact in one phrase, or None; raises OSError as `is_whole` does."""
    place = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        found = {name: _digest_or_none(name, place) for name in _names(place)}
        return _difference(found, place)
    finally:
        os.close(place)


def _difference(found: Mapping[str, str | None], place: int) -> str | None:
    try:
        raw = _content(MANIFEST, place)
        expected = json.loads(raw)
    except (ValueError, RecursionError):
        expected = None
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        expected = None
    if not isinstance(expected, dict) or not expected:
        return "its manifest is missing or unreadable"
    for name, digest in expected.items():
        if found.get(name) is None:
            return f"{_printable(name)} is missing or unreadable"
        if found[name] != digest:
            return f"{_printable(name)} was truncated or altered"
    for name in found.keys() - expected.keys():
        return f"{_printable(name)} does not belong to it"
    return None if raw == _manifest(found) else "its manifest was altered"


def _names(place: int) -> list[str]:
    """Names of the files in the open folder, without the manifest, in order."""
    names = os.listdir(place)
    names.sort()
    if MANIFEST in names:
        names.remove(MANIFEST)
    return names


def _manifest(digests: Mapping[str, str | None]) -> bytes:
    lines = [f' {encode_basestring_ascii(name)}: "{digest}"' for name, digest in digests.items()]
    return ("{\n" + ",\n".join(lines) + "\n}").encode() if lines else b"{}"


def _sha256(name: str, place: int) -> str:
    """SHA-256 (hex) of a file of the open folder; raises OSError."""
    number = os.open(name, _READ, dir_fd=place)
    try:
        digest = hashlib.sha256(os.read(number, _FIRST_BYTES))
        while block := os.read(number, _MORE_BYTES):
            digest.update(block)
        return digest.hexdigest()
    finally:
        os.close(number)


def _digest_or_none(name: str, place: int) -> str | None:
    try:
        return _sha256(name, place)
    except OSError as error:
        if error.errno in _OF_THE_FILE:
            return None
        raise


def _content(name: str, place: int) -> bytes:
    """The bytes of a file of the open folder; raises OSError."""
    number = os.open(name, _READ, dir_fd=place)
    try:
        blocks = [os.read(number, _FIRST_BYTES)]
        while block := os.read(number, _MORE_BYTES):
            blocks.append(block)
        return b"".join(blocks)
    finally:
        os.close(number)


def _printable(name: object) -> str:
    """A name from a file that may be forged, on one line."""
    text = str(name)
    return text if text.isprintable() else ascii(text)
