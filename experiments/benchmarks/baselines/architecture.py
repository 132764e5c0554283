"""The numbers that GhostFace is made of; apart, so that PyTorch's process need not import TensorFlow."""

from __future__ import annotations

#: Fused blocks: filters, stride, triplet attention or not.
FUSED = ((8, 1, False), (8, 1, False), (8, 1, True), (16, 2, True), (16, 1, False), (16, 1, True))

#: Ghost bottlenecks: filters, stride.
GHOST = ((16, 2), (16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (128, 2), (240, 2))

#: Of batch normalisation; `ghostface` has 0.9 unless told otherwise, for short trainings.
MOMENTUM, EPSILON = 0.9, 1e-3
