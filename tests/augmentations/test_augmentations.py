"""What the conformance kit does not know of the augmentations."""

import numpy as np
import pytest

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.errors import PluginError
from fer_audit.registry import Registry


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)
    return images, np.eye(7, dtype=np.float32)[rng.integers(0, 7, 9)]


def test_randaug_of_no_operation_changes_nothing_whatever_their_magnitude(batch):
    images, labels = Registry.load().create("augmentation", "randaug", {"n": 0})(*batch, np.random.default_rng(3))
    np.testing.assert_array_equal(images, batch[0])
    np.testing.assert_array_equal(labels, batch[1])


def test_mixup_blends_images_and_labels_with_the_same_weight():
    images = np.zeros((64, 2, 2, 3), np.uint8)
    images[32:] = 200
    labels = np.repeat(np.eye(2, dtype=np.float32), 32, axis=0)
    mixed, soft = Registry.load().create("augmentation", "mixup", {"alpha": 1})(
        images, labels, np.random.default_rng(0)
    )
    np.testing.assert_allclose(mixed[:, 0, 0, 0], 200 * soft[:, 1], atol=0.51)
    assert ((soft > 0.01) & (soft < 0.99)).any()


@pytest.mark.parametrize("fault", ["shape", "dtype", "labels"])
def test_what_an_author_returns_is_checked(fault, batch):
    class Wrong(Augmentation):
        """Wrong on purpose."""

        name = "wrong"

        def apply(self, images, labels, rng):
            if fault == "shape":
                return images[1:], labels
            if fault == "dtype":
                return images / 255, labels
            return images, labels.astype(np.float64)

    with pytest.raises(PluginError, match="must return"):
        Wrong()(*batch, np.random.default_rng(0))
