"""All measures at once, on a planted model in NumPy."""

import subprocess
import sys

import numpy as np
import pytest

from fer_audit.explain.measured import measured
from fer_audit.explain.row_measures import class_probabilities, measure_maps

SIDE, SPOT = 16, (slice(2, 6), slice(3, 8))


class Planted:
    """A network that judges by the brightness of one spot, and heat on it or elsewhere."""

    map_shape = (8, 8)

    def __init__(self, where):
        self.where = where
        self.asked = []

    @staticmethod
    def logits(images):
        bright = images[:, *SPOT].mean(axis=(1, 2, 3)) / 16 - 8
        return np.stack([-bright, bright], axis=1).astype(np.float32)

    def __call__(self, images, classes):
        self.asked.append(classes)
        maps = np.zeros(images.shape[:3], np.float32)
        maps[:, *self.where] = 1
        return maps


@pytest.fixture
def rows():
    images = np.random.default_rng(0).integers(0, 200, (20, SIDE, SIDE, 3), np.uint8)
    images[:10, *SPOT] = 255
    masks = np.zeros((20, SIDE, SIDE), bool)
    masks[:, *SPOT] = True
    return images, masks


def test_heat_on_the_evidence_beats_random_maps(rows):
    images, masks = rows
    found = measure_maps(Planted.logits, Planted(SPOT), images[:10], masks[:10], steps=16, seed=0)
    assert (found.predicted == 1).all()
    assert (found.values["deletion"] < found.values["deletion_random"]).all()
    assert (found.values["insertion"] > found.values["insertion_random"]).all()
    np.testing.assert_array_equal(found.values["inside"], 1)
    by_name = {one.name: one for one in measured(found.values)}
    assert by_name["deletion"].difference.high < 0 < by_name["insertion"].difference.low
    assert by_name["inside"].baseline.value == pytest.approx(masks[0].mean(), abs=0.03)
    # The heat stays in place while the image is mirrored.
    assert (found.values["flip_agreement"] < 0.2).all()


def test_heat_nowhere_is_exactly_the_random_map(rows):
    found = measure_maps(Planted.logits, Planted((slice(0), slice(0))), *rows, steps=8, seed=0)
    np.testing.assert_array_equal(found.values["deletion"], found.values["deletion_random"])
    np.testing.assert_array_equal(found.values["insertion"], found.values["insertion_random"])
    assert np.isnan(found.values["inside"]).all()
    assert np.isnan(found.values["flip_agreement"]).all()
    # Random maps of an image and of its mirror image have nothing to do with each other.
    assert abs(found.values["flip_agreement_random"].mean()) < 0.25


def test_maps_explain_the_predicted_class_of_the_image_as_it_is(rows):
    images, _ = rows
    model = Planted(SPOT)
    found = measure_maps(Planted.logits, model, images, None, steps=2, seed=0)
    np.testing.assert_array_equal(found.predicted, [1] * 10 + [0] * 10)
    for classes in model.asked:
        np.testing.assert_array_equal(classes, found.predicted)
    assert sorted(found.values) == sorted(
        name + of for name in ("deletion", "flip_agreement", "insertion") for of in ("", "_random")
    )
    assert {value.shape for value in found.values.values()} == {(20,)}
    assert {value.dtype for value in found.values.values()} == {np.dtype(np.float64)}


def test_random_maps_follow_the_seed(rows):
    one, again, other = (
        measure_maps(Planted.logits, Planted(SPOT), *rows, steps=4, seed=seed).values["deletion_random"]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_probabilities_are_those_of_softmax():
    logits = np.array([[0, np.log(3)], [1000, 0]], np.float32)
    np.testing.assert_allclose(class_probabilities(logits, np.array([1, 0])), [0.75, 1])


def test_only_grad_cam_imports_tensorflow():
    code = (
        "import sys, pkgutil, importlib, fer_audit.explain as package\n"
        "names = [one.name for one in pkgutil.iter_modules(package.__path__) if one.name != 'grad_cam']\n"
        "[importlib.import_module(f'fer_audit.explain.{name}') for name in names]\n"
        "sys.exit(len(names) < 5 or any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
