"""How large a model file, what it unpacks to, and what it takes and answers may be.

A file is data of a stranger: without limits a few kilobytes could ask for all memory of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fer_audit.errors import ModelFileError

GIBIBYTE = 1 << 30

#: Of a file, and of all that it unpacks to: the largest published image classifiers in float32 are of 2 GiB.
MOST_BYTES = 4 * GIBIBYTE

#: Of the description of a network; 2,000 layers take 2 MiB.
MOST_CONFIG_BYTES = 64 << 20

#: Files in an archive, and objects in an HDF5 file: one layer of a large network has ten.
MOST_MEMBERS = 100_000

#: How often what is unpacked may hold what was stored. Weights hardly shrink; text does, and so small things may.
MOST_EXPANSION = 100
EXPANSION_COUNTS_FROM = 64 << 20

#: Pixels a side, as `Preprocessing.size` has it, and answers of a model: ImageNet-21k has 21,841 classes.
MOST_SIDE = 1024
MOST_OUTPUTS = 30_000

#: Channels that an image can be given as: grey, or three colours.
CHANNELS = (1, 3)


class Shaped(Protocol):
    """What is known of a model's images and answers."""

    @property
    def input_shape(self) -> Sequence[int | None] | None:
        """Of an image."""

    @property
    def outputs(self) -> int | None:
        """Numbers that it answers with."""


def check_bytes(received: int, what: str, most: int = MOST_BYTES) -> None:
    """Raises ModelFileError where `what` has more than `most` bytes."""
    if received > most:
        raise ModelFileError(
            f"{what} of {received:,} bytes is too large; expected at most {most:,}, as models of expressions have; "
            f"use a smaller model"
        )


def check_expansion(unpacked: int, stored: int, what: str) -> None:
    """Raises ModelFileError where `what` unpacks to far more bytes than weights could."""
    check_bytes(unpacked, f"{what}, unpacked,")
    if unpacked > EXPANSION_COUNTS_FROM and unpacked > MOST_EXPANSION * max(stored, 1):
        raise ModelFileError(
            f"{what} unpacks {stored:,} bytes to {unpacked:,}, as a zip bomb does; expected at most "
            f"{MOST_EXPANSION} times as many; save the model again without compression"
        )


def check_shapes(model: Shaped) -> None:
    """Raises ModelFileError for images or answers that are larger than a model of expressions has them."""
    for length in model.input_shape or ():
        if length is not None and not 1 <= length <= MOST_SIDE:
            raise ModelFileError(
                f"it takes images of shape {written(model.input_shape)}; expected sides of 1 to {MOST_SIDE:,} pixels; "
                f"use a model of a smaller input"
            )
    if model.outputs is not None and not 1 <= model.outputs <= MOST_OUTPUTS:
        raise ModelFileError(
            f"it answers with {model.outputs:,} numbers an image; expected one for each class, at most "
            f"{MOST_OUTPUTS:,}; use a model of expressions"
        )


def written(shape: Sequence[int | None] | None) -> str:
    """A shape as people read it: `48 x 48 x ?`."""
    return " x ".join("?" if length is None else str(length) for length in shape or ())
