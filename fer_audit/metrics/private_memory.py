"""Memory of a step of differentially private SGD beside the network itself: what `physical_batch` bounds."""

from __future__ import annotations

from typing import Literal

#: Bytes of a float32.
_BYTES = 4

#: Vectors of all weights that a step makes: the sum of clipped gradients, the same of a chunk, and with noise; the
#: gradient with penalties.
_VECTORS = 4


def private_step_bytes(
    clipping: Literal["ghost", "per-example"],
    physical_batch: int,
    *,
    params_trainable: int,
    activation_output_bytes: int,
) -> int:
    """Bytes of what a step keeps for the `physical_batch` rows of a chunk, and of its sums of gradients.

    A row keeps its activations (`Cost.activation_output_bytes`, for one image), and where gradients are made one by
    one, twice as much as all weights together: its gradient, and the same clipped. It is an estimate: what kernels need
    inside is not counted, nor that memory is freed and used again. The benchmark of private steps sets it against the
    measured peak.
    """
    gradient = _BYTES * params_trainable
    row = activation_output_bytes + (2 * gradient if clipping == "per-example" else 0)
    return physical_batch * row + _VECTORS * gradient
