"""Files that are written together, and never over others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fer_audit.errors import PluginError


def write_new(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Writes all files of `texts` (name -> text) into `folder`, which is made where it isn't there, or nothing.

    Returns their paths. Raises PluginError where one of them is there already, or can't be written.
    """
    paths = [folder / name for name in texts]
    with _all_or_none() as made:
        for place in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
            place.mkdir()
            made.append(place)
        for path, text in zip(paths, texts.values(), strict=True):
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    return paths


@contextmanager
def _all_or_none() -> Iterator[list[Path]]:
    """Takes away, in the end, what was put into the list, if not everything went well."""
    made: list[Path] = []
    try:
        yield made
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            raise PluginError(
                f"can't write {error.filename}: {reason}; choose another name, or another folder with --in DIR"
            ) from None
        raise
