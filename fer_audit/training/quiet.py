"""Silence for native code that writes what no user asked for."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Drops what is written to standard output and standard error, by C++ too; exceptions pass."""
    sys.stdout.flush()
    sys.stderr.flush()
    logger = logging.getLogger("tensorflow")
    level, kept = logger.level, [os.dup(number) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    logger.setLevel(logging.ERROR)
    try:
        for number in (1, 2):
            os.dup2(nowhere, number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
        logger.setLevel(level)
