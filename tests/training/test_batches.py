"""Batches: every row once an epoch, and the same whatever the threads do."""

import threading
import time
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.augmentations.mixup import MixUp
from fer_audit.training.batches import Batches
from fer_audit.training.sampling import PoissonSampled, Shuffled


def make(rows, batch_size, seed=0, augmentations=(), sampling=None, smoothing=0.0):
    images = np.arange(rows, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    return Batches(
        images,
        np.arange(rows),
        np.arange(rows) % 3,
        classes=3,
        sampling=sampling or Shuffled(rows, batch_size),
        augmentations=augmentations,
        seed=seed,
        smoothing=smoothing,
    )


@given(st.integers(1, 50), st.integers(2, 20))
def test_every_row_appears_once_an_epoch(rows, batch_size):
    batches = make(rows, batch_size)
    seen = [image[0, 0, 0] for images, _ in batches.epoch(0) for image in images]
    assert sorted(seen) == list(range(rows))
    assert len(list(batches.epoch(1))) == len(batches)


def test_labels_stay_with_their_images():
    for images, labels in make(30, 8).epoch(2):
        np.testing.assert_array_equal(images[:, 0, 0, 0] % 3, labels.argmax(axis=1))


def test_seeds_and_epochs_differ_and_repeat():
    def order(seed, epoch):
        return [int(image[0, 0, 0]) for images, _ in make(40, 8, seed).epoch(epoch) for image in images]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_the_thread_changes_nothing():
    batches = make(40, 8, augmentations=[MixUp(alpha=1.0)])
    direct = [batch for epoch in range(2) for batch in batches.epoch(epoch)]
    for (images, labels), (_, (ahead, ahead_labels)) in zip(direct, batches.all_epochs(2), strict=True):
        np.testing.assert_array_equal(images, ahead)
        np.testing.assert_array_equal(labels, ahead_labels)


def test_an_error_in_an_augmentation_reaches_the_training():
    class Failing(MixUp):
        def apply(self, images, labels, rng):
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        list(make(40, 8, augmentations=[Failing()]).all_epochs(1))


def test_leaving_early_ends_the_thread():
    stream = make(40, 2).all_epochs(50)
    next(stream)
    stream.close()
    time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_only_the_given_rows_are_seen():
    images = np.arange(9, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    batches = Batches(
        images, np.array([7, 2, 5]), np.array([1, 2, 0]), classes=3, sampling=Shuffled(3, 2), augmentations=(), seed=0
    )
    images, labels = (np.concatenate(parts) for parts in zip(*batches.epoch(0), strict=True))
    assert dict(zip(images[:, 0, 0, 0].tolist(), labels.argmax(axis=1).tolist(), strict=True)) == {7: 1, 2: 2, 5: 0}


def test_batches_without_rows_are_given_and_not_augmented():
    class Counting(MixUp):
        seen: ClassVar[list[int]] = []

        def apply(self, images, labels, rng):
            self.seen.append(len(images))
            return images.copy(), labels.copy()

    sampling = PoissonSampled(rows=2, batch_size=1, nominal_rows=30)
    batches = list(make(2, 1, augmentations=[Counting()], sampling=sampling).epoch(0))
    sizes = [len(images) for images, _ in batches]
    assert len(batches) == 30
    assert 0 in sizes
    assert Counting.seen == [size for size in sizes if size]
    for images, labels in batches:
        assert (images.shape[1:], images.dtype, labels.shape) == ((2, 2, 3), np.uint8, (len(images), 3))


def test_smoothing_spreads_a_share_of_each_label():
    sharp, smooth = make(9, 4), make(9, 4, smoothing=0.3)
    for (_, labels), (_, softened) in zip(sharp.epoch(0), smooth.epoch(0), strict=True):
        np.testing.assert_allclose(softened, np.where(labels == 1, 0.8, 0.1), rtol=1e-6)
        assert softened.dtype == np.float32
