"""The results of a grid: the versioned schema that the runner writes and the report reads.

`results.json` holds nothing that two undisturbed runs on one machine would not both write: no times, no paths, no
latencies. Those are in `run.json` beside it (`RunRecord`).
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fer_audit.errors import ResultsError
from fer_audit.plain_file import read_plain

SCHEMA_VERSION = 2

Schema = TypeVar("Schema", bound=BaseModel)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Estimate(_Record):
    """A number with its interval and counts; `value` is None where the data can't resolve it, and `note` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = Field(0.95, gt=0, lt=1)
    n: int | None = None  #: what the number was counted on
    freedom: int | None = None  #: degrees of freedom of its t quantile; None where the interval is of another kind
    method: str = ""  #: of the interval
    note: str = ""


class PluginRecord(_Record):
    """A plug-in as it was used."""

    name: str
    params: dict[str, Any] = {}
    source: str = ""  #: SHA-256 of its source


class SplitSummary(_Record):
    """Counts of one split."""

    rows: int
    per_class: list[int]
    subjects: int | None = None


class CopyCount(_Record):
    """Images that there are more than once."""

    groups: int  #: of two images or more
    rows: int  #: in these groups
    conflicting_groups: int  #: whose images have different labels
    across: dict[str, int]  #: such as "test rows with a copy in train" -> how many


class BlindCheck(_Record):
    """Whether two sides of a split can be told apart without any model, by simple image statistics."""

    one: str
    other: str
    seed: int | None  #: of the membership halves; None where two splits are compared
    auc: Estimate
    telling: str  #: the statistic that alone tells most
    telling_auc: float | None
    found: bool  #: the whole interval lies above one half


class Hygiene(_Record):
    """What is wrong with a dataset and its splits."""

    exact: CopyCount
    near: CopyCount  #: with the exact ones
    shared_subjects: dict[str, int]  #: such as "train and test" -> people in both; only where people are known
    blind: list[BlindCheck]
    remarks: list[str]  #: what was left out on reading


class DatasetSummary(_Record):
    """What was trained and tested on."""

    plugin: PluginRecord
    classes: list[str]
    image_size: int | None  #: None where only the answers to the images are known
    digest: str
    drawn: bool  #: True where no real person is shown
    pool: SplitSummary
    test: SplitSummary
    population: SplitSummary
    hygiene: Hygiene | None = None  #: None where only the answers to the images are known


class ImageSizes(_Record):
    """Sizes of the image files of a split, in pixels."""

    split: str
    smallest: tuple[int, int]  #: width, height of the image of least area
    median: tuple[int, int]
    largest: tuple[int, int]
    grey: float  #: share of images without colour


class LayerCost(_Record):
    """What one call of a layer costs; weights are counted at the first call."""

    name: str
    kind: str  #: class of the layer
    output_shape: list[int | None]  #: without the batch
    params_total: int
    params_trainable: int
    macs: int
    flops: int
    activation_bytes: int  #: of what the call returns


class Cost(_Record):
    """What a model costs; FLOPs are 2 x MACs of convolution and dense layers."""

    model: str
    image_size: int
    params_total: int
    params_trainable: int
    macs: int
    flops: int
    reference_size: int  #: the size at which published figures are counted
    reference_macs: int
    reference_flops: int
    tf_profiler: int | None = None  #: float operations, TensorFlow profiler
    keras_flops: int | None = None  #: the same with batch norms and maxima
    fvcore: int | None = None  #: MACs, and 2 for each element of a batch norm
    activation_peak_bytes: int | None = None  #: alive at once, in inference on one image
    activation_output_bytes: int | None = None  #: of all layers together, as training keeps them
    keras_file_bytes: int | None = None  #: of the `.keras` file; None where Keras can't save the network
    layers: list[LayerCost] = []  #: in running order; they add up to the totals


class Latency(_Record):
    """Wall time of calls with `batch` images, on one thread of the machine of the run."""

    model: str
    image_size: int
    batch: int = 1
    p50_ms: float  #: of a call
    p95_ms: float
    images_per_s: float | None = None
    runs: int


