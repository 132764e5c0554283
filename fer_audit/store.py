"""The store: artefacts under content keys, written whole or not at all, and checked before they are used."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit.errors import StoreError

#: Kind and key of an artefact.
ArtefactName = tuple[str, str]

MANIFEST = "manifest.json"
ABOUT = "about.json"

TEMPORARY = "tmp"
DAMAGED = "damaged"
FAILURES = "failures"
LOGS = "logs"
LOCK = "lock"


class About(NamedTuple):
    """What an artefact says of itself."""

    title: str  #: one line for people
    uses: tuple[ArtefactName, ...]  #: kind and key of each artefact that it was made from


class Store:
    """A folder of artefacts: `<kind>/<key>/` with files and a manifest of their SHA-256.

    An artefact is written to a temporary folder and renamed, so that one with a manifest is complete; an altered or
    truncated one is found by its checksums.
    """

    def __init__(self, root: Path) -> None:
        """Opens or makes the store at `root`; raises StoreError where that can't be done."""
        self.root = root
        self.found_damaged: list[str] = []  #: what `has` put aside, one line each, for whoever tells the user
        with self._explained():
            self._temporary.mkdir(parents=True, exist_ok=True)

    @property
    def _temporary(self) -> Path:
        return self.root / TEMPORARY

    def path(self, kind: str, key: str) -> Path:
        """Where the artefact lies or would lie."""
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there and whole; a damaged one is put aside and counts as absent."""
        folder = self.path(kind, key)
        if not folder.is_dir():
            return False
        wrong = self.damage(kind, key)
        if wrong is None:
            return True
        about = self.about(kind, key)
        title = f" ({about.title})" if about and about.title else ""
        self.found_damaged.append(f"{kind}/{key[:12]}{title}: {wrong}")
        self.put_aside(kind, key)
        return False

    def damage(self, kind: str, key: str) -> str | None:
        """What is wrong with the artefact in one phrase, or None."""
        folder = self.path(kind, key)
        manifest = _read_json(folder / MANIFEST)
        if not isinstance(manifest, dict) or not manifest:
            return "its manifest is missing or unreadable"
        for name, expected in manifest.items():
            try:
                found = _sha256(folder / name)
            except (OSError, ValueError):
                return f"{name} is missing or unreadable"
            if found != expected:
                return f"{name} was truncated or altered"
        return None

    def about(self, kind: str, key: str) -> About | None:
        """What the artefact says of itself, or None where it says nothing or is absent."""
        value = _read_json(self.path(kind, key) / ABOUT)
        try:
            return About(str(value["title"]), tuple((str(kind), str(key)) for kind, key in value["uses"]))
        except (KeyError, TypeError, ValueError):
            return None

    def write(
        self,
        kind: str,
        key: str,
        fill: Callable[[Path], Any],
        *,
        title: str = "",
        uses: Sequence[ArtefactName] = (),
    ) -> Path:
        """Lets `fill` write files into a folder, and makes that folder the artefact; raises StoreError.

        `title` says in one line what it is, as far as its key decides; `uses` are the artefacts that it was made from.
        """
        folder = self.path(kind, key)
        draft = self._draft()
        with self._explained():
            draft.mkdir(parents=True)
            try:
                fill(draft)
                if title or uses:
                    _write_json(draft / ABOUT, {"title": title, "uses": [list(used) for used in uses]})
                manifest = {path.name: _sha256(path) for path in sorted(draft.iterdir())}
                (draft / MANIFEST).write_text(json.dumps(manifest, indent=1))
                folder.parent.mkdir(parents=True, exist_ok=True)
                self._rename(draft, folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return folder

    def _draft(self) -> Path:
        """A new place for what is not or no longer an artefact; whose it is, is in its name."""
        return self._temporary / f"{os.getpid()}-{uuid.uuid4().hex}"

    def _rename(self, draft: Path, folder: Path) -> None:
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process finished the same artefact first: equal keys hold equal content.

    def put_aside(self, kind: str, key: str) -> None:
        """Keeps a damaged artefact for a look, out of the way of the key that it no longer answers to."""
        aside = self.root / DAMAGED / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"
        with self._explained():
            aside.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process put it aside first
                self.path(kind, key).rename(aside)

    def remove(self, kind: str, key: str) -> None:
        """Removes an artefact: it is gone at once, and what a crash leaves of it is a draft; raises StoreError."""
        draft = self._draft()
        with self._explained(f"remove {kind}/{key[:12]} from"), contextlib.suppress(FileNotFoundError):
            self.path(kind, key).rename(draft)
            shutil.rmtree(draft)

    def write_array(self, array: npt.NDArray[Any], *, title: str = "", uses: Sequence[ArtefactName] = ()) -> str:
        """Keeps an array under the SHA-256 (hex) of its content and returns that."""
        digest = array_digest(array)
        if not self.has("arrays", digest):
            self.write(
                "arrays",
                digest,
                lambda folder: np.save(folder / "array.npy", array, allow_pickle=False),
                title=title,
                uses=uses,
            )
        return digest

    def read_array(self, digest: str) -> npt.NDArray[Any]:
        """The array kept under `digest`; raises StoreError where it is absent or damaged."""
        if not self.has("arrays", digest):
            raise StoreError(f"the store has no whole array {digest[:12]}; run the grid again")
        array: npt.NDArray[Any] = np.load(self.path("arrays", digest) / "array.npy", allow_pickle=False)
        return array

    def write_json(
        self, kind: str, key: str, value: Any, *, title: str = "", uses: Sequence[ArtefactName] = ()
    ) -> None:
        """Keeps a JSON value as the artefact."""
        self.write(kind, key, lambda folder: _write_json(folder / "value.json", value), title=title, uses=uses)

    def read_json(self, kind: str, key: str) -> Any | None:
        """The JSON value kept as the artefact, or None where it is absent or damaged."""
        if not self.has(kind, key):
            return None
        return json.loads((self.path(kind, key) / "value.json").read_text(encoding="utf-8"))

    def record_failure(self, key: str, report: str) -> None:
        """Notes why a training failed; a failure is never an artefact, so the next run tries again."""
        with self._explained():
            folder = self.root / FAILURES
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{key}.txt").write_text(report, encoding="utf-8")

    def clean_temporary(self) -> None:
        """Removes drafts of processes that no longer live."""
        for draft in self.abandoned_drafts():
            shutil.rmtree(draft, ignore_errors=True)

    def abandoned_drafts(self) -> list[Path]:
        """Drafts of processes that no longer live."""
        return [draft for draft in sorted(self._temporary.glob("[0-9]*-*")) if not owner_lives(draft)]

    @contextlib.contextmanager
    def in_use(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Held by a run as long as it works on the store, so that nobody prunes it; several runs may hold it.

        `on_wait` is called where a prune has to be waited for.
        """
        with contextlib.ExitStack() as stack:
            # Who may not write here, or whose file system knows no locks, can still use what is there.
            with contextlib.suppress(OSError):
                lock = stack.enter_context(self._lock_file())
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    if on_wait is not None:
                        on_wait()
                    fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Held by who removes artefacts; raises StoreError where a run is using the store."""
        with contextlib.ExitStack() as stack:
            with self._explained():
                lock = stack.enter_context(self._lock_file())
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"a run is using the store {self.root}; wait for it to end, then prune") from None
            except OSError:
                pass  # this file system knows no locks
            yield

    @contextlib.contextmanager
    def _lock_file(self) -> Iterator[int]:
        """The open lock; the end of the process lets go of it too, as its workers do not inherit it (PEP 446)."""
        # For writing, although nothing is written: NFS grants an exclusive lock on no other file.
        number = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield number
        finally:
            with contextlib.suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_UN)  # also for a process that was forked and holds a copy
            os.close(number)

    @contextlib.contextmanager
    def _explained(self, doing: str = "write to") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"can't {doing} the store {self.root}: {reason}; nothing finished is lost") from error


def array_digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 (hex) of shape, dtype and content."""
    digest = hashlib.sha256(str((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> Any:
    """The JSON value of a file, or None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def owner_lives(path: Path) -> bool:
    """Whether the process whose number begins the name of a draft or a log still lives."""
    owner = path.name.partition("-")[0]
    if not owner.isdecimal():
        return False
    try:
        os.kill(int(owner), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
