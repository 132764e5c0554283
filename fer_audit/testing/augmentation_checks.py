"""What every augmentation must do."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation, Images, SoftLabels
from fer_audit.plugins import Plugin
from fer_audit.testing.check import CheckFailed, NotApplicable, Rule, Subject, raised, require
from fer_audit.testing.global_chance import global_seed

Batch = tuple[Images, SoftLabels]
Array = npt.NDArray[Any]

#: Rows of the batches that are tried: the last one of an epoch may be of any length.
_LENGTHS = (1, 2, 7, 32)
_SIDE = 24  #: px
#: States of the generator that are tried.
_SEEDS = 3
#: Soft labels are float32, and blends of them sums of a few.
_TOLERANCE = 1e-5

#: Batches of flat greys, and the least correlation between the greys and those of their labels.
_FOLLOWED = 20
_LEAST_RELATED = 0.4

#: Batches between two that must be equal: what is kept may show late.
_BETWEEN = 60

#: Rows and pixels of the batch whose throughput is measured, and how often.
_TIMED_ROWS, _TIMED_SIDE, _TIMES = 64, 48, 3


def result_digest(plugin: Augmentation) -> str:
    """SHA-256 (hex) of the images and labels that a fixed batch and a fixed generator give."""
    digest = hashlib.sha256()
    for array in plugin(*_batch(9), np.random.default_rng(0)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def batches_of_any_length_are_taken(subject: Subject) -> str:
    """Images come back as uint8 (B, H, W, 3) and labels as float32 (B, C), for any number of rows and classes.

    Ask `len(images)`, never a batch size: the last batch of an epoch may hold a single row. Give `astype` what you
    return where you computed in floats.
    """
    augmentation = subject.make()
    for rows in _LENGTHS:
        for classes in (2, 7):
            augmentation(*_batch(rows, classes=classes), np.random.default_rng(rows))
    images, labels = _batch(2)
    images[0], images[1] = 0, 255
    augmentation(images, labels, np.random.default_rng(0))
    return f"{', '.join(map(str, _LENGTHS))} rows"


def labels_stay_probabilities(subject: Subject) -> None:
    """Labels sum to one in every row and none is negative, whether they were one-hot or soft.

    Weights of a blend sum to one; an augmentation before yours may have blended the labels already.
    """
    augmentation = subject.make()
    for what, batch in (("one-hot", _batch(32)), ("soft", _soft(32))):
        for seed in range(_SEEDS):
            _, found = augmentation(*batch, np.random.default_rng(seed))
            off = float(np.abs(found.sum(axis=1, dtype=np.float64) - 1).max())
            require(off <= _TOLERANCE, f"expected {what} labels to sum to one in every row, one is off by {off:.2g}")
            least = float(found.min())
            require(least >= 0, f"expected no negative probability from {what} labels, received {least:.3g}")


def labels_follow_their_images(subject: Subject) -> str:
    """Rows that change places, or are blended, take their labels along.

    Use one order and one weight for images and labels alike.
    """
    augmentation, greys = subject.make(), np.linspace(30, 220, 7)
    expected, found = [], []
    for seed in range(_FOLLOWED):
        labels = np.eye(7, dtype=np.float32)[np.random.default_rng(seed).permutation(np.arange(28) % 7)]
        images = np.broadcast_to((labels @ greys)[:, None, None, None], (28, _SIDE, _SIDE, 3)).astype(np.uint8)
        changed, soft = augmentation(images, labels, np.random.default_rng(100 + seed))
        expected.append(soft @ greys)
        found.append(np.median(changed.reshape(28, -1), axis=1))
    grey, said = np.concatenate(found), np.concatenate(expected)
    if np.ptp(grey) == 0:
        raise NotApplicable("it leaves no difference between flat images of different greys")
    # A few operations turn greys round (inversion, solarisation); most leave their order.
    related = float(np.corrcoef(grey, said)[0, 1])
    require(
        related > _LEAST_RELATED,
        f"expected images whose grey goes with that of their labels, received a correlation of {related:.2f} (1 where "
        "images keep their labels)",
    )
    return f"correlation {related:.2f}"


def inputs_are_not_mutated(subject: Subject) -> None:
    """Images and labels that are given are the same afterwards, and may be read-only.

    Copy what you write to, as in `images = images.copy()`.
    """
    augmentation, (images, labels) = subject.make(), _batch(8)
    for seed in range(_SEEDS):
        found = augmentation(images, labels, np.random.default_rng(seed))
        for what, given, before in _paired((images, labels), _batch(8)):
            require(_same(given, before), f"expected the {what} unchanged, they were written to")
    for given in (images, labels):
        given.flags.writeable = False
    try:
        again = augmentation(images, labels, np.random.default_rng(_SEEDS - 1))
    except ValueError as error:
        told = raised(error, subject.file)
        raise CheckFailed(f"expected read-only images and labels to be taken, received {told}") from error
    _require_same(found, again, "from read-only images and labels")


def memory_layout_is_irrelevant(subject: Subject) -> None:
    """Images and labels give the same result however they lie in memory.

    Call `np.ascontiguousarray` before code that reads the memory itself, as some of OpenCV does.
    """
    augmentation, (images, labels) = subject.make(), _batch(8)
    found = augmentation(images, labels, np.random.default_rng(0))
    strided = images.repeat(2, axis=0)[::2], labels.repeat(2, axis=0)[::2]
    turned = np.asfortranarray(images), np.asfortranarray(labels)
    for what, batch in (("every second row of larger ones", strided), ("arrays in Fortran's order", turned)):
        _require_same(found, augmentation(*batch, np.random.default_rng(0)), f"where images and labels are {what}")


def chance_comes_from_the_generator_alone(subject: Subject) -> None:
    """The same state of `rng` gives the same batch, whatever was asked before and whatever else is seeded.

    Draw from `rng` only: no generator that is kept, none that is made without a seed, no global one. A library with a
    generator of its own is seeded from `rng` in every call.
    """
    augmentation = subject.make()
    with global_seed(1):
        found = augmentation(*_batch(9), np.random.default_rng(5))
        for seed in range(_BETWEEN):
            augmentation(*_batch(7), np.random.default_rng(6 + seed))
        again = augmentation(*_batch(9), np.random.default_rng(5))
        _require_same(found, again, "when it had been asked for another batch before")
    with global_seed(2):
        again = augmentation(*_batch(9), np.random.default_rng(5))
        _require_same(found, again, "with NumPy's and Python's global generators reseeded")
        _require_same(found, subject.make()(*_batch(9), np.random.default_rng(5)), "from a fresh plug-in")


def another_generator_state_gives_another_batch(subject: Subject) -> None:
    """Other states of `rng` change a batch in other ways.

    Draw from `rng`, not from a generator with a seed of its own: every epoch would see the same images.
    """
    zero = _zero(subject)
    params = subject.make().params
    if zero and all(getattr(params, name) == 0 for name in zero):
        raise NotApplicable(f"the plug-in is told to do nothing ({', '.join(zero)} is 0)")
    batches = [subject.make()(*_batch(32), np.random.default_rng(seed)) for seed in range(_SEEDS)]
    differ = any(_bytes(batches[0]) != _bytes(other) for other in batches[1:])
    require(differ, f"expected other batches from other states of the generator, {_SEEDS} states gave the same")


def strength_zero_changes_nothing(subject: Subject) -> str:
    """With every parameter at 0 that may be 0, images and labels stay exactly as they are.

    Return copies early, before anything is rounded or drawn. A parameter that is no strength needs another lower bound
    than `ge=0`.
    """
    zero = _zero(subject)
    if not zero:
        raise NotApplicable("no parameter can be 0 (none is declared with `ge=0`)")
    still, told = subject.make(**zero), ", ".join(f"{name}=0" for name in zero)
    for seed in range(_SEEDS):
        found = still(*_soft(32), np.random.default_rng(seed))
        for what, before, after in _paired(_soft(32), found):
            changed = sum(not _same(*rows) for rows in zip(before, after, strict=True))
            require(changed == 0, f"expected the {what} unchanged at {told}, {changed} of {len(before)} rows differ")
    return told


def throughput_is_measured(subject: Subject) -> str:
    """How many images the plug-in changes in a second, which is told and not judged.

    Batches are prepared beside the training step; an augmentation that is slower than the step makes it wait.
    """
    augmentation, batch = subject.make(), _batch(_TIMED_ROWS, side=_TIMED_SIDE)
    augmentation(*batch, np.random.default_rng(0))  # what it loads once does not count
    began = time.perf_counter()
    for seed in range(_TIMES):
        augmentation(*batch, np.random.default_rng(seed))
    seconds = max(time.perf_counter() - began, 1e-9)
    return f"{_TIMES * _TIMED_ROWS / seconds:,.0f} images/s at {_TIMED_SIDE} px"


CHECKS: tuple[Rule, ...] = (
    batches_of_any_length_are_taken,
    labels_stay_probabilities,
    labels_follow_their_images,
    inputs_are_not_mutated,
    memory_layout_is_irrelevant,
    chance_comes_from_the_generator_alone,
    another_generator_state_gives_another_batch,
    strength_zero_changes_nothing,
    throughput_is_measured,
)


def _batch(rows: int, *, classes: int = 7, side: int = _SIDE) -> Batch:
    """Random images uint8 (rows, side, side, 3) and one-hot labels float32 (rows, classes), always the same."""
    rng = np.random.default_rng([rows, classes, side])
    images = rng.integers(0, 256, (rows, side, side, 3), dtype=np.uint8)
    return images, np.eye(classes, dtype=np.float32)[rng.integers(0, classes, rows)]


def _soft(rows: int) -> Batch:
    """The same images with soft labels, as an augmentation before may have left them."""
    images, _ = _batch(rows)
    return images, np.random.default_rng(rows).dirichlet(np.ones(7), rows).astype(np.float32)


def _zero(subject: Subject) -> dict[str, int]:
    """The parameters whose lower bound is 0, each at 0."""
    return {name: 0 for name in subject.cls.Params.model_fields if 0 in _lower_bounds(subject.cls, name)}


def _lower_bounds(cls: type[Plugin], parameter: str) -> Iterator[Any]:
    """The least number that each branch of a parameter's type takes."""
    schema = cls.Params.model_json_schema()["properties"].get(parameter, {})
    for branch in schema.get("anyOf", [schema]):
        if branch.get("type") in ("number", "integer"):
            yield branch.get("minimum")


def _require_same(expected: Batch, found: Batch, when: str) -> None:
    for what, one, other in _paired(expected, found):
        require(_same(one, other), f"expected the same {what} {when}, received others")


def _paired(one: Batch, other: Batch) -> tuple[tuple[str, Array, Array], ...]:
    return ("images", one[0], other[0]), ("labels", one[1], other[1])


def _same(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other))


def _bytes(batch: Batch) -> tuple[bytes, ...]:
    return tuple(array.tobytes() for array in batch)
