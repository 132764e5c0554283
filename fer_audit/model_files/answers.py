"""What a model's answers mean: logits or probabilities, and which of them is which class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fer_audit.data.labels import class_name
from fer_audit.errors import ModelFileError
from fer_audit.lazy import keras
from fer_audit.model_files.opened import Outputs

Kind = Literal["logits", "probabilities"]

#: How far probabilities may be from a sum of 1: float16 makes 1e-3 of it.
_SUM_TOLERANCE = 1e-3

#: Probabilities below are taken for it, so that a softmax of their logarithms gives the others back.
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Answers:
    """How answers (B, outputs) become logits (B, C)."""

    kind: Kind
    places: npt.NDArray[np.int64]  #: (C,), the output of each class of the dataset
    outputs: int

    def logits(self, answers: Outputs) -> npt.NDArray[np.float32]:
        """Logits of the dataset's classes, in its order."""
        kept = answers[:, self.places]
        if self.kind == "logits":
            return kept
        return np.asarray(np.log(np.maximum(kept, np.float32(_LEAST))), np.float32)

    def symbolic(self, answers: Any) -> Any:
        """The same of Keras tensors."""
        if not np.array_equal(self.places, np.arange(self.outputs)):
            answers = keras.ops.take(answers, self.places.astype(np.int32), axis=1)
        answers = keras.ops.cast(answers, "float32")
        return answers if self.kind == "logits" else keras.ops.log(keras.ops.maximum(answers, _LEAST))


def odd_sums(answers: Outputs, step: float) -> npt.NDArray[np.int64]:
    """Rows of `answers` (B, outputs) that are no probabilities: not within 0..1, or not of sum 1.

    `step` lies between neighbouring answers of a quantised model, each of which may be off by half of it.
    """
    slack = _SUM_TOLERANCE + step * answers.shape[1] / 2
    outside = (answers < -_SUM_TOLERANCE) | (answers > 1 + _SUM_TOLERANCE + step)
    return np.flatnonzero(outside.any(axis=1) | ~(np.abs(answers.sum(axis=1, dtype=np.float64) - 1) <= slack))


def class_places(
    name: str, outputs: int, named: tuple[str, ...] | None, classes: tuple[str, ...]
) -> npt.NDArray[np.int64]:
    """The output (C,) that each of the dataset's `classes` has; raises ModelFileError.

    Args:
        name: of the model, for messages.
        outputs: how many numbers the model answers with.
        named: the class of each output; None where they are the dataset's, in its order.
        classes: of the dataset.
    """
    if outputs == 1:
        raise ModelFileError(
            f"model {name!r} answers with 1 number an image, as a sigmoid between two classes does; expected one for "
            f"each of {_listed(classes)}; export it with a softmax over the classes"
        )
    if named is None and outputs != len(classes):
        raise ModelFileError(
            f"model {name!r} answers with {outputs:,} numbers an image, but the dataset has {_listed(classes)}; "
            f"expected one for each class; name those of the model, in its order, under preprocessing: classes"
        )
    if named is None:
        return np.arange(outputs)
    if len(named) != outputs:
        raise ModelFileError(
            f"model {name!r} answers with {outputs:,} numbers an image, but its preprocessing names "
            f"{_listed(named)}; expected as many names as outputs; correct preprocessing: classes"
        )
    return _by_name(name, named, classes)


def _by_name(name: str, named: tuple[str, ...], classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    meant = [class_name(each) for each in named]
    twice = next((each for each in meant if meant.count(each) > 1), None)
    if twice is not None:
        raise ModelFileError(
            f"the preprocessing of model {name!r} names {twice!r} twice in {_listed(named)}; expected each class once; "
            f"correct preprocessing: classes"
        )
    missing = [each for each in classes if class_name(each) not in meant]
    if missing:
        raise ModelFileError(
            f"model {name!r} has no output for {', '.join(missing)} among its {_listed(named)}; expected one for each "
            f"of {_listed(classes)}; choose a dataset of the model's classes, or correct preprocessing: classes"
        )
    return np.array([meant.index(class_name(each)) for each in classes], np.int64)


def _listed(classes: tuple[str, ...]) -> str:
    return f"{len(classes)} classes ({', '.join(classes)})"
