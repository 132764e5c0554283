"""The artefacts of a remote store, as objects at an fsspec address such as `s3://bucket/folder`.

Each artefact is one object, `<kind>/<key>.tar`. Object stores show an object whole or not at all, so that two runs that
write the same one leave either's, never a mixture; an object that is cut short shows by the manifest inside.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fer_audit.errors import StoreError

_SUFFIX = ".tar"

#: What a damaged archive may raise.
_NO_ARCHIVE = (tarfile.TarError, EOFError, ValueError, KeyError, OverflowError)


class RemoteObjects:
    """The objects of a remote store; the credentials are what its fsspec package finds in the environment."""

    def __init__(self, address: str) -> None:
        """Looks for nothing yet; raises StoreError for an unknown protocol, or one whose package is missing."""
        self._address = address.rstrip("/")
        self._files, self._root = _opened(self._address)

    @property
    def address(self) -> str:
        """What a user calls it."""
        return self._address

    def kinds(self) -> list[str]:
        """The kinds of which there may be artefacts."""
        with self._explained("list"):
            names = {Path(path).name for path in self._listed("")}
        return sorted(name for name in names if not name.endswith(_SUFFIX))

    def keys(self, kind: str) -> set[str]:
        """The keys of the artefacts of a kind."""
        with self._explained("list"):
            names = [Path(path).name for path in self._listed(kind)]
        return {name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)}

    def fetch(self, kind: str, key: str, folder: Path) -> bool:
        """Copies an artefact into the empty `folder`, unchecked; False where there is none; raises StoreError."""
        archive = folder / f"{key}{_SUFFIX}"
        with self._explained("read"):
            try:
                self._files.get_file(self._object(kind, key), str(archive))
            except FileNotFoundError:
                if not folder.is_dir():
                    raise
                archive.unlink(missing_ok=True)
                return False
        with contextlib.suppress(*_NO_ARCHIVE):
            _unpack(archive, folder)
            archive.unlink()  # one that can't be unpacked stays, for a look, and makes the artefact a damaged one
        return True

    def send(self, kind: str, key: str, folder: Path, draft: Path) -> None:
        """Keeps the artefact in `folder`, whole or not at all, packed in the empty `draft`; raises StoreError."""
        archive = draft / f"{key}{_SUFFIX}"
        _pack(folder, archive)
        with self._explained("write to"):
            self._files.put_file(str(archive), self._object(kind, key))

    def forget(self, kind: str, key: str) -> None:
        """Removes an artefact, if it is there; raises StoreError."""
        with self._explained("remove from"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._object(kind, key))

    def note(self, name: str, text: Path) -> None:
        """Keeps a text file that is no artefact; raises StoreError."""
        with self._explained("write to"):
            self._files.put_file(str(text), self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _object(self, kind: str, key: str) -> str:
        return self._path(f"{kind}/{key}{_SUFFIX}")

    def _listed(self, folder: str) -> list[str]:
        try:
            # Others write there too: never from what fsspec remembers.
            return list(self._files.ls(self._path(folder), detail=False, refresh=True))
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Makes a StoreError of whatever a remote file system raises: each has errors of its own."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            kept = "nothing finished is lost: this machine keeps what was not sent, and the next run sends it"
            advice = kept if doing == "write to" else "look at its address, its credentials and its endpoint"
            raise StoreError(f"can't {doing} the store {self._address}: {reason}; {advice}") from error


def _opened(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path of the store in it."""
    fsspec = _imported_fsspec(address)
    try:
        # What others write meanwhile must be seen.
        files, root = fsspec.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        protocol = address.partition("://")[0]
        known: Any = importlib.import_module("fsspec.registry").known_implementations
        module = str(known.get(protocol, {}).get("class", "")).partition(".")[0]
        remedy = f"pip install {module}" if module not in ("", "fsspec") else " ".join(str(error).split())
        raise StoreError(f"the store {address} needs a package that is not installed: {remedy}") from error
    except ValueError as error:
        raise StoreError(
            f"can't open the store {address}: {error}; expected a folder, or an address of a protocol that fsspec "
            f"knows, such as s3://bucket/folder"
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"can't open the store {address}: {reason}") from error
    return files, root.rstrip("/")


def _imported_fsspec(address: str) -> Any:
    try:
        return importlib.import_module("fsspec")
    except ImportError as error:
        package = "s3fs" if address.startswith("s3://") else "fsspec"
        raise StoreError(f"the store {address} needs a package that is not installed: pip install {package}") from error


def _pack(folder: Path, archive: Path) -> None:
    """Writes the files of `folder` into one archive, without a trace of who wrote them; raises OSError."""
    with tarfile.open(archive, "w:") as tar:
        for path in sorted(folder.iterdir()):
            member = tar.gettarinfo(path, path.name)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            with path.open("rb") as file:
                tar.addfile(member, file)


def _unpack(archive: Path, folder: Path) -> None:
    """Writes the plain files of an archive into `folder`; raises OSError, or one of `_NO_ARCHIVE` for anything else."""
    limit = archive.stat().st_size
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            path = folder / member.name
            plain = member.isreg() and not member.issparse() and member.size <= limit
            if not plain or member.name != path.name or os.path.lexists(path):
                raise ValueError(f"not a plain file: {member.name!r}")
            content = tar.extractfile(member)
            if content is None:
                raise ValueError(f"no content: {member.name!r}")
            with content, path.open("xb") as file:
                shutil.copyfileobj(content, file)
            os.utime(path, (member.mtime, member.mtime))
