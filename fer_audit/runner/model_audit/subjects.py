"""What is audited: model files, and the rows of which it is known whether a model was trained on them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.audit_section import AuditedModel, Preprocessing
from fer_audit.data.cached import load_through
from fer_audit.data.dataset import Dataset, FaceData
from fer_audit.data.member_lists import split_membership
from fer_audit.grid import GridFile
from fer_audit.model_files.open_file import open_file
from fer_audit.model_files.opened import Opened, OutsideModel
from fer_audit.model_files.outside_model import outside_model, size_of
from fer_audit.registry import Registry
from fer_audit.store import Store
from fer_audit.training.queries import QUERIES

#: Pixels of the images that a query is made of at once: a transformed copy of all rows need not fit into memory.
_PIXELS = 32_000_000

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AuditRows:
    """The rows of an audit at one image size."""

    address: str  #: of the dataset in the store
    data: FaceData  #: its pool holds members and non-members
    member: npt.NDArray[np.bool_]  #: (N,)

    @property
    def sides(self) -> FaceData:
        """Members in the place of the pool, and non-members in the place of the test split."""
        pool = self.data.pool
        members, others = np.flatnonzero(self.member), np.flatnonzero(~self.member)
        return replace(self.data, pool=pool.take(members), test=pool.take(others))


@dataclass(frozen=True)
class Audited:
    """A model file that is open, and the rows at the size that it takes."""

    section: AuditedModel
    opened: Opened
    rows: AuditRows
    model: OutsideModel

    @property
    def label(self) -> str:
        """What the report calls it."""
        return self.section.label

    def with_preprocessing(self, **changed: Any) -> OutsideModel:
        """The same file, asked in another way."""
        other = self.section.preprocessing.model_copy(update=changed)
        return outside_model(self.opened, other, self.rows.data.classes, image_size=self.model.image_size)


def open_audited(file: GridFile, dataset: Dataset, registry: Registry, store: Store) -> list[Audited]:
    """Every model of the grid's audit with its rows; raises ModelFileError, DataError."""
    sections = file.grid.audit.models if file.grid.audit else ()
    opened = [(section, opened_at(file.base, section.file, section.trust, registry)) for section in sections]
    rows: dict[int, AuditRows] = {}
    audited = []
    for section, one in opened:
        size = size_of(one, section.preprocessing) or file.grid.training.image_size
        if size not in rows:
            rows[size] = _rows(file, dataset, store, size)
        model = outside_model(one, section.preprocessing, rows[size].data.classes, image_size=size)
        audited.append(Audited(section, one, rows[size], model))
    return audited


def opened_at(base: Path, address: str, trust: bool, registry: Registry) -> Opened:
    """The file at `address`, which is relative to `base`, and may name a function behind a colon."""
    # As one would write it here; a grid names it from its own folder.
    told = os.path.relpath((base / address).resolve())
    return open_file(base / address, address=told, trust=trust, registry=registry)


def opened_like(like: Audited, file: Opened, preprocessing: Preprocessing) -> OutsideModel:
    """Another file that is asked about the rows of `like`."""
    return outside_model(file, preprocessing, like.rows.data.classes, image_size=like.model.image_size)


def _rows(file: GridFile, dataset: Dataset, store: Store, size: int) -> AuditRows:
    address, data = load_through(store, dataset, size, file.base)
    return AuditRows(address, *split_membership(data))


def answers(model: OutsideModel, images: npt.NDArray[np.uint8], queries: tuple[str, ...]) -> Logits:
    """Logits float32 (N, Q, C) of `images` uint8 (N, H, W, 3) under each query; raises ModelFileError."""
    if not len(images):
        probe = model.logits(np.zeros((1, model.image_size, model.image_size, 3), np.uint8))
        return np.empty((0, len(queries), probe.shape[1]), np.float32)
    rows = max(1, _PIXELS // int(np.prod(images.shape[1:])))
    parts = [images[start : start + rows] for start in range(0, len(images), rows)]
    asked = [[model.logits(QUERIES[query](np.asarray(part))) for part in parts] for query in queries]
    return np.stack([np.concatenate(one) for one in asked], axis=1)
