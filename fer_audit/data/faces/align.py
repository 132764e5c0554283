"""Cutting faces out so that all have their eyes at the same places."""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from fer_audit.data.faces.detection import Pixels, Point

Floats: TypeAlias = npt.NDArray[np.float64]


def eye_places(size: int, margin: float) -> tuple[Point, Point]:
    """Where the eyes are put in an output of `size` px: half of the face's width apart, above the middle.

    `margin` is room around the face, as a share of it: with 0.25 eyes are at 30 % and 70 % of the width and at 40 % of
    the height.
    """
    apart, up = 0.5 / (1 + margin), 0.125 / (1 + margin)
    return ((0.5 - apart / 2) * size, (0.5 - up) * size), ((0.5 + apart / 2) * size, (0.5 - up) * size)


def similarity(source: tuple[Point, Point], target: tuple[Point, Point]) -> Floats:
    """The turn, scale and shift (2, 3) that carries two points onto two others.

    As complex numbers z -> a z + b; for two points the least-squares similarity of Umeyama (1991) is exact.
    """
    (p, q), (u, v) = (tuple(complex(*point) for point in pair) for pair in (source, target))
    a = (v - u) / (q - p)
    b = u - a * p
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def aligned(image: Pixels, eyes: tuple[Point, Point], size: int, margin: float) -> Pixels:
    """The face in `image` (H, W, 3) with its eyes at `eye_places`, (size, size, 3); edges are drawn out."""
    return _warped(image, similarity(eyes, eye_places(size, margin)), size)


def cropped(image: Pixels, box: tuple[float, float, float, float], size: int, margin: float) -> Pixels:
    """The square around `box`, `margin` wider than its longer side, (size, size, 3); edges are drawn out."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top) * (1 + margin)
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    scale = size / side
    return _warped(image, np.array([[scale, 0.0, -scale * x], [0.0, scale, -scale * y]]), size)


def whole(image: Pixels, size: int) -> Pixels:
    """The whole of `image` (H, W, 3) stretched to (size, size, 3)."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def _warped(image: Pixels, matrix: Floats, size: int) -> Pixels:
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    if scale < 1:
        # Bilinear sampling looks at four pixels: a larger image has to be averaged down first.
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        across, down = width / image.shape[1], height / image.shape[0]
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ np.array([[1 / across, 0, 0], [0, 1 / down, 0], [0, 0, 1]])
    # Points are measured from the corner of the first pixel, OpenCV counts from its centre.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = matrix @ half - np.array([[0, 0, 0.5], [0, 0, 0.5]])
    warped = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