class Epoch(_Record):
    """One epoch of a training; `train_*` are of the augmented batches as they were trained on."""

    train_loss: float
    train_accuracy: float
    test_loss: float | None = None
    test_accuracy: float | None = None
    held_out_loss: float | None = None  #: on train rows that early stopping judges by; the least one's weights are kept


class Utility(_Record):
    """The model trained on the full train split, at its last epoch."""

    training: str  #: content key; empty where the model was trained elsewhere
    accuracy: Estimate
    balanced_accuracy: Estimate
    per_class: list[Estimate]  #: recall of each class, in the order of the dataset's classes
    confusion: list[list[int]]  #: rows true, columns predicted
    train_accuracy: float  #: on the pool without augmentation, against the given (possibly corrupted) labels
    history: list[Epoch]  #: empty where the model was trained elsewhere


class Corruption(_Record):
    """What a label attack really did to the train split."""

    rate: float
    corrupted_rows: int
    matrix: list[list[float]]  #: P(given | true), rows true
    labels_sha256: str
    remarks: list[str] = []  #: what the label attack had to say, such as which part of a file it refused


class MemorisationEpoch(_Record):
    """What the utility model said of corrupted and clean train rows after one epoch, as shares of them."""

    memorised: float  #: of the corrupted rows, those predicted as their wrong given label
    recovered: float  #: of the corrupted rows, those predicted as their true label
    neither: float
    clean_accuracy: float  #: of the clean rows, those predicted as their label


class Memorisation(_Record):
    """What became of the corrupted train rows: learnt by heart, seen through, or neither; at the last epoch."""

    corrupted_rows: int
    memorised: Estimate
    recovered: Estimate
    neither: Estimate
    clean_accuracy: Estimate
    epochs: list[MemorisationEpoch] = []  #: none where it was not followed


class LabelErrors(_Record):
    """How well wrong train labels are found by models that did not train on the rows."""

    rows: int
    suspected: int  #: rows where another label than the given one is the likeliest
    corrupted_rows: int | None  #: None where it is not known which labels are wrong
    average_precision: Estimate | None
    chance: float | None  #: average precision of a ranking by chance: the share of corrupted rows
    precision_at: dict[str, Estimate]  #: "10", "50", "100", and "corrupted": as many as there are corrupted rows
    models: int  #: the least number of models that a row's prediction is the mean of
    file: str  #: csv with all rows, the most suspect first, relative to the folder of results.json


class NoisePoint(_Record):
    """Cells that differ in their seed alone, at one rate of corrupted labels."""

    rate: float  #: realised, mean over seeds
    label_attack: str
    seeds: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    drop: Estimate  #: accuracy with clean labels less this, on the same test rows
    balanced_drop: Estimate


class NoiseCurve(_Record):
    """Accuracy of a model, an augmentation and a defence against the rate of one kind of label corruption."""

    model: str
    augmentation: str
    kind: str  #: of the label attack, with its parameters but for the rate
    points: list[NoisePoint]  #: by rate, clean labels first
    area: Estimate  #: mean accuracy over the rates from 0 to the highest: the area under the curve over its width
    balanced_area: Estimate
    note: str = ""  #: which seeds are left out, as they lack a point
    defence: str = "none"


class CorruptionKind(_Record):
    """One kind of image corruption."""

    kind: str
    accuracy: list[Estimate]  #: one a severity
    error: Estimate  #: CE: errors over those of the baseline, summed over severities; 1 is the baseline


class CorruptionRobustness(_Record):
    """Accuracy of the utility model on corrupted test images."""

    severities: list[int]
    rows: int  #: of the test split
    clean: Estimate  #: accuracy on the same rows as they are
    accuracy: Estimate  #: mean over kinds and severities
    kinds: list[CorruptionKind]
    mce: Estimate  #: mean corruption error relative to the baseline
    baseline: str  #: id of the cell that errors are relative to


class AdversarialPoint(_Record):
    """Accuracy under one white-box attack."""

    attack: Literal["fgsm", "pgd"]
    epsilon: float  #: largest change of a pixel, in grey levels of 0..255
    accuracy: Estimate
    max_perturbation: float  #: largest change that was made


