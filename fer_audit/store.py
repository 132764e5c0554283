"""The store: artefacts under content keys, written whole or not at all, and checked before they are used."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import itertools
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit import artefact_manifest
from fer_audit.errors import StoreError
from fer_audit.file_lock import claimed, lock_file
from fer_audit.owner import draft_name, owner_lives
from fer_audit.remote_objects import RemoteObjects
from fer_audit.store_faults import explained, store_error

#: Kind and key of an artefact.
ArtefactName = tuple[str, str]

MANIFEST = artefact_manifest.MANIFEST
ABOUT = "about.json"

TEMPORARY = "tmp"
DAMAGED = "damaged"
FAILURES = "failures"
LOGS = "logs"
CLAIMS = "claims"
UNSENT = "unsent"
LOCK = "lock"

#: What a rename says where something is in the place of an artefact.
_IN_ITS_PLACE = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})
#: Others may put damaged ones into that place, but not for ever.
_RENAMES = 5

#: Fetching waits for an answer most of the time.
_FETCHED_AT_ONCE = 8


class About(NamedTuple):
    """What an artefact says of itself."""

    title: str  #: one line for people
    uses: tuple[ArtefactName, ...]  #: kind and key of each artefact that it was made from


class Store:
    """A folder of artefacts: `<kind>/<key>/` with files and a manifest of their SHA-256.

    An artefact is written to a temporary folder and renamed, so that one with a manifest is complete; an altered or
    truncated one is found by its checksums. With a `remote`, the folder is a copy: what is absent here is fetched, what
    is written is sent. Locks and claims hold among the processes that share the folder, not among machines with a copy
    each: two of them may do the same work, and either's result stays, whole.
    """

    def __init__(self, root: Path, remote: RemoteObjects | None = None) -> None:
        """Opens or makes the store at `root`; raises StoreError where that can't be done."""
        self.root = root
        self.found_damaged: list[str] = []  #: what `has` put aside, one line each, for whoever tells the user
        self._folder = str(root)
        self._remote = remote
        self._sent: dict[str, set[str]] = {}  #: by kind, the keys that the remote is known to have
        self._damaged_there: set[ArtefactName] = set()  #: that this process found so, and nobody has made again
        with explained(root):
            try:
                self._temporary.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                if not root.is_dir() or isinstance(error, FileExistsError):
                    raise
                # Who may not write here can still read.
        self._send_unsent()

    @property
    def address(self) -> str:
        """What `open_at` opens the same store by."""
        return self._remote.address if self._remote else str(self.root)

    @property
    def is_elsewhere(self) -> bool:
        """Whether this machine has but a copy of what it used."""
        return self._remote is not None

    @property
    def _temporary(self) -> Path:
        return self.root / TEMPORARY

    def path(self, kind: str, key: str) -> Path:
        """Where the artefact lies or would lie."""
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there and whole; a damaged one is put aside and counts as absent.

        Raises StoreError where that can't be told.
        """
        whole = self._has_here(kind, key)
        if self._remote is None:
            return whole
        if not whole:
            return self._fetched(self._remote, kind, key)
        if key not in self._remote_keys(self._remote, kind):
            self._send(self._remote, kind, key)
        return True

    def has_all(self, names: Iterable[ArtefactName]) -> set[ArtefactName]:
        """Those of `names` that are there and whole, as `has` says of each."""
        keys: dict[str, set[str]] = {}
        for kind, key in names:
            keys.setdefault(kind, set()).add(key)
        present: list[ArtefactName] = []
        for kind, wanted in keys.items():
            # One look into the folder rules out all that is absent; the rest is read in the order of the disk.
            found = self._present(kind)
            present += [(kind, key) for key in sorted(wanted & found.keys(), key=found.__getitem__)]
        if self._remote is None:
            return {name for name in present if self.has(*name)}
        with ThreadPoolExecutor(_FETCHED_AT_ONCE) as pool:
            whole = list(pool.map(lambda name: self.has(*name), present))
        return {name for name, good in zip(present, whole, strict=True) if good}

    def _present(self, kind: str) -> dict[str, int]:
        """Keys of what may be there, here or at the remote, with where they begin on the disk."""
        found: dict[str, int] = {}
        if self._remote is not None:
            self._sent[kind] = self._remote.keys(kind)
            found = dict.fromkeys(self._sent[kind], 0)
        try:
            with os.scandir(self.root / kind) as entries:
                return found | {entry.name: entry.inode() for entry in entries}
        except FileNotFoundError:
            self._check_root()
            return found
        except OSError as error:
            raise store_error(error, self.root, "read") from error

    def _has_here(self, kind: str, key: str) -> bool:
        folder = f"{self._folder}/{kind}/{key}"
        try:
            if artefact_manifest.is_whole(folder):
                return True
        except FileNotFoundError:
            self._check_root()
            return False
        except NotADirectoryError as error:
            if not os.path.lexists(folder):
                raise self._unreadable(error, kind, key) from error
        except OSError as error:
            raise self._unreadable(error, kind, key) from error
        return not self._put_damaged_aside(kind, key)

    def _check_root(self) -> None:
        """Tells an absent artefact from an absent store: that must not look as if all were to be made again."""
        try:
            self.root.stat()
        except OSError as error:
            raise store_error(error, self.root, "read") from error

    def _unreadable(self, error: OSError, kind: str, key: str) -> StoreError:
        return store_error(error, self.root, f"read {kind}/{key[:12]} in")

    def _put_damaged_aside(self, kind: str, key: str) -> bool:
        """Puts an artefact aside that was found damaged; False where a whole one has taken its place."""
        wrong = self.damage(kind, key)
        if wrong is None:
            return False
        about = self.about(kind, key)
        try:
            aside = self.put_aside(kind, key)
        except StoreError as error:
            raise StoreError(f"{kind}/{key[:12]} is damaged ({wrong}) and can't be put aside: {error}") from error
        if aside is None:  # another process put it aside first
            return True
        with contextlib.suppress(OSError):
            if artefact_manifest.is_whole(str(aside)):  # another process did, and made it again already
                aside.rename(self.path(kind, key))
                return False
        self._tell_damaged(kind, key, about, wrong)
        return True

    def _tell_damaged(self, kind: str, key: str, about: About | None, wrong: str) -> None:
        title = f" ({about.title})" if about and about.title else ""
        self.found_damaged.append(f"{kind}/{key[:12]}{title}: {wrong}")

    def damage(self, kind: str, key: str) -> str | None:
        """What is wrong with the artefact in one phrase, or None; raises StoreError where that can't be told."""
        try:
            return artefact_manifest.damage(f"{self._folder}/{kind}/{key}")
        except FileNotFoundError:
            return "its manifest is missing or unreadable"
        except NotADirectoryError:
            return "it is a file or a link, and no folder"
        except OSError as error:
            raise self._unreadable(error, kind, key) from error

    def about(self, kind: str, key: str) -> About | None:
        """What the artefact says of itself, or None where it says nothing or is absent."""
        return _about(self.path(kind, key))

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
        with self._drafted() as draft:
            fill(draft)
            if title or uses:
                _write_json(draft / ABOUT, {"title": title, "uses": [list(used) for used in uses]})
            artefact_manifest.write_manifest(draft)
            if self._remote is not None:
                self._mark_unsent(kind, key)
            self._rename(draft, kind, key)
        if self._remote is not None:
            self._send(self._remote, kind, key)
        return self.path(kind, key)

    def _draft(self) -> Path:
        """A new place for what is not or no longer an artefact; whose it is, is in its name."""
        return self._temporary / draft_name()

    @contextlib.contextmanager
    def _drafted(self) -> Iterator[Path]:
        """A folder to write to, which is gone afterwards unless it was renamed; disks that fail are explained."""
        draft = self._draft()
        with explained(self.root):
            try:
                draft.mkdir()
            except FileNotFoundError:
                # Not its parents: a store whose disk is gone must not be made anew on another.
                self._temporary.mkdir(exist_ok=True)
                draft.mkdir()
            try:
                yield draft
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def _rename(self, draft: Path, kind: str, key: str) -> None:
        """Makes the draft the artefact, unless another process finished it first: equal keys hold equal content."""
        folder = self.path(kind, key)
        folder.parent.mkdir(exist_ok=True)
        for attempt in itertools.count(1):
            try:
                draft.rename(folder)
                return
            except OSError as error:
                if error.errno not in _IN_ITS_PLACE or attempt == _RENAMES:
                    raise
            if not self._put_damaged_aside(kind, key):
                return

    def put_aside(self, kind: str, key: str) -> Path | None:
        """Keeps a damaged artefact for a look, away from its key, and returns where; None where it is gone already.

        What the remote has stays there; raises StoreError.
        """
        aside = self._aside(kind, key)
        with explained(self.root):
            aside.parent.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process put it aside first
                self.path(kind, key).rename(aside)
                return aside
        return None

    def _aside(self, kind: str, key: str) -> Path:
        return self.root / DAMAGED / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"

    def remove(self, kind: str, key: str) -> None:
        """Removes an artefact: it is gone at once, and what a crash leaves of it is a draft; raises StoreError."""
        if self._remote is not None:
            self._remote.forget(kind, key)
            self._sent.get(kind, set()).discard(key)
            (self.root / UNSENT / kind / key).unlink(missing_ok=True)
        draft = self._draft()
        with explained(self.root, f"remove {kind}/{key[:12]} from"), contextlib.suppress(FileNotFoundError):
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
        contents = self._contents("arrays", digest)
        if contents is None:
            raise StoreError(f"the store {self.root} has no whole array {digest[:12]}; run the grid again")
        try:
            array: npt.NDArray[Any] = np.load(io.BytesIO(contents["array.npy"]), allow_pickle=False)
        except (KeyError, ValueError, EOFError):
            array = np.empty(0)
        if array_digest(array) != digest:
            self.put_aside("arrays", digest)
            raise StoreError(
                f"the array {digest[:12]} of the store {self.root} is not the one that its key says, and was put "
                f"aside; run the grid again"
            )
        return array

    def write_json(
        self, kind: str, key: str, value: Any, *, title: str = "", uses: Sequence[ArtefactName] = ()
    ) -> None:
        """Keeps a JSON value as the artefact."""
        self.write(kind, key, lambda folder: _write_json(folder / "value.json", value), title=title, uses=uses)

    def read_json(self, kind: str, key: str) -> Any | None:
        """The JSON value kept as the artefact, or None where it is absent or damaged."""
        contents = self._contents(kind, key)
        if contents is None or "value.json" not in contents:
            return None
        return json.loads(contents["value.json"])

    def _contents(self, kind: str, key: str) -> dict[str, bytes] | None:
        """The files of a small artefact, the very bytes that were checked; None where it is absent or damaged."""
        folder = f"{self._folder}/{kind}/{key}"
        for look in range(2):
            try:
                if contents := artefact_manifest.whole_contents(folder):
                    return contents
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError as error:
                raise self._unreadable(error, kind, key) from error
            if look == 1 or not self.has(kind, key):  # puts aside what is damaged, and fetches what is absent
                break
        return None

    def record_failure(self, key: str, report: str) -> None:
        """Notes why a training failed; a failure is never an artefact, so the next run tries again."""
        with explained(self.root):
            folder = self.root / FAILURES
            folder.mkdir(exist_ok=True)
            (folder / f"{key}.txt").write_text(report, encoding="utf-8")
        if self._remote is not None:
            with contextlib.suppress(StoreError):  # only a comfort: the next run tries again without it
                self._remote.note(f"{FAILURES}/{key}.txt", folder / f"{key}.txt")

    def remove_if_empty(self) -> None:
        """Removes the folder of a store that was made for nothing; one that holds anything stays."""
        with contextlib.suppress(OSError, StoreError), self.alone():
            self._temporary.rmdir()
            (self.root / LOCK).unlink(missing_ok=True)
            self.root.rmdir()

    def clean_temporary(self) -> None:
        """Removes drafts of processes that no longer live."""
        for draft in self.abandoned_drafts():
            shutil.rmtree(draft, ignore_errors=True)
            with contextlib.suppress(OSError):
                draft.unlink()  # one that is a file

    def abandoned_drafts(self) -> list[Path]:
        """Drafts of processes that no longer live."""
        return [draft for draft in sorted(self._temporary.glob("[0-9]*-*")) if not owner_lives(draft)]

    def fetch_all(self) -> None:
        """Fetches every artefact that the remote has and that is absent here; raises StoreError."""
        if self._remote is not None:
            self.has_all([(kind, key) for kind in self._remote.kinds() for key in self._remote.keys(kind)])

    def _fetched(self, remote: RemoteObjects, kind: str, key: str) -> bool:
        """Whether a whole artefact was fetched; a damaged one is kept here for a look."""
        if (kind, key) in self._damaged_there:
            return False
        with self._drafted() as draft:
            if not remote.fetch(kind, key, draft):
                return False
            wrong = artefact_manifest.damage(str(draft))
            if wrong is None:
                self._rename(draft, kind, key)
                self._remote_keys(remote, kind).add(key)
                return True
            self._tell_damaged(kind, key, _about(draft), wrong)
            aside = self._aside(kind, key)
            aside.parent.mkdir(exist_ok=True)
            draft.rename(aside)
        # It stays there: it may be somebody's upload under way. Whoever makes it again sends it over this one.
        self._remote_keys(remote, kind).discard(key)
        self._damaged_there.add((kind, key))
        return False

    def _remote_keys(self, remote: RemoteObjects, kind: str) -> set[str]:
        """Keys that were there when this process first asked, or were sent since."""
        if kind not in self._sent:
            self._sent[kind] = remote.keys(kind)
        return self._sent[kind]

    def _mark_unsent(self, kind: str, key: str) -> None:
        """Marks what the next run sends, should this one not come to it."""
        (self.root / UNSENT / kind).mkdir(parents=True, exist_ok=True)
        (self.root / UNSENT / kind / key).touch()

    def _send(self, remote: RemoteObjects, kind: str, key: str, *, wait: bool = True) -> None:
        """Sends what lies here, unless another process of this machine does so; with `wait`, after that one."""
        with self.claim(f"{UNSENT}-{kind}", key, wait=wait) as mine:
            if not mine:
                return
            with self._drafted() as draft:
                remote.send(kind, key, self.path(kind, key), draft)
            self._remote_keys(remote, kind).add(key)
            self._damaged_there.discard((kind, key))
            with contextlib.suppress(OSError):
                (self.root / UNSENT / kind / key).unlink()

    def _send_unsent(self) -> None:
        if self._remote is None:
            return
        with contextlib.suppress(StoreError):  # what can't be sent can still be read; whoever needs it there is told
            for mark in sorted((self.root / UNSENT).glob("*/*")):
                if self._has_here(mark.parent.name, mark.name):
                    self._send(self._remote, mark.parent.name, mark.name, wait=False)

    @contextlib.contextmanager
    def in_use(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Held by a run as long as it works on the store, so that nobody prunes it; several runs may hold it.

        `on_wait` is called where a prune has to be waited for.
        """
        with contextlib.ExitStack() as stack:
            # Who may not write here, or whose file system knows no locks, can still use what is there.
            with contextlib.suppress(OSError):
                lock = stack.enter_context(lock_file(self.root / LOCK))
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    if on_wait is not None:
                        on_wait()
                    fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def claim(self, kind: str, key: str, *, wait: bool) -> Iterator[bool]:
        """Whether it is for this process to make the artefact meanwhile; with `wait`, once nobody else does.

        The end of a process frees its claims. Where there can be none, on a store that can't be written to or on a
        file system without locks, everybody may: work is done twice then, and never torn.
        """
        with contextlib.ExitStack() as stack:
            mine = True
            with contextlib.suppress(OSError):
                folder = self.root / CLAIMS
                folder.mkdir(exist_ok=True)
                mine = stack.enter_context(claimed(folder / f"{kind}-{key}", wait=wait))
            yield mine

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Held by who removes artefacts; raises StoreError where a run is using the store."""
        with contextlib.ExitStack() as stack:
            with explained(self.root):
                lock = stack.enter_context(lock_file(self.root / LOCK))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"a run is using the store {self.root}; wait for it to end, then prune") from None
            except OSError:
                pass  # this file system knows no locks
            yield


def array_digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 (hex) of shape, dtype and content."""
    digest = hashlib.sha256(str((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _about(folder: Path) -> About | None:
    try:
        value = json.loads((folder / ABOUT).read_bytes())
        return About(str(value["title"]), tuple((str(kind), str(key)) for kind, key in value["uses"]))
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return None


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
