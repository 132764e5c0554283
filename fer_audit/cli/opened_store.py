"""The store of a command, which leaves none behind where it came to nothing."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.store import Store


@contextlib.contextmanager
def opened_store(options: argparse.Namespace, console: Console) -> Iterator[Store]:
    """The store that the options name, in use; made where there is none, and gone again after bad input."""
    from fer_audit.remote_store import open_at
    from fer_audit.store_address import local_copy

    place = local_copy(options.store) if isinstance(options.store, str) else options.store
    is_new = not place.exists()
    store = open_at(options.store)
    try:
        with store.in_use(lambda: console.print("waiting for a prune of the store to end")):
            yield store
    except FerAuditError:
        if is_new:
            store.remove_if_empty()
        raise