class AdversarialRobustness(_Record):
    """Accuracy of the utility model on test images that were changed to be misread."""

    rows: int
    steps: int  #: of PGD
    clean: Estimate
    points: list[AdversarialPoint]


class BatchInvariance(_Record):
    """Whether an answer depends on what else is in the batch."""

    rows: int
    max_difference: float  #: between logits of one image
    tolerance: float
    changed: int  #: predictions that differ beyond the tolerance
    passed: bool
    explanation: str = ""


class ExplanationMeasure(_Record):
    """One measure of heat maps beside the same measure of random maps."""

    name: Literal["deletion", "insertion", "flip-agreement", "inside"]
    better: Literal["higher", "lower"]
    value: Estimate
    baseline: Estimate  #: of random maps
    difference: Estimate  #: value less baseline, paired by image


class Explanation(_Record):
    """Grad-CAM of the utility model's predictions on the test split."""

    layer: str = ""
    map_size: tuple[int, int] | None = None
    rows: int = 0
    empty: int = 0  #: of them, those with a map without heat: nothing in it speaks for the prediction
    measures: list[ExplanationMeasure] = []
    refused: str = ""  #: why there are no heat maps


class Confusion(_Record):
    """Counts of membership decisions; positive means "member"."""

    tp: int
    fp: int
    fn: int
    tn: int


class TargetResult(_Record):
    """One attack on one target model, the others being its references."""

    target: int
    auc: Estimate
    threshold: float | None  #: chosen on the references; None means that nothing is flagged
    class_thresholds: list[float | None] | None = None  #: of each class, where the attack has one a class
    confusion: Confusion


class Roc(_Record):
    """A ROC curve of at most 200 points, every point realisable."""

    fpr: list[float]
    tpr: list[float]
    low: list[float] = []  #: of the TPR at each point; empty where there is no band
    high: list[float] = []
    confidence: float | None = Field(None, gt=0, lt=1)  #: of the band, point by point
    method: str = ""  #: of the band

    @model_validator(mode="after")
    def _aligned(self) -> Roc:
        if any(len(one) != len(self.fpr) for one in (self.tpr, self.low or self.fpr, self.high or self.fpr)):
            raise ValueError("fpr, tpr, low and high must be of one length")
        return self


class Transferred(_Record):
    """Decisions at thresholds that were set for a wanted FPR on the references, over all targets."""

    confusion: Confusion | None  #: None where the references can't resolve the wanted FPR
    fpr: Estimate  #: that the thresholds really had
    tpr: Estimate


class EpsilonBound(_Record):
    """How much privacy loss the decisions prove: no (epsilon, delta) guarantee with a smaller epsilon can hold."""

    lower_bound: float
    cap: float  #: the largest bound that so many decisions could ever give
    delta: float
    confidence: float = Field(gt=0, lt=1)
    unit: Literal["row", "subject"]  #: whose presence in the training data the guarantee would hide
    members: int  #: independent decisions about members
    nonmembers: int
    method: str
    rules: list[Confusion] = []  #: what each threshold made of these decisions


class Slice(_Record):
    """One attack on a group of rows, such as one class or the corrupted labels."""

    family: str  #: what rows are grouped by: "class", "labels", "subject size", or an attribute
    group: str
    rows: int
    auc: Estimate
    tpr: Estimate  #: at the transferred thresholds
    fpr: Estimate
    difference: Estimate  #: AUC of the group less the AUC of all other rows
    p_value: float | None  #: of no difference; None where the group is too small
    p_adjusted: float | None  #: over all slices of the attack, by `AttackResult.correction`


