"""A model of anyone's, asked as one of ours: prepared images in, logits of the dataset's classes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.audit_section import Preprocessing
from fer_audit.errors import FerAuditError, ModelFileError
from fer_audit.lazy import keras
from fer_audit.model_files.answers import Answers, Kind, class_places, odd_sums
from fer_audit.model_files.archive import reason
from fer_audit.model_files.fixed_batch import filled
from fer_audit.model_files.opened import Opened, Outputs, OutsideModel
from fer_audit.model_files.preparation import Images, Preparation, preparation_for, size_of

__all__ = ["outside_model", "size_of"]

#: Pixels of one batch, and its most images. More are slower, as what a layer leaves no longer fits into the cache.
_PIXELS, _MOST_ROWS = 500_000, 32

#: Images of noise on which it is seen what a model answers with; of one image in two dark, so that it need not be sure.
_PROBED = 16


@dataclass(frozen=True, eq=False)
class _Asked:
    """A model that is asked in batches of one size: some kernels are wrong where a last batch is shorter."""

    opened: Opened
    prepare: Preparation
    rows: int

    def __call__(self, images: Images) -> Outputs:
        """Answers (N, outputs); raises ModelFileError where the model fails."""
        starts = range(0, len(images), self.rows)
        return np.concatenate([self.batch(images[start : start + self.rows], self.rows) for start in starts])

    def batch(self, images: Images, rows: int) -> Outputs:
        """Answers (N, outputs) of at most `rows` images, asked as a batch of so many; raises ModelFileError."""
        name = self.opened.name
        try:
            answers = self.opened.ask(filled(self.prepare(images), rows))[: len(images)]
        except FerAuditError as error:
            raise ModelFileError(f"model {name!r}: {error}") from None
        except Exception as error:  # a stranger's model fails in any way, inside libraries of others
            raise ModelFileError(
                f"model {name!r} fails on images of {self.prepare.size} pixels a side ({type(error).__name__}: "
                f"{reason(error)}); expected answers; correct its preprocessing, or export it again"
            ) from error
        if answers.ndim != 2 or len(answers) != len(images):
            raise ModelFileError(
                f"model {name!r} answers {len(images)} images with an array of shape {answers.shape}; expected one row "
                f"of numbers for each image; export it with that output"
            )
        return answers


def outside_model(
    opened: Opened, preprocessing: Preprocessing, classes: tuple[str, ...], *, image_size: int
) -> OutsideModel:
    """`opened` as one of our models, for images of `image_size` pixels a side; raises ModelFileError.

    What the answers are is seen on noise, and later checked on every image: a softmax gives probabilities for any
    image, and other outputs for next to none. A Keras network whose channels come first has no `network`, as maps of
    features are read with channels last.

    Args:
        opened: by `open_file`.
        preprocessing: as the user declares it.
        classes: of the dataset, in its order.
        image_size: of the images that will be asked about; they are resized where the model takes another.
    """
    if opened.format == "callable":
        _check_untouched(opened, preprocessing, image_size)
    prepare = preparation_for(opened, preprocessing, image_size)
    asked = _Asked(opened, prepare, max(1, min(_MOST_ROWS, _PIXELS // prepare.size**2)))
    probed = asked(_noise(image_size))
    outputs = probed.shape[1]
    kind = _kind(opened, preprocessing, probed)
    answers = Answers(kind, class_places(opened.name, outputs, preprocessing.classes, classes), outputs)
    return OutsideModel(
        opened=opened,
        image_size=image_size,
        outputs=kind,
        logits=_logits(asked, answers, image_size),
        once=lambda images: answers.logits(asked.batch(images, len(images))),
        network=None if opened.network is None else _network(opened.network, prepare, answers, image_size),
    )


def _check_untouched(opened: Opened, preprocessing: Preprocessing, image_size: int) -> None:
    usual = Preprocessing(size=preprocessing.size, outputs=preprocessing.outputs, classes=preprocessing.classes)
    if preprocessing != usual:
        odd = [key for key in ("colour", "scaling", "layout") if getattr(preprocessing, key) != getattr(usual, key)]
        raise ModelFileError(
            f"model {opened.name!r} is a function, which gets uint8 RGB images as they are, but its preprocessing says "
            f"{' and '.join(odd)}; expected none; prepare the images in the function, and leave that out"
        )
    if preprocessing.size not in (None, image_size):
        raise ModelFileError(
            f"model {opened.name!r} is a function, which gets images of {image_size} pixels a side as they are, but "
            f"its preprocessing says size: {preprocessing.size}; expected the same; resize in the function, and leave "
            f"`size` out"
        )


def _noise(size: int) -> Images:
    noise = np.random.default_rng(0).integers(0, 256, (_PROBED, size, size, 3), np.uint8)
    noise[::2] //= 4
    return noise


def _kind(opened: Opened, preprocessing: Preprocessing, probed: Outputs) -> Kind:
    if preprocessing.outputs != "auto":
        return preprocessing.outputs
    return "logits" if len(odd_sums(probed, opened.output_step)) else "probabilities"


def _logits(asked: _Asked, answers: Answers, image_size: int) -> Callable[[Images], npt.NDArray[np.float32]]:
    def logits(images: Images) -> npt.NDArray[np.float32]:
        expected = (image_size, image_size, 3)
        if images.shape[1:] != expected or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 images (N, {expected}), got {images.dtype} {images.shape}")
        if len(images) == 0:
            return np.empty((0, len(answers.places)), np.float32)
        found = asked(images)
        _check(asked.opened, answers, found)
        return answers.logits(found)

    return logits


def _check(opened: Opened, answers: Answers, found: Outputs) -> None:
    if found.shape[1] != answers.outputs:
        raise ModelFileError(
            f"model {opened.name!r} answers with {found.shape[1]} numbers an image, and with {answers.outputs} before; "
            f"expected as many each time; export a model of one number of classes"
        )
    kept = found[:, answers.places]
    bad = ~np.isfinite(kept).all(axis=1)
    if bad.any():
        what = "NaN" if np.isnan(kept[bad]).any(axis=1).all() else "NaN or infinite"
        raise ModelFileError(
            f"{bad.sum():,} of {len(found):,} answers of model {opened.name!r} are {what}; expected finite numbers; "
            f"check its weights and its scaling"
        )
    odd = odd_sums(found, opened.output_step)
    if answers.kind == "probabilities" and len(odd):
        first = found[odd[0]]
        raise ModelFileError(
            f"{len(odd):,} of {len(found):,} answers of model {opened.name!r} are no probabilities: one lies within "
            f"{first.min():.4g}..{first.max():.4g} and sums to {first.sum():.4g}; expected 0..1 and a sum of 1; set "
            f"`outputs: logits` if that is what they are"
        )


def _network(inner: Any, prepare: Preparation, answers: Answers, image_size: int) -> Any:
    """A flat functional network around the layers of `inner`, whose weights it shares."""
    if prepare.channels_first:
        return None
    images = keras.Input((image_size, image_size, 3), name="images")
    x = keras.ops.cast(prepare.symbolic(images), inner.inputs[0].dtype)
    # Not inner(x): so its layers get nodes of the images' size in this graph, where it may have left that open.
    return keras.Model(images, answers.symbolic(inner.call(x)), name=inner.name)
