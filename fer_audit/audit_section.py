"""What a grid asks of models that were trained elsewhere: the section `audit`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from fer_audit.section import Section, refuse_twice


class Standardised(Section):
    """Images as (image / 255 - mean) / std, channel by channel."""

    mean: tuple[float, float, float] = Field(description="of each channel of the model's colour, in 0..1")
    std: tuple[float, float, float] = Field(description="of each channel of the model's colour, in 0..1")

    @model_validator(mode="after")
    def _positive(self) -> Standardised:
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, received {list(self.std)}")
        return self


#: What becomes of grey levels 0..255; `imagenet` is the mean and std of ImageNet's photographs.
Scaling = Literal["0..255", "0..1", "-1..1", "imagenet"]


class Preprocessing(Section):
    """How a model wants its images, and what its answers are."""

    size: int | None = Field(None, ge=8, le=1024, description="pixels a side; null: what the model file says")
    colour: Literal["rgb", "bgr", "grey"] = Field("rgb", description="channels, in the order that the model expects")
    scaling: Scaling | Standardised = Field("0..255", description="what becomes of the grey levels 0..255")
    layout: Literal["auto", "channels-last", "channels-first"] = Field(
        "auto", description="order of the axes of an image; auto: what the model file says"
    )
    outputs: Literal["auto", "logits", "probabilities"] = Field(
        "auto", description="what the model answers; auto: probabilities where every answer is 0..1 and sums to 1"
    )
    classes: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        description="what each output stands for, in order; null: the classes of the dataset in their order. Outputs "
        "of other classes than the dataset's are left out",
    )

    @model_validator(mode="after")
    def _once(self) -> Preprocessing:
        refuse_twice("classes", self.classes or ())
        return self


class AuditedModel(Section):
    """A model that is audited as it is."""

    file: str = Field(
        min_length=1,
        description="relative to this file: .keras, .h5, a SavedModel folder, .onnx, .tflite, the weights.npz of a "
        "training in a store, or file.py:function",
    )
    name: str = Field("", description="what the report calls it; left out, the name of the file")
    checkpoint: int | None = Field(
        None, ge=0, description="epochs that it was trained for, where several checkpoints of one training are audited"
    )
    preprocessing: Preprocessing = Field(Preprocessing(), description="how it wants its images")
    trust: bool = Field(
        False, description="may the file run code of its own, such as Lambda layers? Only if it is yours"
    )

    @property
    def label(self) -> str:
        """What the report calls it: the name, or that of the file without its folders."""
        return self.name or self.file.rstrip("/").rpartition("/")[2]


def _file(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


class Audit(Section):
    """Models that were trained elsewhere, audited on rows of which it is known whether they were trained on."""

    models: tuple[Annotated[AuditedModel, BeforeValidator(_file)], ...] = Field(
        min_length=1, description="files, or files with their preprocessing; checkpoints of one training say so"
    )
    calibration: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="share of the members and of the non-members, whole people, on which thresholds are chosen where "
        "there are no references; these rows are not scored",
    )
    references: str | None = Field(
        None,
        description="a folder of models like the audited ones, with references.csv: image, and a column of 0 and 1 for "
        "each model file that says which images it was trained on",
    )

    @model_validator(mode="after")
    def _told_apart(self) -> Audit:
        refuse_twice("models", [model.label for model in self.models])
        return self
