"""What identifies a model: the SHA-256 of its file, or of all of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fer_audit.errors import ModelFileError
from fer_audit.model_files.limits import MOST_MEMBERS, check_bytes


def file_digest(content: bytes) -> tuple[str, int]:
    """SHA-256 (hex) and number of the bytes of a file."""
    return hashlib.sha256(content).hexdigest(), len(content)


def files_digest(root: Path, files: Iterable[Path]) -> tuple[str, int]:
    """SHA-256 (hex) over names below `root` and contents of `files`, sorted by name, and all their bytes."""
    digest, total = hashlib.sha256(), 0
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in files):
        digest.update(name.encode() + b"\0")
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                total += len(chunk)
        digest.update(b"\0")
    return digest.hexdigest(), total


def files_below(folder: Path) -> list[Path]:
    """All files of a folder; raises ModelFileError where there are too many, or too large or special ones."""
    found: list[Path] = []
    total = 0
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        if not path.is_file():
            raise ModelFileError(
                f"{path.relative_to(folder)} in it is no regular file; expected files alone; copy the model anew"
            )
        total += path.stat().st_size
        found.append(path)
        check_bytes(total, "the folder")
        if len(found) > MOST_MEMBERS:
            raise ModelFileError(
                f"the folder holds more than {MOST_MEMBERS:,} files; expected those of one model; name its own folder"
            )
    return found
