"""The store: artefacts under content keys, written whole or not at all, and checked before they are used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.errors import StoreError

MANIFEST = "manifest.json"


class Store:
    """A folder of artefacts: `<kind>/<key>/` with files and a manifest of their SHA-256.

    An artefact is written to a temporary folder and renamed, so that one with a manifest is complete; an altered or
    truncated one is found by its checksums.
    """

    def __init__(self, root: Path) -> None:
        """Opens or makes the store at `root`; raises StoreError where that can't be done."""
        self.root = root
        with self._explained():
            self._temporary.mkdir(parents=True, exist_ok=True)

    @property
    def _temporary(self) -> Path:
        return self.root / "tmp"

    def path(self, kind: str, key: str) -> Path:
        """Where the artefact lies or would lie."""
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there and whole; a damaged one is put aside and counts as absent."""
        folder = self.path(kind, key)
        if not folder.is_dir():
            return False
        if self.damage(kind, key) is None:
            return True
        self._put_aside(folder)
        return False

    def damage(self, kind: str, key: str) -> str | None:
        """What is wrong with the artefact in one phrase, or None."""
        folder = self.path(kind, key)
        try:
            manifest: dict[str, str] = json.loads((folder / MANIFEST).read_text())
        except (OSError, ValueError):
            return "its manifest is missing or unreadable"
        for name, expected in manifest.items():
            try:
                found = _sha256(folder / name)
            except OSError:
                return f"{name} is missing or unreadable"
            if found != expected:
                return f"{name} was truncated or altered"
        return None

    def write(self, kind: str, key: str, fill: Callable[[Path], None]) -> Path:
        """Lets `fill` write files into a folder, and makes that folder the artefact; raises StoreError."""
        folder = self.path(kind, key)
        draft = self._temporary / f"{os.getpid()}-{uuid.uuid4().hex}"
        with self._explained():
            draft.mkdir(parents=True)
            try:
                fill(draft)
                manifest = {path.name: _sha256(path) for path in sorted(draft.iterdir())}
                (draft / MANIFEST).write_text(json.dumps(manifest, indent=1))
                folder.parent.mkdir(parents=True, exist_ok=True)
                self._rename(draft, folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return folder

    def _rename(self, draft: Path, folder: Path) -> None:
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process finished the same artefact first: equal keys hold equal content.

    def _put_aside(self, folder: Path) -> None:
        """Damaged artefacts are kept for a look, out of the way of the key that they no longer answer to."""
        aside = self.root / "damaged" / f"{folder.parent.name}-{folder.name}-{uuid.uuid4().hex[:8]}"
        with self._explained():
            aside.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(aside)

    def write_array(self, array: npt.NDArray[Any]) -> str:
        """Keeps an array under the SHA-256 (hex) of its content and returns that."""
        digest = array_digest(array)
        if not self.has("arrays", digest):
            self.write("arrays", digest, lambda folder: np.save(folder / "array.npy", array, allow_pickle=False))
        return digest

    def read_array(self, digest: str) -> npt.NDArray[Any]:
        """The array kept under `digest`; raises StoreError where it is absent or damaged."""
        if not self.has("arrays", digest):
            raise StoreError(f"the store has no whole array {digest[:12]}; run the grid again")
        array: npt.NDArray[Any] = np.load(self.path("arrays", digest) / "array.npy", allow_pickle=False)
        return array

    def write_json(self, kind: str, key: str, value: Any) -> None:
        """Keeps a JSON value as the artefact."""
        self.write(kind, key, lambda folder: _write_json(folder / "value.json", value))

    def read_json(self, kind: str, key: str) -> Any | None:
        """The JSON value kept as the artefact, or None where it is absent or damaged."""
        if not self.has(kind, key):
            return None
        return json.loads((self.path(kind, key) / "value.json").read_text(encoding="utf-8"))

    def record_failure(self, key: str, report: str) -> None:
        """Notes why a training failed; a failure is never an artefact, so the next run tries again."""
        with self._explained():
            folder = self.root / "failures"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{key}.txt").write_text(report, encoding="utf-8")

    def clean_temporary(self) -> None:
        """Removes drafts of processes that no longer live."""
        for draft in self._temporary.iterdir():
            owner = draft.name.partition("-")[0]
            if owner.isdigit() and not _alive(int(owner)):
                shutil.rmtree(draft, ignore_errors=True)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"can't write to the store {self.root}: {reason}; nothing finished is lost") from error


def array_digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 (hex) of shape, dtype and content."""
    digest = hashlib.sha256(str((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
