"""Corrupted images: kinds of corruption in five severities each, after ImageNet-C, for crops of faces."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.imgaug_import import imgaug_augmenters
from fer_audit.errors import FerAuditError, did_you_mean
from fer_audit.robustness.kernels import disc_kernel, line_kernel
from fer_audit.robustness.masks import Band, Ramp, Snow

Images = npt.NDArray[np.uint8]

SEVERITIES = (1, 2, 3, 4, 5)


class UnknownCorruptionError(FerAuditError):
    """A kind or a severity of corruption that does not exist."""


@dataclass(frozen=True)
class Scene:
    """What an augmenter is built for."""

    augmenters: Any  #: the module `imgaug.augmenters`
    level: float  #: of the severity, in the unit of the kind
    side: int  #: the shorter side of the images, in pixels
    seed: int


@dataclass(frozen=True)
class Corruption:
    """One kind: its level at each severity, and the augmenter that corrupts so."""

    levels: tuple[float, float, float, float, float]
    build: Callable[[Scene], Any]


def corrupt(images: Images, kind: str, severity: int, seed: int) -> Images:
    """Corrupted copies uint8 (N, H, W, 3) of `images` uint8 (N, H, W, 3); raises UnknownCorruptionError.

    Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR
    2019, with imgaug's augmenters. Equal arguments give equal images, whatever ran before. What is random in them, such
    as noise or a direction, is drawn for each row by its place in the array, from the same seed at all severities.
    Lengths are shares of the shorter side, so that a severity looks alike in small and large images.

    `occluded-eyes` and `occluded-mouth` hide the place where eyes and mouth lie in an aligned crop of a face, 42 % and
    75 % down; in other pictures they hide whatever is there. `grey` changes nothing in images without colour.

    Args:
        images: uint8 (N, H, W, 3); left as they are.
        kind: one of KINDS.
        severity: 1 (weak) to 5 (strong).
        seed: of what is random.
    """
    if kind not in _CORRUPTIONS:
        raise UnknownCorruptionError(f"unknown corruption {kind!r}: {did_you_mean(kind, KINDS)}")
    if severity not in SEVERITIES:
        raise UnknownCorruptionError(f"severity of {kind!r} must be 1, 2, 3, 4 or 5, received {severity!r}")
    if not len(images):
        return images.copy()
    corruption = _CORRUPTIONS[kind]
    scene = Scene(imgaug_augmenters(), corruption.levels[severity - 1], min(images.shape[1:3]), seed)
    with warnings.catch_warnings():
        # What imgaug 0.4.0 (2020) calls in other libraries by old names is not for our users to act on.
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(corruption.build(scene).augment_images(images), np.uint8)


# Every augmenter is given a seed, children too: one without it would draw from imgaug's global generator.


def _gaussian_noise(scene: Scene) -> Any:
    return scene.augmenters.AdditiveGaussianNoise(scale=255 * scene.level, per_channel=True, seed=scene.seed)


def _shot_noise(scene: Scene) -> Any:
    """Counts of photons; the level is how many make up white.

    imgaug's AdditivePoissonNoise adds the same noise to dark and bright pixels, which is not how sensors count.
    """

    def counted(images: Images, rng: Any, parents: Any, hooks: Any) -> Images:
        for image in images:
            photons = rng.poisson(image * (scene.level / 255))
            image[...] = np.clip(photons * (255 / scene.level) + 0.5, 0, 255)
        return images

    return scene.augmenters.Lambda(func_images=counted, seed=scene.seed)


def _impulse_noise(scene: Scene) -> Any:
    return scene.augmenters.SaltAndPepper(p=scene.level, per_channel=True, seed=scene.seed)


def _gaussian_blur(scene: Scene) -> Any:
    return scene.augmenters.GaussianBlur(sigma=scene.level * scene.side, seed=scene.seed)


def _defocus_blur(scene: Scene) -> Any:
    return scene.augmenters.Convolve(matrix=disc_kernel(scene.level * scene.side), seed=scene.seed)


def _motion_blur(scene: Scene) -> Any:
    """A line in a direction drawn for each image; imgaug's own MotionBlur draws from its global generator."""

    def kernels(image: Images, channels: int, rng: Any) -> list[npt.NDArray[np.float32]]:
        return [line_kernel(scene.level * scene.side, rng.uniform(0, 180))] * channels

    return scene.augmenters.Convolve(matrix=kernels, seed=scene.seed)


def _jpeg(scene: Scene) -> Any:
    return scene.augmenters.JpegCompression(compression=int(scene.level), seed=scene.seed)


def _pixelation(scene: Scene) -> Any:
    """The level is how many blocks lie along a side."""
    augmenters, share = scene.augmenters, min(1.0, scene.level / scene.side)
    smaller = augmenters.Resize(share, interpolation="area", seed=scene.seed)
    return augmenters.KeepSizeByResize(smaller, interpolation="nearest", seed=scene.seed)


def _contrast(scene: Scene) -> Any:
    return scene.augmenters.LinearContrast(alpha=scene.level, seed=scene.seed)


