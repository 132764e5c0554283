"""Training batches: sampled, augmented and prepared beside the step, the same for a seed whatever the machine does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.training.sampling import Sampling

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]

#: Batches that wait for the step; more would only hold memory.
_AHEAD = 4

#: Tag of the random stream; those of `sampling` have others.
_BATCH = 2


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
        sampling: Sampling,
        augmentations: Sequence[Augmentation],
        seed: int,
        smoothing: float = 0.0,
    ) -> None:
        """Batches of the `rows` (K,) of `images` (N, H, W, 3) with `labels` (K,), one-hot before augmentation.

        `images` may be mapped from a file: a batch reads its own rows only. A share `smoothing` of each label is spread
        evenly over all classes: y (1 - s) + s / C (Szegedy et al. 2016, section 7).
        """
        self._images = np.asarray(images)  # a plain view: indexing a np.memmap costs more
        self._rows = rows
        self._labels = np.eye(classes, dtype=np.float32)[labels] * (1 - smoothing) + smoothing / classes
        self._sampling = sampling
        self._augmentations = augmentations
        self._seed = seed

    def __len__(self) -> int:
        return self._sampling.steps

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch; one without rows is not augmented."""
        for number, index in enumerate(self._sampling.epoch(self._seed, epoch)):
            images, labels = self._images[self._rows[index]], self._labels[index]
            rng = np.random.default_rng([self._seed, epoch, _BATCH, number])
            for augmentation in self._augmentations if len(index) else ():
                images, labels = augmentation(images, labels, rng)
            yield images, labels

    def all_epochs(self, epochs: int) -> Generator[tuple[int, Batch], None, None]:
        """Pairs (epoch, batch) of all epochs, prepared ahead by a thread of their own."""
        return _ahead((epoch, batch) for epoch in range(epochs) for batch in self.epoch(epoch))


def _ahead(items: Iterator[tuple[int, Batch]]) -> Generator[tuple[int, Batch], None, None]:
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