class AttackResult(_Record):
    """One membership attack on one cell: every privacy model in turn is the target, results pooled over targets."""

    attack: PluginRecord
    threat_model: str
    unit: Literal["row", "subject"] = "row"  #: what is a member or not
    auc: Estimate
    auc_spread: float | None  #: standard deviation of the AUC over targets
    tpr_at_fpr: dict[str, Estimate]  #: "0.01" and "0.001"
    confusion: Confusion  #: at the transferred thresholds, summed over targets
    fpr: Estimate
    fnr: Estimate
    tpr: Estimate
    advantage: Estimate  #: TPR - FPR
    transferred: dict[str, Transferred]  #: "0.01" and "0.001"
    epsilon: EpsilonBound
    roc: Roc
    targets: list[TargetResult]
    slices: list[Slice] = []
    correction: Literal["holm", "benjamini-hochberg"] = "holm"
    record_stability: float | None = None  #: rank correlation of the rows' exposure between two halves of the targets
    notes: list[str] = []  #: declared fallbacks that were taken


class ExposedRecord(_Record):
    """A unit of the pool that an attack finds again and again; `id` says nothing of whom the picture shows."""

    id: str  #: pseudonym, the same for every attack and cell of a dataset; the csv of the records ties it to its row
    label: int  #: given, an index of the dataset's classes
    corrupted: bool  #: whether the given label is a wrong one
    member_targets: int  #: targets that trained on it
    true_positives: int  #: of them, those in which it was taken for a member
    exposure: float  #: mean share of a target's non-members that score below it
    exposure_sd: float | None  #: over those targets
    nonmember_exposure: float | None  #: the same in the targets that did not train on it


class Exposed(_Record):
    """The units that one attack exposes most, the most exposed first."""

    attack: PluginRecord
    unit: Literal["row", "subject"]
    records: list[ExposedRecord]


class Privacy(_Record):
    """The models trained on halves of the pool, and what the attacks made of them."""

    trainings: list[str]  #: content keys
    references: int  #: number of other models that each target is attacked with
    queries: list[str]
    member_accuracy: Estimate  #: mean over models on the rows that they trained on, against the given labels
    nonmember_accuracy: Estimate  #: mean over models on the rows of the pool that they did not train on
    test_accuracy: Estimate | None  #: mean over models on the test split; None where only signals were audited
    attacks: list[AttackResult]
    invalid: str = ""  #: why none of this can be trusted; empty where nothing speaks against it
    records: str | None = None  #: csv with the exposure of every row, relative to the folder of results.json
    exposed: list[Exposed] = []  #: of each attack


class GroupGuarantee(_Record):
    """What a guarantee for one image promises a person with several."""

    images: int  #: of the person with most
    epsilon: float | None  #: at the same delta; None where nothing finite can be said


class Guarantee(_Record):
    """What differentially private training promises: (epsilon, delta) for the presence of one image."""

    unit: Literal["image"] = "image"
    epsilon: float  #: under the sampling that was done: by PLD for poisson, by composition of epochs for shuffle
    delta: float
    accountant: str  #: in words, such as "PLD, Poisson sampling"
    epsilon_pld: float | None  #: by privacy loss distributions, under Poisson sampling; None where rows were shuffled
    epsilon_rdp: float | None  #: by Renyi differential privacy, likewise: never below the former but for rounding
    epsilon_shuffled: float  #: conservative: as if every image were in one step of each epoch, known to the attacker
    noise_multiplier: float
    clip_norm: float
    sampling: Literal["poisson", "shuffle"]
    sampling_rate: float  #: chance of an image to be in a step, or its share of an epoch
    batch_size: int
    steps: int
    epochs: int
    rows: int  #: that the above is counted for
    group: GroupGuarantee | None = None  #: where people are known


class CanaryAudit(_Record):
    """How much privacy loss one training run shows by canaries that fair coins put among its rows."""

    training: str  #: content key
    kind: Literal["mislabelled", "blank", "out-of-distribution", "duplicates"]
    count: int
    included: int
    copies: int  #: of a canary that is trained on
    auc: Estimate  #: of included against excluded canaries
    guesses: int  #: of the rule with the largest bound
    correct: int
    lower_bound: float  #: on epsilon for the unit
    cap: float  #: the largest bound that so many canaries could ever give
    delta: float
    confidence: float = Field(gt=0, lt=1)
    unit: Literal["image", "group"]  #: a canary of several copies is hidden by the guarantee for a group of as many
    promised: float | None  #: epsilon for that unit of this very training; None where nothing is promised
    broken: bool  #: the bound lies above the promise
    guarantee: Guarantee | None  #: of this training
    method: str
    file: str  #: csv with all canaries: coin, label, score, guess; relative to the folder of results.json