def _brightness(scene: Scene) -> Any:
    return scene.augmenters.Add(int(255 * scene.level), seed=scene.seed)


def _darkness(scene: Scene) -> Any:
    return scene.augmenters.Multiply(scene.level, seed=scene.seed)


def _side_light(scene: Scene) -> Any:
    """The level is what is left of the light on the dark side."""
    augmenters = scene.augmenters
    return augmenters.BlendAlphaMask(Ramp(), augmenters.Multiply(scene.level, seed=scene.seed), seed=scene.seed)


def _grey(scene: Scene) -> Any:
    return scene.augmenters.Grayscale(alpha=scene.level, seed=scene.seed)


def _fog(scene: Scene) -> Any:
    """The Fog of imgaug with its ranges drawn together, so that the level alone says how dense it is."""
    return scene.augmenters.CloudLayer(
        intensity_mean=235,
        intensity_freq_exponent=-1.75,
        intensity_coarse_scale=2,
        alpha_min=0.55,
        alpha_multiplier=0.45,
        alpha_size_px_max=8,
        alpha_freq_exponent=-2.5,
        sparsity=0.9,
        density_multiplier=scene.level,
        seed=scene.seed,
    )


def _snow(scene: Scene) -> Any:
    augmenters = scene.augmenters
    flakes = Snow(density=scene.level, cells=28, streak=0.06)
    return augmenters.BlendAlphaMask(flakes, augmenters.Add(235, seed=scene.seed), seed=scene.seed)


def _occluded(x: float, y: float, aspect: float) -> Callable[[Scene], Any]:
    """A black band around a place; the level is its height."""

    def build(scene: Scene) -> Any:
        augmenters, band = scene.augmenters, Band(x, y, width=0.35 + aspect * scene.level, height=scene.level)
        return augmenters.BlendAlphaMask(band, augmenters.Multiply(0.0, seed=scene.seed), seed=scene.seed)

    return build


def _rotation(scene: Scene) -> Any:
    turns = [-scene.level, scene.level]
    return scene.augmenters.Affine(rotate=turns, mode="edge", seed=scene.seed)


def _scale(scene: Scene) -> Any:
    """Larger, so that the face is cut, or smaller by the same factor."""
    return scene.augmenters.Affine(scale=[1 / scene.level, scene.level], mode="edge", seed=scene.seed)


def _shift(scene: Scene) -> Any:
    moves = [-scene.level, scene.level]
    return scene.augmenters.Affine(translate_percent={"x": moves, "y": moves}, mode="edge", seed=scene.seed)


_CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian-noise": Corruption((0.04, 0.08, 0.12, 0.18, 0.26), _gaussian_noise),  # of 255
    "shot-noise": Corruption((120, 50, 25, 12, 5), _shot_noise),
    "impulse-noise": Corruption((0.02, 0.05, 0.09, 0.17, 0.27), _impulse_noise),  # of all values
    "gaussian-blur": Corruption((0.012, 0.018, 0.025, 0.034, 0.046), _gaussian_blur),  # deviation
    "defocus-blur": Corruption((0.020, 0.030, 0.042, 0.058, 0.080), _defocus_blur),  # radius
    "motion-blur": Corruption((0.06, 0.10, 0.14, 0.20, 0.28), _motion_blur),  # length
    "jpeg": Corruption((30, 55, 72, 84, 92), _jpeg),  # compression, 100 - quality
    "pixelation": Corruption((24, 20, 16, 12, 9), _pixelation),
    "contrast": Corruption((0.75, 0.5, 0.35, 0.2, 0.1), _contrast),  # factor
    "brightness": Corruption((0.1, 0.2, 0.3, 0.4, 0.5), _brightness),  # of 255
    "darkness": Corruption((0.7, 0.5, 0.35, 0.22, 0.12), _darkness),  # factor
    "side-light": Corruption((0.6, 0.4, 0.25, 0.1, 0.0), _side_light),
    "grey": Corruption((0.2, 0.4, 0.6, 0.8, 1.0), _grey),  # share of grey
    "fog": Corruption((0.35, 0.5, 0.65, 0.8, 0.95), _fog),
    "snow": Corruption((0.03, 0.06, 0.1, 0.16, 0.24), _snow),
    "occluded-eyes": Corruption((0.06, 0.10, 0.15, 0.20, 0.26), _occluded(0.5, 0.42, aspect=2.0)),
    "occluded-mouth": Corruption((0.06, 0.12, 0.18, 0.24, 0.32), _occluded(0.5, 0.75, aspect=1.5)),
    "rotation": Corruption((6, 12, 18, 25, 35), _rotation),  # degrees
    "scale": Corruption((1.08, 1.16, 1.26, 1.38, 1.55), _scale),  # factor
    "shift": Corruption((0.04, 0.08, 0.12, 0.17, 0.23), _shift),  # of the side
}

KINDS: tuple[str, ...] = tuple(_CORRUPTIONS)
