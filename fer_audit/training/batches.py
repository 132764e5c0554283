"""Training batches: shuffled, augmented and prepared beside the step, the same for a seed whatever the machine does."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]

#: Batches that wait for the step; more would only hold memory.
_AHEAD = 4

#: Tags of the random streams; a seed sequence ends in implied zeros, so no tag may be zero.
_ORDER, _BATCH = 1, 2


class Batches:
    """The batches of a training, epoch after epoch.

    Each batch draws from a generator of its own, seeded by (seed, epoch, batch), so that neither threads nor the
    length of a queue can change what it holds.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        *,
        classes: int,
        batch_size: int,
        augmentations: Sequence[Augmentation],
        seed: int,
    ) -> None:
        """Batches of the `rows` (K,) of `images` (N, H, W, 3) with `labels` (K,), one-hot before augmentation.

        `images` may be mapped from a file: a batch reads its own rows only.
        """
        self._images = np.asarray(images)  # a plain view: indexing a np.memmap costs more
        self._rows = rows
        self._labels = np.eye(classes, dtype=np.float32)[labels]
        self._batch_size = batch_size
        self._augmentations = augmentations
        self._seed = seed

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch; every row appears exactly once before augmentation."""
        order = np.random.default_rng([self._seed, epoch, _ORDER]).permutation(len(self._labels))
        for number in range(len(self)):
            index = order[number * self._batch_size : (number + 1) * self._batch_size]
            images, labels = self._images[self._rows[index]], self._labels[index]
            rng = np.random.default_rng([self._seed, epoch, _BATCH, number])
            for augmentation in self._augmentations:
                images, labels = augmentation(images, labels, rng)
            yield images, labels

    def all_epochs(self, epochs: int) -> Iterator[tuple[int, Batch]]:
        """Pairs (epoch, batch) of all epochs, prepared ahead by a thread of their own."""
        return _ahead((epoch, batch) for epoch in range(epochs) for batch in self.epoch(epoch))


def _ahead(items: Iterator[tuple[int, Batch]]) -> Iterator[tuple[int, Batch]]:
    """The same items, made in a thread; an error there is raised here, and leaving early ends the thread."""
    ready: queue.Queue[tuple[int, Batch] | BaseException | None] = queue.Queue(_AHEAD)
    abandoned = threading.Event()

    def put(item: tuple[int, Batch] | BaseException | None) -> bool:
        while not abandoned.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - whatever stops the thread must stop the training too
            put(error)

    thread = threading.Thread(target=produce, name="batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()
        thread.join()
