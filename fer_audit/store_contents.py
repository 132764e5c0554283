"""What lies in a store, and which of it nobody wants any more."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from fer_audit.errors import StoreError
from fer_audit.owner import owner_lives
from fer_audit.remote_store import open_at
from fer_audit.store import (
    CLAIMS,
    DAMAGED,
    FAILURES,
    LOCK,
    LOGS,
    MANIFEST,
    TEMPORARY,
    UNSENT,
    About,
    ArtefactName,
    Store,
)

#: Folders of a store that hold no artefacts.
RESERVED = frozenset({TEMPORARY, DAMAGED, FAILURES, LOGS, CLAIMS, UNSENT})

#: Kinds that are there for the sake of grids alone. What is of another kind stays as long as all that it was made from.
GRID_KINDS = frozenset({"arrays", "corrupted", "datasets", "measures", "predictions", "signals", "traces", "trainings"})

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Artefact:
    """One artefact of a store."""

    kind: str
    key: str
    size: int  #: bytes
    modified: float  #: seconds since 1970 of its newest file
    about: About | None

    @property
    def name(self) -> ArtefactName:
        """Kind and key."""
        return self.kind, self.key

    @property
    def title(self) -> str:
        """What it is, in one line; empty where it does not say."""
        return self.about.title if self.about else ""

    @property
    def uses(self) -> tuple[ArtefactName, ...]:
        """The artefacts that it was made from."""
        return self.about.uses if self.about else ()


def open_store(root: Path | str) -> Store:
    """The store at `root`, which is not made; raises StoreError where there is none.

    Of one at an fsspec address, all is fetched first.
    """
    if isinstance(root, str):
        store = open_at(root)
        store.fetch_all()
        return store
    if not root.is_dir():
        raise StoreError(f"there is no store at {root}; run a grid first, or name the store with --store")
    names = {path.name for path in root.iterdir()}
    # Pruning removes folders: one that only happens to be called `logs` must not go because of a mistyped path.
    if TEMPORARY not in names or not (LOCK in names or names <= RESERVED or _kind_folders(root)):
        raise StoreError(f"{str(root)!r} is not a store: fer-audit wrote nothing in it; name the store with --store")
    return Store(root)


def kinds(store: Store) -> list[str]:
    """The kinds of artefacts in the store."""
    return [folder.name for folder in _kind_folders(store.root)]


def artefacts(store: Store, of_kind: str | None = None) -> list[Artefact]:
    """All artefacts of the store, or those of one kind; the oldest of each kind first."""
    found = []
    for kind in kinds(store) if of_kind is None else [of_kind]:
        for folder in (store.root / kind).iterdir():
            if folder.is_dir():
                size, modified = _measure(folder)
                found.append(Artefact(kind, folder.name, size, modified, store.about(kind, folder.name)))
    return sorted(found, key=lambda artefact: (artefact.kind, artefact.modified, artefact.title, artefact.key))


@dataclass(frozen=True)
class Leftover:
    """A file or folder of a store that no run will read again."""

    kind: str  #: in one word or two
    path: Path
    size: int  #: bytes
    modified: float  #: seconds since 1970


def leftovers(store: Store) -> list[Leftover]:
    """Damaged artefacts, drafts and logs of processes that no longer live, and notes on failures."""
    root = store.root
    places: dict[str, Iterable[Path]] = {
        "damaged": (root / DAMAGED).glob("*"),
        "unfinished": store.abandoned_drafts(),
        "failure notes": (root / FAILURES).glob("*.txt"),
        "logs": (path for path in (root / LOGS).glob("[0-9]*-*") if not owner_lives(path)),
    }
    return [Leftover(kind, path, *_measure(path)) for kind, paths in places.items() for path in sorted(paths)]


def discard(leftover: Leftover) -> None:
    """Removes a leftover; raises StoreError where that can't be done."""
    try:
        if leftover.path.is_dir() and not leftover.path.is_symlink():
            shutil.rmtree(leftover.path)
        else:
            leftover.path.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"can't remove {leftover.path}: {reason}; nothing finished is lost") from error


def unwanted(
    present: Sequence[Artefact], wanted: AbstractSet[ArtefactName] | None = None, before: float | None = None
) -> list[Artefact]:
    """The artefacts to remove, in an order in which none ever uses one that is gone.

    `wanted` are those that grids want (None where no grid is named); with `before`, what was modified since that time
    (s) stays. Whatever one that stays was made from stays too, so whatever was made from one that goes goes too.
    """
    if wanted is None and before is None:
        return []
    recent = {artefact.name for artefact in present if before is not None and artefact.modified >= before}
    kept = _with_sources(present, recent | (wanted or set()))
    if wanted is not None:
        kept = _with_results(present, kept)
    return _users_first([artefact for artefact in present if artefact.name not in kept])


def _with_sources(present: Sequence[Artefact], roots: AbstractSet[ArtefactName]) -> set[ArtefactName]:
    """`roots` and all that they were made from."""
    uses = {artefact.name: artefact.uses for artefact in present}
    found: set[ArtefactName] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(uses.get(name, ()))
    return found


def _with_results(present: Sequence[Artefact], kept: AbstractSet[ArtefactName]) -> set[ArtefactName]:
    """`kept` and the artefacts of other kinds than the grids' that were made from nothing else."""
    grown = set(kept)
    others = [artefact for artefact in present if artefact.kind not in GRID_KINDS]
    while more := {other.name for other in others if other.name not in grown and grown.issuperset(other.uses)}:
        grown |= more
    return grown


def _users_first(removed: Sequence[Artefact]) -> list[Artefact]:
    ordered: list[Artefact] = []
    waiting = list(removed)
    while waiting:
        used = {name for artefact in waiting for name in artefact.uses}
        # Only a forged about.json goes round in a circle; then any order is as good.
        free = [artefact for artefact in waiting if artefact.name not in used] or waiting
        ordered += free
        waiting = [] if free is waiting else [artefact for artefact in waiting if artefact.name in used]
    return ordered


def _kind_folders(root: Path) -> list[Path]:
    return [folder for folder in sorted(root.iterdir()) if folder.name not in RESERVED and _holds_artefacts(folder)]


def _holds_artefacts(folder: Path) -> bool:
    """Whether a child has a manifest or, as one that lost it, a key for a name."""
    if not folder.is_dir():
        return False
    children = [child for child in folder.iterdir() if child.is_dir()]
    return any(_KEY.fullmatch(child.name) or (child / MANIFEST).is_file() for child in children)


def _measure(path: Path) -> tuple[int, float]:
    """Bytes and time of the newest file of a folder or file; what vanishes meanwhile counts nothing."""
    stats = []
    for file in [path, *(Path(folder) / name for folder, _, names in os.walk(path) for name in names)]:
        with contextlib.suppress(FileNotFoundError):
            stats.append(file.lstat())
    files = [stat for stat in stats if not S_ISDIR(stat.st_mode)]
    return sum(stat.st_size for stat in files), max((stat.st_mtime for stat in files or stats), default=0.0)
