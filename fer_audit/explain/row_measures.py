"""What is measured on the heat map of each image, beside the same of a random map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fer_audit.explain.agreement import flip_agreement
from fer_audit.explain.faithfulness import Classes, Images, Values, deletion_insertion
from fer_audit.explain.localisation import heat_inside
from fer_audit.explain.random_maps import random_maps
from fer_audit.explain.upsampling import Maps

#: From images (K, H, W, 3) to logits (K, C).
Logits = Callable[[Images], npt.NDArray[np.float32]]

#: Rows whose mirrored and random maps are held at a time.
_BLOCK = 256


class HeatMaps(Protocol):
    """What explains predictions, such as `GradCam`."""

    @property
    def map_shape(self) -> tuple[int, int]:
        """Height and width before upsampling."""

    def __call__(self, images: Images, classes: Classes) -> Maps:
        """Heat (N, H, W) of `images` (N, H, W, 3) for `classes` (N,)."""


@dataclass(frozen=True)
class RowMeasures:
    """Heat maps with what was measured on them, one value a row."""

    predicted: Classes  #: (N,), the classes that the maps explain
    maps: Maps  #: (N, H, W)
    values: dict[str, Values]  #: (N,) each, NaN where undefined: by measure, and `<measure>_random` of the random map


def measure_maps(
    logits: Logits,
    explain: HeatMaps,
    images: Images,
    masks: npt.NDArray[np.bool_] | None,
    *,
    steps: int,
    seed: int,
) -> RowMeasures:
    """Measures the maps of the predicted classes.

    Args:
        logits: of the network.
        explain: its heat maps.
        images: (N, H, W, 3).
        masks: (N, H, W), where the evidence is; `inside` is not measured where None.
        steps: portions of deletion and insertion.
        seed: of the random maps.
    """
    predicted = np.asarray(logits(images).argmax(axis=1), np.int64)
    maps = explain(images, predicted)
    _, height, width, _ = images.shape
    blocks = []
    for start in range(0, len(images), _BLOCK):
        part = slice(start, start + _BLOCK)
        mirrored = explain(images[part, :, ::-1], predicted[part])
        noise = random_maps(len(mirrored), explain.map_shape, (height, width), (seed, start))
        block = _faithfulness(logits, images[part], predicted[part], maps[part], noise, steps)
        block["flip_agreement"] = flip_agreement(maps[part], mirrored)
        other_noise = random_maps(len(mirrored), explain.map_shape, (height, width), (seed, start, 1))
        block["flip_agreement_random"] = flip_agreement(noise, other_noise)
        if masks is not None:
            block["inside"] = heat_inside(maps[part], masks[part])
            block["inside_random"] = heat_inside(noise, masks[part])
        blocks.append(block)
    return RowMeasures(predicted, maps, {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]})


def _faithfulness(
    logits: Logits, images: Images, classes: Classes, maps: Maps, noise: Maps, steps: int
) -> dict[str, Values]:
    def probability(changed: Images, of: Classes) -> Values:
        return class_probabilities(logits(changed), of)

    # Where there is no heat, the pixels go in the order of the random map: the two differ by the heat alone.
    deletion, insertion = deletion_insertion(probability, images, maps, classes, steps, ties=noise)
    deletion_random, insertion_random = deletion_insertion(probability, images, noise, classes, steps)
    return {
        "deletion": deletion,
        "deletion_random": deletion_random,
        "insertion": insertion,
        "insertion_random": insertion_random,
    }


def class_probabilities(logits: npt.NDArray[np.float32], classes: Classes) -> Values:
    """Softmax of `logits` (K, C) at `classes` (K,), in float64."""
    from scipy.special import softmax

    probabilities = softmax(logits.astype(np.float64), axis=1)
    return np.asarray(np.take_along_axis(probabilities, classes[:, None], axis=1)[:, 0], np.float64)
