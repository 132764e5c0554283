"""Adversarial images: what a network makes of images that were changed, a little, to be misread.

All changes are bounded pixel by pixel (L-infinity), and `epsilon` is in grey levels of 0..255.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fer_audit.errors import FerAuditError

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

#: From images float32 (B, H, W, 3) and labels (B,) to the gradient of their losses (B, H, W, 3) and to logits (B, C).
Gradient = Callable[[Floats, Labels], tuple[Floats, Floats]]

ATTACKS = ("fgsm", "pgd")


class AdversarialError(FerAuditError):
    """A network that can't be attacked by its gradients."""


class LossGradient:
    """The gradient of a network's loss with respect to the images, traced once for batches of any length.

    The loss is the log-odds against the label, log((1 - p_y) / p_y) = logsumexp of the other logits - z_y. Its gradient
    is that of the cross-entropy over 1 - p_y, so that the signs, which are all that FGSM and PGD take, are the same.
    But it does not vanish where the network is sure: there float32 rounds 1 - p_y, from a margin of 17 nats on to 0,
    and what is left of the cross-entropy's gradient has other signs.
    """

    def __init__(self, network: Any) -> None:
        """`network` is a Keras model from images (B, H, W, 3) in 0..255 to logits (B, C); raises AdversarialError."""
        self._network = network
        self._blind = False  # whether the loss does not depend on the images in a way that can be differentiated
        images = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
        traced = tf.function(self._trace, input_signature=[images, tf.TensorSpec((None,), tf.int64)])
        self._traced = traced.get_concrete_function()
        if self._blind:
            raise AdversarialError(
                f"network {network.name!r} has no gradient with respect to its images, which FGSM and PGD follow; "
                f"leave `adversarial` out of the measures"
            )

    def __call__(self, images: Floats, labels: Labels) -> tuple[Floats, Floats]:
        """Gradient (B, H, W, 3) of the batch's summed loss, and logits (B, C), both float32; nothing is trained."""
        gradient, logits = self._traced(tf.constant(images), tf.constant(labels))
        return gradient.numpy(), logits.numpy()

    def _trace(self, images: Any, labels: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = self._network(images, training=False)
            own = tf.one_hot(labels, logits.shape[1], on_value=True, off_value=False, dtype=tf.bool)
            others = tf.reduce_logsumexp(tf.where(own, logits.dtype.min, logits), axis=1)
            # The sum, not the mean: a row's gradient must not depend on how many others are in its batch.
            loss = tf.reduce_sum(others - tf.boolean_mask(logits, own))
        gradient = tape.gradient(loss, images)
        self._blind = gradient is None
        return (tf.zeros_like(images) if gradient is None else gradient), logits


def fgsm(gradient: Gradient, images: Floats, labels: Labels, epsilon: float) -> Floats:
    """Images (B, H, W, 3) after the fast gradient sign method: x + epsilon sign(grad), within 0..255.

    Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015, section 4.
    """
    slope, _ = gradient(images, labels)
    return _projected(images + np.float32(epsilon) * np.sign(slope), images, epsilon)


def pgd(
    gradient: Gradient,
    images: Floats,
    labels: Labels,
    epsilon: float,
    *,
    steps: int,
    step_size: float | None = None,
    seed: int,
) -> Floats:
    """Images (B, H, W, 3) after `steps` of projected gradient ascent on the loss, from a random start within the ball.

    Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018,
    section 2.1. A step is 2.5 epsilon / steps unless `step_size`, in grey levels, is given. The start of a row depends
    on the seed and on its place alone.
    """
    start = random_starts(seed, range(len(images)), images.shape[1:])
    *_, (last, _) = ascent(gradient, images, labels, epsilon, start=start, steps=steps, step_size=step_size)
    return last


def ascent(
    gradient: Gradient,
    images: Floats,
    labels: Labels,
    epsilon: float,
    *,
    start: Floats,
    steps: int,
    step_size: float | None = None,
) -> Iterator[tuple[Floats, Floats]]:
    """Every iterate of PGD, the start first, with its logits (B, C)."""
    step = np.float32(2.5 * epsilon / max(steps, 1) if step_size is None else step_size)
    x = _projected(images + np.float32(epsilon) * start, images, epsilon)
    for _ in range(steps + 1):
        slope, logits = gradient(x, labels)
        yield x, logits
        x = _projected(x + step * np.sign(slope), images, epsilon)


def _projected(x: Floats, images: Floats, epsilon: float) -> Floats:
    """The nearest images to `x` in the ball of `epsilon` around `images` and in 0..255."""
    radius = np.float32(epsilon)
    return np.clip(np.clip(x, images - radius, images + radius), 0, 255)


def random_starts(seed: int, rows: Sequence[int], shape: Sequence[int]) -> Floats:
    """Noise (B, *shape) within -1..1 for each of `rows` (B,); a row's depends on the seed and its number alone."""
    drawn = [np.random.default_rng((seed, row)).uniform(-1, 1, tuple(shape)) for row in rows]
    return np.asarray(drawn, np.float32).reshape(-1, *shape)


@dataclass(frozen=True, eq=False)
class Adversarial:
    """What a network says of N attacked images, at E sizes of change."""

    clean: Labels  #: predictions (N,) of the images as they are
    predictions: Labels  #: (2, E, N), by attack, in the order of ATTACKS
    max_perturbation: npt.NDArray[np.float64]  #: (2, E), the largest change of a pixel that was made, in grey levels


def attack(
    gradient: Gradient,
    images: Images,
    labels: Labels,
    *,
    epsilons: Sequence[float],
    steps: int,
    batch_size: int,
    seed: int,
) -> Adversarial:
    """Attacks every image by FGSM and by PGD, whatever the network makes of it before.

    PGD succeeds if any point that it visits is misread, the image itself included, which lies in the ball too: the
    prediction given is that of the misread point with the highest loss, or else the label.

    Args:
        gradient: of the network, a LossGradient.
        images: uint8 (N, H, W, 3).
        labels: (N,), true.
        epsilons: largest changes of a pixel, in grey levels of 0..255; 0 leaves the images as they are.
        steps: of PGD.
        batch_size: rows that are attacked at once; it changes nothing else.
        seed: of the random starts of PGD.
    """
    batches = [range(first, min(first + batch_size, len(images))) for first in range(0, len(images), batch_size)]
    parts = [
        _attacked(
            gradient,
            images[rows.start : rows.stop].astype(np.float32),
            labels[rows.start : rows.stop],
            epsilons=epsilons,
            steps=steps,
            start=random_starts(seed, rows, images.shape[1:]),
        )
        for rows in batches
    ]
    return Adversarial(
        np.concatenate([part.clean for part in parts]),
        np.concatenate([part.predictions for part in parts], axis=2),
        np.max([part.max_perturbation for part in parts], axis=0),
    )


def _attacked(
    gradient: Gradient, images: Floats, labels: Labels, *, epsilons: Sequence[float], steps: int, start: Floats
) -> Adversarial:
    """One batch."""
    _, untouched = gradient(images, labels)
    found = []
    for epsilon in epsilons:
        once, climbed = _Worst(images, labels), _Worst(images, labels)
        changed = fgsm(gradient, images, labels, epsilon)
        once.visit(changed, gradient(changed, labels)[1])
        climbed.visit(images, untouched)
        for point, logits in ascent(gradient, images, labels, epsilon, start=start, steps=steps):
            climbed.visit(point, logits)
        found.append((once, climbed))
    return Adversarial(
        untouched.argmax(axis=1),
        np.array([[worst.predictions for worst in pair] for pair in found]).swapaxes(0, 1),
        np.array([[worst.distance for worst in pair] for pair in found]).T,
    )


class _Worst:
    """For each row of a batch the worst of the points that were visited: the misread one with the highest loss."""

    def __init__(self, images: Floats, labels: Labels) -> None:
        self.predictions = labels
        self.distance = 0.0  # of the farthest point, of any row
        self._images, self._labels = images, labels
        self._losses = np.full(len(labels), -np.inf)

    def visit(self, points: Floats, logits: Floats) -> None:
        """Takes note of one point (B, H, W, 3) for each row, and what the network says of it, (B, C)."""
        predicted, losses = logits.argmax(axis=1), _cross_entropy(logits, self._labels)
        worse = (predicted != self._labels) & (losses > self._losses)
        self._losses = np.where(worse, losses, self._losses)
        self.predictions = np.where(worse, predicted, self.predictions)
        self.distance = max(self.distance, float(np.abs(points - self._images).max()))


def _cross_entropy(logits: Floats, labels: Labels) -> npt.NDArray[np.float64]:
    """Loss (B,) in nats: logsumexp(z) - z_y."""
    from scipy.special import logsumexp

    wide = logits.astype(np.float64)
    return np.asarray(logsumexp(wide, axis=1) - wide[np.arange(len(labels)), labels])
