"""Artefacts and plug-in folders on their way between machines that share no folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fer_audit.errors import PluginError, StoreError
from fer_audit.store import ABOUT, MANIFEST, ArtefactName, Store

#: Files of an artefact or of a folder, by name.
Files = Mapping[str, bytes]

#: Most that a folder of plug-ins may hold (bytes): it goes to every node with every batch.
_MOST_BYTES = 64 << 20

#: What Python and editors leave in a folder, and what is of no use elsewhere.
_NOT_SENT = frozenset({"__pycache__", ".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


@dataclass(frozen=True)
class Parcel:
    """A whole artefact."""

    name: ArtefactName
    files: Files

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(map(len, self.files.values()))


def packed(store: Store, name: ArtefactName) -> Parcel:
    """The artefact of `store`; raises StoreError where it is absent or damaged."""
    if not store.has(*name):
        raise StoreError(f"the store {store.address} has no whole {name[0]} {name[1][:12]}; run the grid again")
    folder = store.path(*name)
    return Parcel(name, {path.name: path.read_bytes() for path in sorted(folder.iterdir())})


def unpack(store: Store, parcel: Parcel) -> None:
    """Puts an artefact into `store`, unless it is there; raises StoreError where it was altered on its way."""
    kind, key = parcel.name
    if store.has(kind, key):
        return
    manifest = json.loads(parcel.files[MANIFEST])
    content = {name: files for name, files in parcel.files.items() if name != MANIFEST}
    if manifest != {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}:
        raise StoreError(f"{kind} {key[:12]} was altered on its way from another machine; run again")
    about = json.loads(content.pop(ABOUT, b'{"title": "", "uses": []}'))

    def fill(folder: Path) -> None:
        for name, data in content.items():
            (folder / name).write_bytes(data)

    store.write(kind, key, fill, title=about["title"], uses=[(kind, key) for kind, key in about["uses"]])


def packed_folder(folder: Path) -> Files:
    """Every file below a folder of plug-ins, by its path there; raises PluginError where they are too large."""
    files: dict[str, bytes] = {}
    room = _MOST_BYTES
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NOT_SENT)
        for name in sorted(names):
            path = Path(place, name)
            if not path.is_file():
                continue
            room -= path.stat().st_size
            if room < 0:
                raise PluginError(
                    f"the folder of plug-ins {folder} holds more than {_MOST_BYTES >> 20} MB, which would travel to "
                    f"every node; expected code alone; move data out of it"
                )
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files


def unpack_folder(files: Files, folder: Path) -> None:
    """Writes the files of a folder of plug-ins below `folder`, which is made."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        path = folder / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
