"""Copies: images that show the same picture, pixel for pixel or nearly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Pixels: TypeAlias = npt.NDArray[np.uint8]

_GRID = 32  #: px a side of what is hashed
_FREQUENCIES = 8  #: lowest of either direction that the hash keeps
#: Most of the 63 bits that may differ, and least correlation of the small images. The hash finds candidates and the
#: pixels decide: faces of one pose share their coarse light and shade, and hence most bits.
_BITS, _CORRELATION = 14, 0.97
_BLOCK = 2048


@dataclass(frozen=True)
class Copies:
    """Which of N images are copies; a group has the number of its first row."""

    exact: Ints  #: (N,), group of images that are equal in every pixel
    near: Ints  #: (N,), group of images linked by near copies; exact copies are in one group too


def find_copies(images: Pixels) -> Copies:
    """Groups of exact and near copies among `images` (N, H, W, 3).

    Near copies agree in at least 49 of the 63 bits of a perceptual hash (the signs of the lowest frequencies of the
    discrete cosine transform about their median; Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions", 2010), and their grey images of 32 x 32 px correlate by at least 0.97. Groups are chains: first and last
    may differ more.
    """
    exact = exact_groups(images)
    first = np.flatnonzero(exact == np.arange(len(exact)))
    pairs = near_pairs(images if len(first) == len(images) else images[first])
    return Copies(
        exact, linked(len(exact), np.concatenate([first[pairs], np.stack([np.arange(len(exact)), exact], 1)]))
    )


def exact_groups(images: Pixels) -> Ints:
    """(N,), the first row whose pixels are the same."""
    seen: dict[bytes, int] = {}
    digests = (hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images)
    return np.array([seen.setdefault(digest, row) for row, digest in enumerate(digests)], np.int64)


def near_pairs(images: Pixels) -> Ints:
    """Pairs (P, 2) of rows of `images` (N, H, W, 3) that are near copies, the smaller first."""
    if not len(images):
        return np.empty((0, 2), np.int64)
    small = _small(images)
    signs = perceptual_signs(small)
    # Images without any pattern are alike to none: their hash is noise, and so is their correlation.
    small -= small.mean(axis=(1, 2), keepdims=True)
    flat = small.reshape(len(small), -1)
    length = np.linalg.norm(flat, axis=1)
    flat /= np.maximum(length, 1e-6)[:, None]
    patterned = length > _GRID
    found = [np.empty((0, 2), np.int64)]
    for pairs in _candidates(signs):
        one, other = pairs[:, 0], pairs[:, 1]
        alike = np.einsum("ij,ij->i", flat[one], flat[other]) >= _CORRELATION
        found.append(pairs[alike & patterned[one] & patterned[other]])
    return np.concatenate(found)


def perceptual_signs(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The perceptual hash (N, 63) of grey images (N, 32, 32) as numbers -1 and 1."""
    from scipy.fft import dctn

    spectrum = dctn(small, axes=(1, 2))[:, :_FREQUENCIES, :_FREQUENCIES].reshape(len(small), -1)[:, 1:]
    signs: npt.NDArray[np.float32] = np.where(spectrum > np.median(spectrum, axis=1, keepdims=True), 1, -1)
    return signs.astype(np.float32)


def linked(count: int, pairs: Ints) -> Ints:
    """(count,), the smallest row that each row is linked to by a chain of `pairs` (P, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, part = connected_components(graph, directed=False)
    _, first, index = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(first[index], np.int64)


def _candidates(signs: npt.NDArray[np.float32]) -> Iterator[Ints]:
    """Pairs of rows whose hashes differ in few bits: the product of two hashes is 63 - 2 x their distance."""
    least = signs.shape[1] - 2 * _BITS
    for start in range(0, len(signs), _BLOCK):
        block = signs[start : start + _BLOCK]
        for other in range(start, len(signs), _BLOCK):
            one, two = np.nonzero(block @ signs[other : other + _BLOCK].T >= least)
            pairs = np.stack([one + start, two + other], axis=1)
            yield pairs[pairs[:, 0] < pairs[:, 1]]


def _small(images: Pixels) -> npt.NDArray[np.float32]:
    """Grey images (N, 32, 32) of 0..255."""
    import cv2

    small = np.empty((len(images), _GRID, _GRID), np.float32)
    for row, image in enumerate(images):
        grey: Any = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        small[row] = cv2.resize(grey, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return small
