"""What is trained, in the form that keys are made of and that workers are given: JSON, nothing pickled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from fer_audit.plugins import content_key

#: Raised by hand whenever the training code changes what it computes, so that no stale training is ever taken up.
TRAINING_SCHEMA = 2

#: Raised by hand whenever a query, or the way that a network is asked, changes what it answers.
SIGNALS_SCHEMA = 1

#: Raised by hand whenever the way that costs are counted changes.
COUNTING_SCHEMA = 1


#: Kind and key of something in the store.
Artefact = tuple[str, str]


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
    clip_norm: float | None = None

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
    test_labels: str | None  #: digest where accuracy on the test split is followed epoch by epoch
    versions: dict[str, str]
    data: str  #: fingerprint under which the worker finds the dataset; not part of the key

    @property
    def key(self) -> str:
        """SHA-256 (hex) of all that can change the weights or the history."""
        return content_key([TRAINING_SCHEMA, self.model_dump(mode="json", exclude={"data"})])

    @property
    def title(self) -> str:
        """The training in one line, from its content alone."""
        chain = "+".join(augmentation.name for augmentation in self.augmentations) or "none"
        rows = f"rows {self.rows[:8]}, labels {self.labels[:8]}"
        return f"{self.program.model.name} · {chain} · {self.epochs} epochs · {rows} · seed {self.seed}"


class TrainingJob(_Spec):
    """What a worker is asked for: a training, and what is to be read of it beside its weights."""

    training: TrainingSpec
    queries: tuple[str, ...]
    traces: tuple[str, ...] = ()  #: digests of int64 (N,), pool labels whose losses are followed epoch by epoch

    @property
    def fit(self) -> Artefact:
        """Kind and key of the artefact with the weights."""
        return "trainings", self.training.key

    def answers(self) -> list[Artefact]:
        """Kind and key of the artefacts with the signals, one a query."""
        return [("signals", signals_key(self.training.key, query)) for query in self.queries]

    def losses(self) -> list[Artefact]:
        """Kind and key of the artefacts with the losses along the way, one a trace."""
        return [("traces", trace_key(self.training.key, labels)) for labels in self.traces]

    def artefacts(self) -> list[Artefact]:
        """Kind and key of everything that the job leaves in the store."""
        return [self.fit, *self.answers(), *self.losses()]

    def joined(self, other: TrainingJob) -> TrainingJob:
        """The job with what `other`, a job for the same training, wants besides."""
        queries = dict.fromkeys((*self.queries, *other.queries))
        traces = dict.fromkeys((*self.traces, *other.traces))
        return self.model_copy(update={"queries": tuple(queries), "traces": tuple(traces)})


@dataclass(frozen=True)
class Training:
    """A job with what people want to know of it."""

    job: TrainingJob
    key: str  #: of the job's training
    title: str
    rows: int
    fitted: bool = False  #: whether the weights are in the store, and only answers are missing

    @property
    def spec(self) -> TrainingSpec:
        """The training itself."""
        return self.job.training

    @property
    def images(self) -> int:
        """Images that its steps will see."""
        return 0 if self.fitted else self.rows * self.spec.epochs


def signals_key(training: str, query: str) -> str:
    """The key of what the model of `training` answers to `query`, on the pool and on the population."""
    return content_key(["signals", SIGNALS_SCHEMA, training, query])


def trace_key(training: str, labels: str) -> str:
    """The key of the losses of all pool rows, epoch by epoch, against the labels with that digest."""
    return content_key(["trace", SIGNALS_SCHEMA, training, labels])


def cost_key(program: ProgramSpec) -> str:
    """The key under which the costs of a program's model are kept."""
    model = program.model.model_dump(mode="json")
    return content_key(["cost", COUNTING_SCHEMA, model, program.input_shape, program.classes])