class ManyRunAudit(_Record):
    """How much privacy loss many trainings prove (Jagielski et al. 2020): the strongest attack's bound."""

    attack: PluginRecord | None  #: with the largest bound; None where no attack was run
    lower_bound: float  #: at a confidence that is corrected for the number of attacks
    cap: float
    delta: float
    confidence: float = Field(gt=0, lt=1)
    unit: Literal["row", "subject"]
    decisions: int  #: independent ones
    promised: float | None  #: epsilon for that unit of these very trainings, those on halves
    broken: bool
    guarantee: Guarantee  #: of the trainings on halves
    method: str


class CalibrationSplit(_Record):
    """Rows on which thresholds were chosen, and which were not scored."""

    members: int
    nonmembers: int
    share: float  #: that was asked for


class AuditedFile(_Record):
    """A model that was not trained by the run."""

    file: str  #: its name, without the folder that it lies in
    format: str  #: such as "keras", "keras-h5", "saved-model", "onnx", "tflite", "callable", "weights", "answers"
    sha256: str  #: of the file, or of all files of a folder
    bytes: int
    input_shape: list[int | None] | None  #: of an image as the model takes it; None where it takes none
    outputs: Literal["logits", "probabilities"]  #: what it answered
    preprocessing: dict[str, Any]  #: as `audit_section.Preprocessing`
    trusted: bool = False  #: whether it was allowed to run code of its own
    checkpoint: int | None = None  #: epochs that it was trained for
    references: str = ""  #: where its reference models come from; empty where there are none
    calibration: CalibrationSplit | None = None  #: None where references set the thresholds
    warnings: list[str] = []  #: what speaks against the declared preprocessing, or the order of the classes


class Cell(_Record):
    """One line of the grid."""

    id: str  #: readable and unique in the grid, such as `synthface/ghostface/randaug+mixup/symmetric(rate=0.2)/seed0`
    model: str  #: label of the model within the grid
    augmentation: str  #: label such as `none` or `randaug+mixup`
    label_attack: str  #: label such as `none` or `symmetric(rate=0.2)`
    noise_rate: float  #: realised rate of corrupted labels
    seed: int
    model_plugin: PluginRecord
    augmentation_plugins: list[PluginRecord]
    label_attack_plugin: PluginRecord | None
    corruption: Corruption | None
    status: Literal["done", "failed", "missing"]
    error: str = ""  #: of the first training that failed, with the tail of its log
    utility: Utility | None = None
    privacy: Privacy | None = None
    memorisation: Memorisation | None = None
    label_errors: LabelErrors | None = None
    corruptions: CorruptionRobustness | None = None
    adversarial: AdversarialRobustness | None = None
    batch_invariance: BatchInvariance | None = None
    explanation: Explanation | None = None
    defence: str = "none"  #: label such as `none` or `dp-sgd(epsilon=8)`
    defence_plugin: PluginRecord | None = None
    guarantee: Guarantee | None = None  #: of the utility model
    canaries: CanaryAudit | None = None
    many_runs: ManyRunAudit | None = None  #: only where there is a guarantee
    audited: AuditedFile | None = None  #: None where the run trained the cell's models


class LeftOut(_Record):
    """A cell that the grid names and that can't be."""

    id: str
    reason: str


class MatchedDifference(_Record):
    """How much more a cell leaks than differentially private training that is as accurate."""

    metric: Literal["auc"]
    attack: PluginRecord
    cell: str  #: id
    accuracy: float  #: balanced, of the cell
    below: str  #: id of the private cell with the nearest lower accuracy
    above: str
    share: float  #: of the way from `below` to `above` at which the accuracy is that of the cell
    reference: float  #: leakage there, on the straight line between the two
    difference: Estimate  #: cell less reference; its interval holds the uncertainty of the accuracies too
    note: str = ""


