"""What is trained, in the form that keys are made of and that workers are given: JSON, nothing pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from fer_audit.plugins import content_key
from fer_audit.store import ArtefactName

#: Raised by hand whenever the training code changes what it computes, so that no stale training is ever taken up.
TRAINING_SCHEMA = 2

#: Raised by hand whenever a query, or the way that a network is asked, changes what it answers.
SIGNALS_SCHEMA = 1

#: Raised by hand whenever a worker prepares what is measured in another way; the code of the measures has digests.
MEASURES_SCHEMA = 1

#: Raised by hand whenever the way that costs are counted, or speeds are measured, changes.
COUNTING_SCHEMA = 2


#: Images that a network answers for in the time in which it learns from one: no gradients, no update.
ASKED_PER_TRAINED = 3


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic copies, less a key that was worked out before: that of the copy may be another one."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("key", None)
        return copied


class PluginIdentity(_Spec):
    """A plug-in as keys and workers know it."""

    kind: str
    name: str
    params: dict[str, Any]
    source: str


def _is_none(value: Any) -> bool:
    """A field that came later is no part of older keys where it is not used."""
    return value is None


class PrivateStep(_Spec):
    """A step of differentially private SGD as it is traced; how far it clips and how much noise it adds is not."""

    physical_batch: int  #: rows whose gradients are in memory at once
    clipping: Literal["auto", "ghost", "per-example"]


class PrivateTraining(_Spec):
    """Differentially private SGD on a program with a `PrivateStep`."""

    name: Literal["dp-sgd"] = "dp-sgd"
    clip_norm: float
    noise_multiplier: float
    sampling: Literal["poisson", "shuffle"]
    #: that the sampling rate, the number of steps and the noise are counted for; public, and so not the number of the
    #: rows where canaries are among them by coins
    nominal_rows: int
    source: str  #: digest of the code of the mechanism


class SmoothedLabels(_Spec):
    """Training on labels of which a share is spread over all classes."""

    name: Literal["label-smoothing"] = "label-smoothing"
    smoothing: float


class StoppedEarly(_Spec):
    """Training that ends, and takes the weights, by the loss on rows that were held out."""

    name: Literal["early-stopping"] = "early-stopping"
    patience: int
    held_out: str  #: digest and address of int64 (H,): places in `rows` that are not trained on


class ProgramSpec(_Spec):
    """What is built and traced once: trainings with equal specs share it."""

    model: PluginIdentity
    input_shape: tuple[int, int, int]
    classes: int
    batch_size: int
    optimizer: str
    weight_decay: float
    momentum: float
    clip_norm: float | None = None
    private: PrivateStep | None = Field(None, exclude_if=_is_none)  #: the model is then one without batch statistics

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex) of the spec."""
        return content_key(self.model_dump(mode="json"))


