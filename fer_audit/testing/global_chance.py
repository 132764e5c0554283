"""Chance that does not come from where it should: the generators that all code of a process shares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fer_audit.testing.check import require


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Within it the global generators of NumPy and Python start at `seed`; raises CheckFailed where they were used."""
    before = np.random.get_state(), random.getstate()  # noqa: NPY002 - the old generator is what is looked at
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    started = _global_states()
    try:
        yield
        for name, state in _global_states().items():
            told = f"expected no use of {name}'s global generator, it was drawn from or seeded"
            require(state == started[name], told)
    finally:
        np.random.set_state(before[0])  # noqa: NPY002
        random.setstate(before[1])


def _global_states() -> dict[str, str]:
    name, key, *rest = np.random.get_state()  # noqa: NPY002
    return {"NumPy": repr((name, np.asarray(key).tobytes(), rest)), "Python": repr(random.getstate())}