class PairedDifference(_Record):
    """How much more one cell has of something than another, on the same rows."""

    metric: Literal["accuracy", "balanced_accuracy", "auc"]
    attack: PluginRecord | None = None  #: of an AUC
    cell: str  #: id
    baseline: str  #: id
    difference: Estimate  #: cell less baseline; paired, so that what both find hard cancels


class Gate(_Record):
    """A limit that cells must keep."""

    metric: str
    max: float | None = None
    min: float | None = None
    level: Literal["error", "warn"] = "error"  #: whether breaking it fails the run, or is only said
    certain: bool = False  #: whether the whole interval must lie on one side of the limit
    where: dict[str, list[str]] = {}  #: "model", "augmentation", "labels", "seed" -> values of the cells that are meant


class Tile(_Record):
    """One small picture."""

    file: str  #: relative to the folder of results.json; empty where there is none
    text: str = ""


class GalleryRow(_Record):
    """Pictures side by side."""

    label: str
    tiles: list[Tile]


class Gallery(_Record):
    """Pictures of a few test or train images, and what models make of them."""

    kind: Literal["heat-maps", "corrupted-rows"]
    title: str
    caption: str
    columns: list[str]  #: heads, as many as a row has tiles; empty where columns mean nothing, and rows may differ
    rows: list[GalleryRow]


class ImageSheet(_Record):
    """A picture for the report, in a file beside the results."""

    kind: Literal["expressions", "augmentation"]
    title: str
    caption: str
    file: str  #: relative to the folder of results.json
    labels: list[str]  #: of the rows of the sheet, top to bottom


class SourceFile(_Record):
    """A file of code from outside fer-audit that a run imports."""

    path: str  #: below a plug-in folder as the grid names it, or `name version: module/path.py` of an installed package
    sha256: str
    plugins: list[str] = []  #: of the grid whose code it is part of, such as `model mine`; none: imported all the same
    loaded: bool = True  #: whether it could be imported


class Provenance(_Record):
    """What the numbers depend on."""

    fer_audit: str
    python: str
    packages: dict[str, str]
    platform: str
    grid_text: str
    grid_sha256: str
    recipe: dict[str, Any]
    seeds: list[int]
    code: list[SourceFile] = []  #: from outside fer-audit


class Results(_Record):
    """Everything that the report shows, but for times and latencies."""

    schema_version: int = SCHEMA_VERSION
    grid: str
    include_images: bool
    dataset: DatasetSummary
    costs: list[Cost]
    cells: list[Cell]
    noise_curves: list[NoiseCurve] = []
    comparisons: list[PairedDifference] = []  #: of pairs of cells, each pair once
    matched: list[MatchedDifference] = []  #: against private training at equal accuracy, attack by attack
    left_out: list[LeftOut] = []
    gates: list[Gate] = []  #: of the grid
    sheets: list[ImageSheet] = []
    galleries: list[Gallery] = []
    provenance: Provenance


class DataReport(_Record):
    """What `fer-audit data` found: the dataset alone, without any model."""

    schema_version: int = SCHEMA_VERSION
    name: str
    include_images: bool
    dataset: DatasetSummary
    sizes: list[ImageSizes]  #: none where the images are no files
    attributes: dict[str, dict[str, int]]  #: of the train split: name -> value -> rows
    sheets: list[ImageSheet] = []


class RunRecord(_Record):
    """What differs from run to run: when, where, how long, and how fast one image is classified."""

    started: str  #: ISO 8601, UTC
    finished: str | None = None
    seconds: float = 0.0
    command: str = ""
    grid_file: str = ""  #: the grid, as the command named it
    machine: str = ""
    workers: int = 1
    engine: str = "local"
    git_commit: str | None = None  #: of the folder that holds the grid
    git_dirty: bool | None = None
    trained: int = 0  #: trainings of this run
    reused: int = 0  #: trainings that were in the store already
    failed: int = 0
    lost: int = 0  #: attempts whose worker or node was lost, and that were made again
    training_seconds: dict[str, float] = {}  #: content key -> seconds
    latencies: list[Latency] = []