class TrainingSpec(_Spec):
    """One fit of one model."""

    program: ProgramSpec
    augmentations: tuple[PluginIdentity, ...]
    epochs: int
    learning_rate: float
    schedule: str
    seed: int
    pixels: str  #: digest of the images that are learnt from, in training order
    labels: str  #: digest of int64 (K,), their given labels; also their address in the store
    test_pixels: str  #: digest of the images of the test split
    test_labels: str | None  #: digest where accuracy on the test split is followed epoch by epoch
    versions: dict[str, str]
    defence: PrivateTraining | SmoothedLabels | StoppedEarly | None = Field(None, exclude_if=_is_none)
    rows: str  #: address of int64 (K,), indices into the pool, in training order; not part of the key, `pixels` is
    data: str  #: address of the dataset; not part of the key

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex) of all that can change the weights, the history or the answers to the test split."""
        return content_key([TRAINING_SCHEMA, self.content()])

    def content(self) -> dict[str, Any]:
        """What the key is made of, as JSON."""
        return self.model_dump(mode="json", exclude={"rows", "data"})

    @property
    def held_out(self) -> tuple[str, ...]:
        """The address of the rows that are held out, if there are any."""
        return (self.defence.held_out,) if isinstance(self.defence, StoppedEarly) else ()

    @property
    def title(self) -> str:
        """The training in one line, from its content alone."""
        chain = "+".join(augmentation.name for augmentation in self.augmentations) or "none"
        chain += f" · {self.defence.name}" if self.defence else ""
        learnt = f"images {self.pixels[:8]}, labels {self.labels[:8]}"
        return f"{self.program.model.name} · {chain} · {self.epochs} epochs · {learnt} · seed {self.seed}"


class MeasureSpec(_Spec):
    """Something that is measured on the weights of a training."""

    kind: Literal["corruption", "adversarial", "batch-invariance", "explanation"]
    params: dict[str, Any]
    source: str  #: digest of the code that it is measured with


class TrainingJob(_Spec):
    """What a worker is asked for: a training, and what is to be read of it beside its weights."""

    training: TrainingSpec
    queries: tuple[str, ...]
    pool: str  #: digest of the images of the pool
    population: str  #: digest of the images of the population
    traces: tuple[str, ...] = ()  #: addresses of int64 (N,), pool labels whose losses are followed epoch by epoch
    follow_pool: bool = False  #: whether predictions on the pool are kept epoch by epoch
    measures: tuple[MeasureSpec, ...] = ()

    @property
    def fit(self) -> ArtefactName:
        """Kind and key of the artefact with the weights."""
        return "trainings", self.training.key

    def answers(self) -> list[ArtefactName]:
        """Kind and key of the artefacts with the signals, one a query."""
        asked = (self.pool, self.population)
        return [("signals", signals_key(self.training.key, query, asked)) for query in self.queries]

    def losses(self) -> list[ArtefactName]:
        """Kind and key of the artefacts with the losses along the way, one a trace."""
        return [self.trace(labels) for labels in self.traces]

    def trace(self, labels: str) -> ArtefactName:
        """Kind and key of the losses against the labels with that digest."""
        return "traces", trace_key(self.training.key, labels, self.pool)

    def followed(self) -> list[ArtefactName]:
        """Kind and key of the artefact with the predictions along the way, if it is wanted."""
        return [("predictions", predictions_key(self.training.key, self.pool))] if self.follow_pool else []

    def along_the_way(self) -> list[ArtefactName]:
        """Kind and key of everything that can only be had while the network learns."""
        return [self.fit, *self.losses(), *self.followed()]

    def measured(self) -> list[ArtefactName]:
        """Kind and key of the artefacts with what is measured, one a measure."""
        return [("measures", measure_key(self.training.key, measure)) for measure in self.measures]

    def corruptions(self) -> list[MeasureSpec]:
        """The measures that are taken on corrupted images."""
        return [measure for measure in self.measures if measure.kind == "corruption"]

    def corrupted(self) -> list[ArtefactName]:
        """Kind and key of the artefacts with the images of `corruptions`."""
        pixels, versions = self.training.test_pixels, self.training.versions
        return [("corrupted", corrupted_key(pixels, measure, versions)) for measure in self.corruptions()]

    def artefacts(self) -> list[ArtefactName]:
        """Kind and key of everything that the job leaves in the store for the results."""
        return [*self.along_the_way(), *self.answers(), *self.measured()]

    def joined(self, other: TrainingJob) -> TrainingJob:
        """The job with what `other`, a job for the same training, wants besides."""
        queries = dict.fromkeys((*self.queries, *other.queries))
        traces = dict.fromkeys((*self.traces, *other.traces))
        measures = (*self.measures, *(measure for measure in other.measures if measure not in self.measures))
        return self.model_copy(
            update={
                "queries": tuple(queries),
                "traces": tuple(traces),
                "follow_pool": self.follow_pool or other.follow_pool,
                "measures": measures,
            }
        )


@dataclass(frozen=True)
class Training:
    """A job with what people want to know of it."""

    job: TrainingJob
    key: str  #: of the job's training
    title: str
    rows: int
    asked: int  #: images that it is asked about
    measured: int = 0  #: images that it is asked about by measures that are not in the store
    fitted: bool = False  #: whether the weights are in the store, and only answers are missing

    @property
    def spec(self) -> TrainingSpec:
        """The training itself."""
        return self.job.training

    @property
    def images(self) -> int:
        """Images that its steps will see."""
        return 0 if self.fitted else self.rows * self.spec.epochs


def signals_key(training: str, query: str, asked: tuple[str, str]) -> str:
    """The key of what the model of `training` answers to `query` about the images with the digests `asked`."""
    return content_key(["signals", SIGNALS_SCHEMA, training, query, asked])


def trace_key(training: str, labels: str, asked: str) -> str:
    """The key of losses, epoch by epoch, on the images with the digest `asked` against the labels with theirs."""
    return content_key(["trace", SIGNALS_SCHEMA, training, labels, asked])


def predictions_key(training: str, asked: str) -> str:
    """The key of predictions, epoch by epoch, on the images with the digest `asked`."""
    return content_key(["predictions", SIGNALS_SCHEMA, training, asked])


def measure_key(training: str, measure: MeasureSpec) -> str:
    """The key of what `measure` finds on the model of `training`, whose own key holds the test split."""
    return content_key(["measure", MEASURES_SCHEMA, training, measure.model_dump(mode="json")])


def corrupted_key(pixels: str, measure: MeasureSpec, versions: dict[str, str]) -> str:
    """The key of the test images with the digest `pixels`, corrupted as `measure` says."""
    return content_key(["corrupted", MEASURES_SCHEMA, pixels, measure.model_dump(mode="json"), versions])


def cost_key(program: ProgramSpec) -> str:
    """The key under which the costs of a program's model are kept."""
    model = program.model.model_dump(mode="json")
    return content_key(["cost", COUNTING_SCHEMA, _counting_versions(), model, program.input_shape, program.classes])


@cache
def _counting_versions() -> tuple[str, ...]:
    """Versions of the profiler and of the saved file, which take longer to look up than a key to make."""
    return tuple(metadata.version(name) for name in ("tensorflow", "keras"))
