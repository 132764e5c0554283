"""Where a store is: a folder, or an fsspec address with a copy on this machine."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

#: How addresses of folders of this machine may begin.
_LOCAL = ("file://", "local://")


def store_address(text: str) -> Path | str:
    """What a user gave as a store: a folder, or an address such as `s3://bucket/folder`."""
    for scheme in _LOCAL:
        if text.startswith(scheme):
            return Path(text.removeprefix(scheme))
    return text if "://" in text else Path(text)


def local_copy(address: str) -> Path:
    """The folder with the copy of what was used of a remote store."""
    digest = hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:16]
    return _cache() / "stores" / digest


def _cache() -> Path:
    """`$FER_AUDIT_CACHE`, or else a folder of the user's cache (XDG Base Directory Specification)."""
    if own := os.environ.get("FER_AUDIT_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path("~/.cache").expanduser()) / "fer-audit"
