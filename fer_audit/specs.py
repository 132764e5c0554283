"""What is trained, in the form that keys are made of and that workers are given: JSON, nothing pickled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from fer_audit.plugins import content_key

#: Raised by hand whenever the training code changes what it computes, so that no stale training is ever taken up.
TRAINING_SCHEMA = 1

#: Raised by hand whenever the way that costs are counted changes.
COUNTING_SCHEMA = 1


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginIdentity(_Spec):
    """A plug-in as keys and workers know it."""

    kind: str
    name: str
    params: dict[str, Any]
    source: str


class ProgramSpec(_Spec):
    """What is built and traced once: trainings with equal specs share it."""

    model: PluginIdentity
    input_shape: tuple[int, int, int]
    classes: int
    batch_size: int
    optimizer: str
    weight_decay: float
    momentum: float

    @property
    def key(self) -> str:
        """SHA-256 (hex) of the spec."""
        return content_key(self.model_dump(mode="json"))


class TrainingSpec(_Spec):
    """One fit of one model. `data`, `rows` and `labels` are addresses in the store."""

    program: ProgramSpec
    augmentations: tuple[PluginIdentity, ...]
    epochs: int
    learning_rate: float
    schedule: str
    seed: int
    pixels: str  #: digest of the images of all splits
    rows: str  #: digest of int64 (K,), indices into the pool, in training order
    labels: str  #: digest of int64 (K,), the given labels of those rows
    queries: tuple[str, ...]
    test_labels: str | None  #: digest where accuracy on the test split is followed epoch by epoch
    versions: dict[str, str]
    data: str  #: fingerprint under which the worker finds the dataset; not part of the key

    @property
    def key(self) -> str:
        """SHA-256 (hex) of all that can change the weights or the signals."""
        return content_key([TRAINING_SCHEMA, self.model_dump(mode="json", exclude={"data"})])


@dataclass(frozen=True)
class Training:
    """A spec with what people want to know of it."""

    spec: TrainingSpec
    key: str
    title: str
    rows: int

    @property
    def images(self) -> int:
        """Images that its steps see."""
        return self.rows * self.spec.epochs


def cost_key(program: ProgramSpec) -> str:
    """The key under which the costs of a program's model are kept."""
    model = program.model.model_dump(mode="json")
    return content_key(["cost", COUNTING_SCHEMA, model, program.input_shape, program.classes])
