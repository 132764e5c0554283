"""Each check of augmentations catches the fault that it is meant for, and right augmentations pass all."""

import re

import numpy as np
import pytest
from pydantic import Field

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.augmentations.mixup import MixUp
from fer_audit.plugins import Parameters
from fer_audit.testing import Check, CheckFailed, NotApplicable, Subject, augmentation_checks
from fer_audit.testing.augmentation_checks import CHECKS, result_digest


class Brightness(Augmentation):
    """Every image is made lighter or darker. Source: this test."""

    name = "brightness"

    class Params(Parameters):
        """Parameters."""

        strength: float = Field(20.0, ge=0)
        floor: float | None = Field(None, ge=0)
        seed: int = Field(1, ge=1)

    params: Params

    def apply(self, images, labels, rng):
        shift = np.rint(rng.normal(0, 1, (len(images), 1, 1, 1)) * self.params.strength)
        return np.clip(images + shift, self.params.floor or 0, 255).astype(np.uint8), labels.copy()


class Alone(Brightness):
    def apply(self, images, labels, rng):
        assert images[1].any() or images[0].any()
        return super().apply(images, labels, rng)


class Floats(Brightness):
    def apply(self, images, labels, rng):
        return images / 255, labels


class Halved(Brightness):
    def apply(self, images, labels, rng):
        return super().apply(images, labels * np.float32(0.5), rng)


class Sharpened(Brightness):
    """A label of more than one, which another of less than zero makes up for."""

    def apply(self, images, labels, rng):
        return super().apply(images, np.float32(1.5) * labels - np.float32(0.5 / labels.shape[1]), rng)


class Counting(Brightness):
    """Labels are only right while they are one-hot."""

    def apply(self, images, labels, rng):
        return super().apply(images, np.rint(labels), rng)


class Writing(Brightness):
    def apply(self, images, labels, rng):
        images[:] = super().apply(images, labels, rng)[0]
        return images, labels


class Relabelling(Brightness):
    def apply(self, images, labels, rng):
        labels[rng.integers(len(labels))] = labels[0]
        return super().apply(images, labels, rng)


class PuttingBack(Brightness):
    def apply(self, images, labels, rng):
        images ^= 1
        images ^= 1
        return super().apply(images, labels, rng)


class ReadingMemory(Brightness):
    def apply(self, images, labels, rng):
        return super().apply(images.ravel(order="K").reshape(images.shape), labels, rng)


class Remembering(Brightness):
    def apply(self, images, labels, rng):
        self._rng = getattr(self, "_rng", None) or np.random.default_rng(0)
        return super().apply(images, labels, self._rng)


class Global(Brightness):
    def apply(self, images, labels, rng):
        return np.roll(super().apply(images, labels, rng)[0], np.random.randint(9), axis=1), labels  # noqa: NPY002


class Stubborn(Brightness):
    def apply(self, images, labels, rng):
        return super().apply(images, labels, np.random.default_rng(self.params.seed))


class Mirroring(Brightness):
    def apply(self, images, labels, rng):
        changed, labels = super().apply(images, labels, rng)
        return np.where(rng.random((len(images), 1, 1, 1)) < 0.5, changed[:, :, ::-1], changed), labels


class Normalising(Brightness):
    def apply(self, images, labels, rng):
        images, labels = super().apply(images, labels, rng)
        return images, labels / (labels.sum(axis=1, keepdims=True) + np.float32(1e-6))


class Small(Brightness):
    def apply(self, images, labels, rng):
        return super().apply(images, labels, rng)[0][: 33 if len(images) > 33 else None], labels


#: Augmentation -> the check that is meant to catch it, and what it says.
class Shuffling(Brightness):
    def apply(self, images, labels, rng):
        return images[rng.permutation(len(images))], labels.copy()


class Blending(Brightness):
    """Images are blended evenly with others, labels are not."""

    def apply(self, images, labels, rng):
        other = images[rng.permutation(len(images))]
        return (0.2 * images + 0.8 * other).astype(np.uint8), labels.copy()


