"""What the layers of a network return while it computes, seen and changed from outside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any


@contextlib.contextmanager
def observed(layers: Iterable[Any], seen: Callable[[Any, Any], Any]) -> Iterator[None]:
    """Within it, `layers` return `seen(layer, output)` where they returned `output`; afterwards they are as before."""
    with contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_observed(layer, seen))
        yield


@contextlib.contextmanager
def _observed(layer: Any, seen: Callable[[Any, Any], Any]) -> Iterator[None]:
    attributes = vars(layer)
    call, own = layer.call, "call" in attributes

    def observing(*args: Any, **kwargs: Any) -> Any:
        return seen(layer, call(*args, **kwargs))

    # Not by setattr: Keras tracks what is set, and refuses it on some layers that are built.
    attributes["call"] = observing
    try:
        yield
    finally:
        if own:
            attributes["call"] = call
        else:
            del attributes["call"]
