"""Opens a store by its address: a folder, or a remote one with a copy on this machine."""

from __future__ import annotations

from pathlib import Path

from fer_audit.remote_objects import RemoteObjects
from fer_audit.store import Store
from fer_audit.store_address import local_copy, store_address


def open_at(address: str | Path) -> Store:
    """The store in a folder or at an fsspec address, such as `s3://bucket/folder`; raises StoreError."""
    place = store_address(address) if isinstance(address, str) else address
    return Store(place) if isinstance(place, Path) else Store(local_copy(place), RemoteObjects(place))
