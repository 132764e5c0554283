"""Datasets in the store: read or drawn once, then mapped into memory by every process of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.data.dataset import Dataset, FaceData, Rows
from fer_audit.errors import StoreError
from fer_audit.plugins import content_key
from fer_audit.store import Store, array_digest

KIND = "datasets"
_SPLITS = ("pool", "test", "population")
_ARRAYS = ("images", "labels", "subjects", "masks", "votes", "copies", "traits")


def load_through(store: Store, dataset: Dataset, size: int, base: Path) -> tuple[str, FaceData]:
    """The fingerprint and the content of `dataset`, from the store where it is there already; raises DataError."""
    fingerprint = dataset.fingerprint(size, base)
    if not store.has(KIND, fingerprint):
        data = dataset.load(size, base)
        store.write(KIND, fingerprint, lambda folder: _save(data, folder))
    return fingerprint, open_cached(store, fingerprint)


def keep_cached(store: Store, data: FaceData, title: str = "") -> str:
    """Keeps `data`, which no plug-in reads, under a key (hex) of its whole content; returns the key."""
    key = content_key([data.classes, data.drawn, data.remarks, [_content(getattr(data, split)) for split in _SPLITS]])
    if not store.has(KIND, key):
        store.write(KIND, key, lambda folder: _save(data, folder), title=title)
    return key


def _content(rows: Rows) -> list[Any]:
    arrays = [getattr(rows, field) for field in _ARRAYS]
    return [rows.names, rows.attributes, *(None if array is None else array_digest(array) for array in arrays)]


def open_cached(store: Store, fingerprint: str) -> FaceData:
    """The dataset kept under `fingerprint`, images memory-mapped; raises StoreError where it is absent."""
    folder = store.path(KIND, fingerprint)
    # What is here is not read through only to be mapped: the plan has checked it. But of a store elsewhere every
    # machine has a copy of its own, which only that machine can check.
    if (store.is_elsewhere or not folder.is_dir()) and not store.has(KIND, fingerprint):
        raise StoreError(f"the store has no dataset {fingerprint[:12]}; run the grid again")
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    splits = {split: _open_rows(folder, split, meta[split]) for split in _SPLITS}
    return FaceData(classes=tuple(meta["classes"]), drawn=meta["drawn"], remarks=tuple(meta["remarks"]), **splits)


def _save(data: FaceData, folder: Path) -> None:
    meta: dict[str, Any] = {"classes": data.classes, "drawn": data.drawn, "remarks": data.remarks}
    for split in _SPLITS:
        rows: Rows = getattr(data, split)
        for field in _ARRAYS:
            array: npt.NDArray[Any] | None = getattr(rows, field)
            if array is not None:
                np.save(folder / f"{split}.{field}.npy", array, allow_pickle=False)
        meta[split] = {"names": rows.names, "attributes": rows.attributes}
    (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")


def _open_rows(folder: Path, split: str, meta: dict[str, Any]) -> Rows:
    arrays: dict[str, Any] = {}
    for field in _ARRAYS:
        path = folder / f"{split}.{field}.npy"
        # A memory map can't hold zero bytes, which an empty population has.
        arrays[field] = np.load(path, mmap_mode=_mapping(path), allow_pickle=False) if path.is_file() else None
    attributes = {key: tuple(values) for key, values in meta["attributes"].items()}
    return Rows(names=tuple(meta["names"]), attributes=attributes, **arrays)


def _mapping(path: Path) -> Any:
    return "r" if path.name.endswith(".images.npy") and path.stat().st_size > 1 << 20 else None
