"""What a grid asks to be done against leakage while a model learns: the sections of `defences`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from fer_audit.section import Section

#: The epsilon that is aimed at where neither it nor the noise is given.
DEFAULT_EPSILON = 8.0


DP_SGD = "dp-sgd"


class DpSgd(Section):
    """Differentially private SGD: each image's gradient is clipped, and Gaussian noise is added to their sum.

    Source: Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, algorithm 1, by tensorflow-privacy.
    """

    epsilon: float | None = Field(
        None, gt=0, description="the privacy loss that the noise is chosen for; 8 where noise_multiplier is not given"
    )
    noise_multiplier: float | None = Field(
        None, gt=0, le=10_000, description="standard deviation of the noise over clip_norm; given instead of epsilon"
    )
    delta: float = Field(1e-5, gt=0, lt=1, description="the chance by which epsilon may be exceeded; below 1 / images")
    clip_norm: float = Field(1.0, gt=0, description="greatest length of the gradient of one image")
    sampling: Literal["poisson", "shuffle"] = Field(
        "poisson",
        description="rows of a step: each by its own coin, which the accounting knows, or shuffled, at more epsilon",
    )
    batch_size: int | None = Field(None, ge=1, description="rows of a step, of poisson on average; null: the recipe's")
    physical_batch: int = Field(
        64, ge=1, description="rows whose gradients are in memory at once; larger batches are accumulated"
    )
    clipping: Literal["auto", "ghost", "per-example"] = Field(
        "auto",
        description="how norms of single gradients are found: without making the gradients (ghost, faster), by making "
        "each (per-example, any network); auto is ghost where the network allows it",
    )
    learning_rate: float | None = Field(None, gt=0, description="at the first step; null: the recipe's")
    epochs: int | None = Field(None, ge=1, le=100_000, description="null: the recipe's")

    @model_validator(mode="after")
    def _one_aim(self) -> DpSgd:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ValueError(
                f"expected epsilon or noise_multiplier, one follows from the other. Received: epsilon {self.epsilon:g} "
                f"and noise_multiplier {self.noise_multiplier:g}"
            )
        return self

    @property
    def aim(self) -> float:
        """The epsilon that the noise is chosen for, where the noise is not given."""
        return DEFAULT_EPSILON if self.epsilon is None else self.epsilon


class LabelSmoothing(Section):
    """Label smoothing: a share of each label is spread evenly over all classes.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.
    """

    smoothing: float = Field(0.1, gt=0, lt=1, description="share of the label that is spread")


class EarlyStopping(Section):
    """Early stopping: the weights of the epoch with the least loss on training rows that were held out.

    Rows that are held out count as members, as they were given for training.
    Source: Prechelt, "Early Stopping - But When?", 1998.
    """

    patience: int = Field(3, ge=1, description="epochs without improvement after which training ends")
    held_out: float = Field(
        0.1, gt=0, lt=1, description="share of the training rows, whole people where people are known, to judge by"
    )


#: The section of each defence.
DEFENCES: Mapping[str, type[Section]] = {
    DP_SGD: DpSgd,
    "label-smoothing": LabelSmoothing,
    "early-stopping": EarlyStopping,
}