class Tiring(Brightness):
    """It stops after fifty batches."""

    done = 0

    def apply(self, images, labels, rng):
        self.done += 1
        return super().apply(images, labels, rng) if self.done < 50 else (images.copy(), labels.copy())


CAUGHT = {
    Shuffling: ("labels_follow_their_images", "received a correlation of"),
    Blending: ("labels_follow_their_images", "received a correlation of"),
    Tiring: ("chance_comes_from_the_generator_alone", "when it had been asked for another batch before"),
    Alone: ("batches_of_any_length_are_taken", "IndexError: index 1 is out of bounds"),
    Floats: ("batches_of_any_length_are_taken", "must return uint8 images of shape"),
    Halved: ("labels_stay_probabilities", "one-hot labels to sum to one in every row, one is off by 0.5"),
    Sharpened: ("labels_stay_probabilities", "no negative probability from one-hot labels, received -0.0714"),
    Counting: ("labels_stay_probabilities", "soft labels to sum to one"),
    Writing: ("inputs_are_not_mutated", "expected the images unchanged, they were written to"),
    Relabelling: ("inputs_are_not_mutated", "expected the labels unchanged, they were written to"),
    PuttingBack: ("inputs_are_not_mutated", "read-only images and labels to be taken, received ValueError: output"),
    ReadingMemory: ("memory_layout_is_irrelevant", "the same images where images and labels are arrays in Fortran's"),
    Remembering: ("chance_comes_from_the_generator_alone", "when it had been asked for another batch before"),
    Global: ("chance_comes_from_the_generator_alone", "when it had been asked for another batch before"),
    Stubborn: ("another_generator_state_gives_another_batch", "3 states gave the same"),
    Mirroring: ("strength_zero_changes_nothing", "the images unchanged at strength=0, floor=0, "),
    Normalising: ("strength_zero_changes_nothing", "the labels unchanged at strength=0, floor=0, "),
    Small: ("throughput_is_measured", "must return uint8 images of shape (64, 48, 48, 3)"),
}


def checked(name, cls, **params):
    return Check(getattr(augmentation_checks, name), Subject(cls, params))()


@pytest.mark.parametrize("cls", CAUGHT, ids=lambda cls: cls.__name__)
def test_a_fault_is_caught(cls):
    name, said = CAUGHT[cls]
    with pytest.raises(CheckFailed, match=re.escape(said)):
        checked(name, cls)


def test_every_check_catches_something():
    assert {name for name, _ in CAUGHT.values()} == {rule.__name__ for rule in CHECKS}


@pytest.mark.parametrize("rule", CHECKS, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("cls", [Brightness, MixUp])
def test_a_right_augmentation_passes(cls, rule):
    Check(rule, Subject(cls))()


def test_what_is_measured_is_told():
    assert re.fullmatch(r"[\d,]+ images/s at 48 px", checked("throughput_is_measured", Brightness))
    assert checked("strength_zero_changes_nothing", Brightness) == "strength=0, floor=0"


class Fixed(Augmentation):
    """Mirrors an image or not. Source: this test."""

    name = "fixed"

    def apply(self, images, labels, rng):
        return np.where(rng.random((len(images), 1, 1, 1)) < 0.5, images[:, :, ::-1], images), labels


def test_without_a_strength_there_is_no_identity_to_check():
    with pytest.raises(NotApplicable, match="no parameter can be 0"):
        checked("strength_zero_changes_nothing", Fixed)


def test_what_is_told_to_do_nothing_need_not_differ():
    with pytest.raises(NotApplicable, match=r"told to do nothing \(alpha is 0\)"):
        checked("another_generator_state_gives_another_batch", MixUp, alpha=0)


def test_a_digest_tells_parameters_apart():
    assert result_digest(Brightness()) == result_digest(Brightness())
    assert result_digest(Brightness()) != result_digest(Brightness(strength=21))
