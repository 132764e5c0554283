"""Every augmentation, from one table over the registry."""

import numpy as np
import pytest

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.errors import PluginError
from fer_audit.registry import Registry

NAMES = Registry.load().names("augmentation")
#: Parameters at which each augmentation changes nothing.
IDENTITY = {"randaug": {"n": 0}, "mixup": {"alpha": 0}}


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)
    return images, np.eye(7, dtype=np.float32)[rng.integers(0, 7, 9)]


@pytest.mark.parametrize("name", NAMES)
class TestEvery:
    def test_keeps_shapes_and_the_sum_of_labels(self, name, batch):
        images, labels = Registry.load().create("augmentation", name)(*batch, np.random.default_rng(1))
        assert images.shape == batch[0].shape
        assert images.dtype == np.uint8
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)

    def test_is_the_same_for_a_seed_whatever_came_before(self, name, batch):
        first, second = (Registry.load().create("augmentation", name) for _ in range(2))
        expected = first(*batch, np.random.default_rng(5))
        second(*batch, np.random.default_rng(6))
        again = second(*batch, np.random.default_rng(5))
        np.testing.assert_array_equal(expected[0], again[0])
        np.testing.assert_array_equal(expected[1], again[1])
        other = second(*batch, np.random.default_rng(6))
        assert (other[0] != expected[0]).any()

    def test_leaves_its_arguments_alone(self, name, batch):
        images, labels = batch[0].copy(), batch[1].copy()
        Registry.load().create("augmentation", name)(*batch, np.random.default_rng(2))
        np.testing.assert_array_equal(batch[0], images)
        np.testing.assert_array_equal(batch[1], labels)

    def test_changes_nothing_at_strength_zero(self, name, batch):
        still = Registry.load().create("augmentation", name, IDENTITY[name])
        images, labels = still(*batch, np.random.default_rng(3))
        np.testing.assert_array_equal(images, batch[0])
        np.testing.assert_array_equal(labels, batch[1])

    def test_takes_a_batch_of_one(self, name, batch):
        images, _ = Registry.load().create("augmentation", name)(batch[0][:1], batch[1][:1], np.random.default_rng(4))
        assert images.shape == (1, 24, 24, 3)


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
