"""Whether an augmentation lets the rows of a batch change each other, which differentially private training forbids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.augmentations.augmentation import Augmentation, Images, SoftLabels
from fer_audit.errors import PluginError

#: Rows of the batches that are tried, in turn. Among few rows every row is likely to be another's partner.
_SIZES = (2, 3, 5)

#: Batches of full size that are tried; they cost more, and a partner is seldom the row that changed.
_FULL = 4

#: Small batches that are tried. What mixes the rows of one batch in five is missed with a chance of 0.8^60, one in a
#: million.
_DRAWS = 60

_Batch = tuple[Images, SoftLabels]


def mixes_rows(augmentation: Augmentation, *, image_size: int, classes: int, batch_size: int) -> bool:
    """Whether another image and label in one row changes what `augmentation` makes of the other rows.

    Private training clips the gradient of each row to length C, so that one example changes their sum by at most C,
    and the noise is accounted for that. MixUp blends each row with a partner: an example is then in two rows, so that
    its removal takes one out of the sum, at most C, and turns the other towards another partner, which changes a
    clipped gradient by up to 2 C. That is 3 C and more, as who is whose partner may change too, and no longer what the
    accounting of the Gaussian mechanism counts. RandAug is free: it is drawn for each row independently of the others,
    and comes before the gradient is clipped.

    It is found by trying small batches and a few of `batch_size`, so that no author can forget to say it; what mixes
    rows in rare batches alone may be missed. An augmentation whose draws for one row depend on what it saw in another
    counts as mixing. Raises PluginError where equal generators give unequal results.
    """
    sizes = [_SIZES[draw % len(_SIZES)] for draw in range(_DRAWS)] + [max(2, batch_size)] * _FULL
    for draw, rows in enumerate(sizes):
        rng = np.random.default_rng([draw, 1])  # not the augmentation's, so that images and draws are independent
        changed = int(rng.integers(rows))
        images, labels = _batch(rng, rows, image_size, classes)
        other_images, other_labels = images.copy(), labels.copy()
        other_images[changed] = 255 - other_images[changed]
        other_labels[changed] = np.roll(other_labels[changed], 1)
        kept = np.arange(rows) != changed
        result = _applied(augmentation, images, labels, draw)
        if not _equal(result, _applied(augmentation, other_images, other_labels, draw), kept):
            if not _equal(result, _applied(augmentation, images, labels, draw), kept):
                raise PluginError(
                    f"augmentation {augmentation.name!r} must give the same result for the same state of the generator "
                    f"that it is given, received two; draw from that generator alone"
                )
            return True
    return False


def _batch(rng: np.random.Generator, rows: int, image_size: int, classes: int) -> _Batch:
    images = rng.integers(0, 256, (rows, image_size, image_size, 3), dtype=np.uint8)
    return images, np.eye(classes, dtype=np.float32)[rng.integers(classes, size=rows)]


def _applied(augmentation: Augmentation, images: Images, labels: SoftLabels, seed: int) -> _Batch:
    return augmentation(images, labels, np.random.default_rng(seed))


def _equal(one: _Batch, other: _Batch, rows: npt.NDArray[np.bool_]) -> bool:
    """Whether images and labels are equal in `rows` (B,)."""
    return np.array_equal(one[0][rows], other[0][rows]) and np.array_equal(one[1][rows], other[1][rows])
