"""What a grid asks to be measured beside accuracy, cost and membership: the sections of `measures`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from fer_audit.section import ONCE, Section, refuse_twice


def _switched(value: Any) -> Any:
    """`true` stands for the measure with its defaults, `false` for none."""
    if isinstance(value, bool):
        return {} if value else None
    if not isinstance(value, Mapping | BaseModel):  # None too: what is left empty was meant to be something
        raise ValueError(f"expected true, false, or parameters such as {{rows: 100}}. Received: {value!r}")
    return value


#: Names of `fer_audit.robustness.corruptions.KINDS`, which can't be imported here: robustness lies above the grid.
CorruptionKind = Literal[
    "gaussian-noise",
    "shot-noise",
    "impulse-noise",
    "gaussian-blur",
    "defocus-blur",
    "motion-blur",
    "jpeg",
    "pixelation",
    "contrast",
    "brightness",
    "darkness",
    "side-light",
    "grey",
    "fog",
    "snow",
    "occluded-eyes",
    "occluded-mouth",
    "rotation",
    "scale",
    "shift",
]

Severity = Annotated[int, Field(ge=1, le=5)]


class Corruptions(Section):
    """Accuracy on corrupted test images."""

    kinds: tuple[CorruptionKind, ...] = Field(
        get_args(CorruptionKind), min_length=1, description="of corruption; all by default", json_schema_extra=ONCE
    )
    severities: tuple[Severity, ...] = Field(
        (1, 2, 3, 4, 5), min_length=1, description="1 (mild) to 5 (severe)", json_schema_extra=ONCE
    )
    baseline: str | None = Field(
        None, description="the model that errors are relative to, as it stands in the grid; null: the first one"
    )
    rows: int | None = Field(None, ge=1, description="of the test split, drawn at random; null: all")
    seed: int = Field(0, ge=0, description="of the rows and of everything that is drawn on them")

    @model_validator(mode="after")
    def _once(self) -> Corruptions:
        refuse_twice("kinds", self.kinds)
        refuse_twice("severities", self.severities)
        return self


#: Grey levels; less is meant as a share of 0..1.
_LEAST_EPSILON = 0.25


class Adversarial(Section):
    """Accuracy on test images that were changed to be misread."""

    epsilons: tuple[Annotated[float, Field(gt=0, le=255)], ...] = Field(
        (1.0, 2.0, 4.0, 8.0),
        min_length=1,
        description="greatest change of a pixel by FGSM and PGD, in grey levels of 0..255",
        json_schema_extra={**ONCE, "contains": {"minimum": _LEAST_EPSILON}},
    )
    steps: int = Field(10, ge=1, description="of PGD")
    rows: int = Field(200, ge=1, description="of the test split, drawn at random")
    seed: int = Field(0, ge=0, description="of the rows and of the random starts of PGD")

    @model_validator(mode="after")
    def _once(self) -> Adversarial:
        refuse_twice("epsilons", self.epsilons)
        return self

    @model_validator(mode="after")
    def _grey_levels(self) -> Adversarial:
        if max(self.epsilons) < _LEAST_EPSILON:
            raise ValueError(
                f"epsilons are in grey levels of 0..255, such as 8 for what others write as 8/255 or .031. "
                f"Received: {', '.join(f'{epsilon:g}' for epsilon in self.epsilons)}"
            )
        return self


class BatchInvariance(Section):
    """Whether an answer depends on what else is in the batch."""

    rows: int = Field(128, ge=2, description="of the test split, drawn at random")
    seed: int = Field(0, ge=0, description="of the rows and of what they share a batch with")


class Explanations(Section):
    """Heat maps of the utility model, and what they are worth."""

    layer: str | dict[str, str] | None = Field(
        None,
        description="whose map is explained, of all models, or {model: layer}; null: the last one of at least 7x7",
    )
    rows: int = Field(64, ge=1, description="of the test split, drawn at random")
    steps: int = Field(16, ge=2, description="in which pixels are deleted and inserted")
    seed: int = Field(0, ge=0, description="of the rows and of what is drawn for comparison")


class Memorisation(Section):
    """What the utility model says of corrupted train rows, epoch by epoch."""


class LabelErrors(Section):
    """Wrong labels, sought with the privacy models."""


class Measures(Section):
    """What is measured beside accuracy, cost and membership: `true`, or parameters; nothing is by default."""

    memorisation: Annotated[Memorisation | None, BeforeValidator(_switched)] = None
    label_errors: Annotated[LabelErrors | None, BeforeValidator(_switched)] = None
    corruptions: Annotated[Corruptions | None, BeforeValidator(_switched)] = None
    adversarial: Annotated[Adversarial | None, BeforeValidator(_switched)] = None
    batch_invariance: Annotated[BatchInvariance | None, BeforeValidator(_switched)] = None
    explanations: Annotated[Explanations | None, BeforeValidator(_switched)] = None


#: The section of each measure.
MEASURES: Mapping[str, type[BaseModel]] = {
    "memorisation": Memorisation,
    "label_errors": LabelErrors,
    "corruptions": Corruptions,
    "adversarial": Adversarial,
    "batch_invariance": BatchInvariance,
    "explanations": Explanations,
}
