"""Deletion and insertion: whether the pixels with the most heat are those that the network judges by."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from fer_audit.explain.upsampling import Maps

Images = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

#: From images (K, H, W, 3) and classes (K,) to the probability of each image's class (K,).
Probability = Callable[[Images, Classes], Values]

#: Standard deviation of the blur over the shorter side of the image: no feature of a face outlasts it.
_BLUR = 1 / 8

#: Pixels of the changed images of one block of rows.
_BLOCK = 4_000_000


def deletion_insertion(
    probability: Probability, images: Images, maps: Maps, classes: Classes, steps: int, ties: Maps | None = None
) -> tuple[Values, Values]:
    """Areas (N,) under the class probability while the hottest pixels go (lower is better) and come (higher is better).

    Petsiuk et al., "RISE", BMVC 2018, section 4.2. Deletion turns pixels to the mean colour of their image; insertion
    puts them onto the blurred image. Trapezoids over the share of pixels, in `steps` equal portions.

    Args:
        probability: of a class.
        images: (N, H, W, 3).
        maps: (N, H, W) heat.
        classes: (N,) whose probability is followed.
        steps: portions, at least 1.
        ties: (N, H, W); of pixels with equal heat, those with more of `ties` come first, such as the random map that
            the heat is compared with. What is equal in both, or all ties where None, is in a fixed shuffled order.
    """
    count, height, width, _ = images.shape
    deletion, insertion = np.empty(count), np.empty(count)
    rows = max(1, _BLOCK // ((steps + 1) * height * width))
    for start in range(0, count, rows):
        part = slice(start, start + rows)
        hottest = _hottest(_ranks(maps[part], None if ties is None else ties[part]), steps)
        originals = images[part, None]
        gone = np.where(hottest, mean_colours(images[part])[:, None], originals)
        come = np.where(hottest, originals, blurred(images[part])[:, None])
        deletion[part] = _areas(probability, gone, classes[part])
        insertion[part] = _areas(probability, come, classes[part])
    return deletion, insertion


def _ranks(maps: Maps, ties: Maps | None) -> npt.NDArray[np.int64]:
    """The place of each pixel (N, H, W) in the order of falling heat."""
    count, *shape = maps.shape
    shuffled = np.random.default_rng(0).permutation(shape[0] * shape[1])
    heat = maps.reshape(count, -1)[:, shuffled]
    second = np.zeros_like(heat) if ties is None else ties.reshape(count, -1)[:, shuffled]
    # A stable sort: what is equal in both keys stays in shuffled order.
    order = shuffled[np.lexsort((-second, -heat), axis=1)]
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(order.shape[1])[None], axis=1)
    return np.asarray(ranks.reshape(count, *shape), np.int64)


def _hottest(ranks: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.bool_]:
    """Whether a pixel is among the hottest 0, 1/steps, ..., 1: (N, steps + 1, H, W, 1)."""
    counts = np.rint(np.linspace(0, ranks[0].size, steps + 1)).astype(np.int64)
    return np.asarray(ranks[:, None] < counts[:, None, None], np.bool_)[..., None]


def _areas(probability: Probability, changed: Images, classes: Classes) -> Values:
    """Trapezoids over each row's images `changed` (N, steps + 1, H, W, 3), at equal distances."""
    count, points = changed.shape[:2]
    found = probability(changed.reshape(-1, *changed.shape[2:]), np.repeat(classes, points)).reshape(count, points)
    trapezoids = (found[:, 1:] + found[:, :-1]) / 2
    return np.asarray(trapezoids.mean(axis=1), np.float64)


def mean_colours(images: Images) -> Images:
    """`images` (N, H, W, 3) as (N, 1, 1, 3), each its mean colour."""
    return np.asarray(np.rint(images.mean(axis=(1, 2), keepdims=True)), np.uint8)


def blurred(images: Images) -> Images:
    """`images` (N, H, W, 3) after a Gaussian blur of an eighth of the shorter side."""
    deviation = _BLUR * min(images.shape[1:3])
    found = np.empty_like(images)
    for place, image in enumerate(images):
        found[place] = cv2.GaussianBlur(image, (0, 0), deviation, borderType=cv2.BORDER_REFLECT)
    return found
