"""A plug-in that can't be used, and the line that says why."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BrokenPlugin:
    """A plug-in file, or an installed package, that failed to import: where and why, and the names it would offer."""

    path: Path
    line: int  #: 0 where no line of a file is to blame
    reason: str
    names: tuple[str, ...]
    package: str = ""  #: the installed package
    version: str = ""  #: of the package, where it is known

    def __str__(self) -> str:
        package = f"package {' '.join(filter(None, (self.package, self.version)))}: " if self.package else ""
        return f"{package}{self.path}{f':{self.line}' if self.line else ''}: {self.reason}"


def blamed_line(error: BaseException, folder: Path) -> tuple[Path, int] | None:
    """The innermost line of a file in `folder` that led to `error`; None where the error came from elsewhere."""
    if isinstance(error, SyntaxError) and error.filename and _lies_in(Path(error.filename), folder):
        return Path(error.filename), error.lineno or 1
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _lies_in(Path(frame.filename), folder)]
    return (Path(frames[-1].filename), frames[-1].lineno or 1) if frames else None


def _lies_in(file: Path, folder: Path) -> bool:
    return file == folder or folder in file.parents


def reason_of(error: BaseException) -> str:
    """An error in one line, with its type."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