def write_text(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old text or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_results(results: Results, path: Path) -> None:
    """Writes results.json."""
    write_text(path, results.model_dump_json(indent=1) + "\n")


def read_results(path: Path) -> Results:
    """Reads results.json; raises ResultsError."""
    return _read(path, Results)


def write_data(report: DataReport, path: Path) -> None:
    """Writes data.json."""
    write_text(path, report.model_dump_json(indent=1) + "\n")


def read_data(path: Path) -> DataReport:
    """Reads data.json; raises ResultsError."""
    return _read(path, DataReport)


def write_run(record: RunRecord, path: Path) -> None:
    """Writes run.json."""
    write_text(path, record.model_dump_json(indent=1) + "\n")


def read_run(path: Path) -> RunRecord:
    """Reads run.json; raises ResultsError."""
    return _read(path, RunRecord)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Lets no garbage be collected: results are millions of objects without a cycle, gone through again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


#: Bytes of a results file: those of a hundred thousand cells are a fifth of it.
_MOST = 8 << 30

#: How such numbers are written, and those that JSON has no words for; what stands in texts is found too.
_ENDLESS = re.compile(rb"NaN|Infinity|[0-9][eE]\+?[0-9]{3,}\s*[,\]}]|(?<![0-9.])[0-9]{19,}")

#: What no figure of an audit comes near; the report would compute on with what is larger, and end in infinity.
_LARGEST = 1e100
_BITS = 63  #: of a whole number


def _read(path: Path, schema: type[Schema]) -> Schema:
    try:
        text = read_plain(path, _MOST)
    except OSError as error:
        raise ResultsError(f"can't read {path}: {error.strerror}; run the grid first") from None
    try:
        with uncollected():
            found = schema.model_validate_json(text)
    except ValidationError as error:
        _check_version(path, schema, _version(text))
        first = error.errors(include_url=False)[0]
        place = "".join(f"{part}." for part in first["loc"]).removesuffix(".")
        said = f"{place}: {first['msg']}" if place else first["msg"]
        raise ResultsError(f"{path} is not a {schema.__name__} file of schema {SCHEMA_VERSION}: {said}") from None
    _check_version(path, schema, getattr(found, "schema_version", SCHEMA_VERSION))
    if _ENDLESS.search(text):
        _refuse_endless(path, found)
    if isinstance(found, Results):
        _refuse_twice(path, found)
    return found


class _Version(BaseModel):
    """What a file of any schema says of itself."""

    schema_version: int


def _version(text: bytes) -> int:
    """The schema that wrote a file; ours where that does not say."""
    try:
        return _Version.model_validate_json(text).schema_version
    except ValidationError:
        return SCHEMA_VERSION


def _check_version(path: Path, schema: type[BaseModel], version: int) -> None:
    if version != SCHEMA_VERSION and "schema_version" in schema.model_fields:
        mend = "run it again" if version < SCHEMA_VERSION else "update fer-audit"
        raise ResultsError(f"{path} is of schema {version}, this fer-audit reads schema {SCHEMA_VERSION}; {mend}")


def _refuse_endless(path: Path, found: BaseModel) -> None:
    """Raises ResultsError where a number is NaN, infinite or absurd; what was not resolved is null, and says why."""
    waiting: list[tuple[str, Any]] = [("", found)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, float) and not abs(value) <= _LARGEST:  # true of NaN
            raise ResultsError(f"{path}: {place.removeprefix('.')} is {value}; expected a finite number or null")
        if isinstance(value, int) and value.bit_length() > _BITS:
            raise ResultsError(f"{path}: {place.removeprefix('.')} has {value.bit_length()} bits; expected at most 63")
        if isinstance(value, BaseModel):
            waiting.extend((f"{place}.{name}", one) for name, one in value)
        elif isinstance(value, dict):
            waiting.extend((f"{place}.{name}", one) for name, one in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend((f"{place}.{number}", one) for number, one in enumerate(value))


def _refuse_twice(path: Path, results: Results) -> None:
    """Raises ResultsError where two cells have one id."""
    seen: dict[str, int] = {}
    for place, cell in enumerate(results.cells):
        if seen.setdefault(cell.id, place) != place:
            raise ResultsError(f"{path}: cells.{seen[cell.id]} and cells.{place} are both {cell.id!r}; expected one")
