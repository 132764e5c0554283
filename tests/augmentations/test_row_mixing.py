"""Which augmentations let rows of a batch change each other, found by trying."""

import numpy as np
import pytest

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.augmentations.mixup import MixUp
from fer_audit.augmentations.randaug import RandAug
from fer_audit.augmentations.row_mixing import mixes_rows
from fer_audit.errors import PluginError


class Noise(Augmentation):
    """Noise of its own for each row, and one coin for all; source: this test."""

    name = "noise"

    def apply(self, images, labels, rng):
        noise = rng.integers(0, 20, images.shape, dtype=np.uint8)
        changed = images + noise
        return (changed[:, :, ::-1] if rng.random() < 0.5 else changed), labels.copy()


class NowAndThen(Augmentation):
    """Swaps the labels of two rows in one batch of five; source: this test."""

    name = "now-and-then"

    def apply(self, images, labels, rng):
        return images.copy(), np.roll(labels, 1, axis=0) if rng.random() < 0.2 else labels.copy()


class Brightness(Augmentation):
    """Takes the mean brightness of the batch from all rows; source: this test."""

    name = "brightness"

    def apply(self, images, labels, rng):
        return (images - images.mean()).astype(np.int64).astype(np.uint8), labels.copy()


class Unseeded(Augmentation):
    """Draws from a generator of its own; source: this test."""

    name = "unseeded"

    def apply(self, images, labels, rng):
        return np.random.default_rng().integers(0, 256, images.shape, dtype=np.uint8), labels.copy()


class Failing(Augmentation):
    """Returns what is no batch; source: this test."""

    name = "failing"

    def apply(self, images, labels, rng):
        return images[1:], labels


@pytest.mark.parametrize(
    ("augmentation", "expected"),
    [
        (MixUp(), True),
        (MixUp(alpha=0.01), True),
        (MixUp(alpha=0.0), False),
        (RandAug(), False),
        (RandAug(n=0), False),
        (Noise(), False),
        (NowAndThen(), True),
        (Brightness(), True),
    ],
    ids=repr,
)
def test_mixing_is_found_and_nothing_else(augmentation, expected):
    assert mixes_rows(augmentation, image_size=16, classes=3, batch_size=12) is expected


def test_an_augmentation_that_can_not_be_repeated_is_refused():
    with pytest.raises(PluginError, match="'unseeded' must give the same result for the same state"):
        mixes_rows(Unseeded(), image_size=8, classes=3, batch_size=12)


def test_an_augmentation_that_fails_says_so_itself():
    with pytest.raises(PluginError, match="'failing' must return uint8 images of shape"):
        mixes_rows(Failing(), image_size=8, classes=3, batch_size=12)
