"""The grid: what a user asks for, read from YAML and checked field by field."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fer_audit.audit_section import Audit, AuditedModel, Preprocessing
from fer_audit.canary_section import Canaries
from fer_audit.defence_section import DEFENCES, DP_SGD
from fer_audit.errors import GridError, did_you_mean
from fer_audit.gate_section import METRICS, GateSection, Where, check_where
from fer_audit.grid_text import GridText, parse_text, read_text, shown
from fer_audit.measures_section import MEASURES, Measures
from fer_audit.section import ONCE, MisplacedError, Section, as_list

NONE = "none"


def _plain(params: Any) -> Any:
    """Parameters of which JSON can hold every value; raises MisplacedError with the place of another."""
    if isinstance(params, Mapping):
        for name, value in params.items():
            if not isinstance(name, str):
                raise MisplacedError(f"expected names of parameters. Received: {shown(name)}", name)
            _refuse_strange(value, name)
    return params


def _refuse_strange(value: Any, *location: int | str) -> None:
    if isinstance(value, Mapping):
        for key, one in value.items():
            _refuse_strange(one, *location, key)
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            _refuse_strange(one, *location, place)
    elif not isinstance(value, str | int | float | None):
        raise MisplacedError(f"expected text, a number, true or false; quote a date. Received: {value}", *location)


class PluginRef(Section):
    """A plug-in as the grid names it: `randaug`, or `{name: randaug, params: {m: 5}}`."""

    name: str = Field(min_length=1, description="the plug-in")
    params: Annotated[dict[str, Any], BeforeValidator(_plain)] = Field(
        default_factory=dict, description="its parameters; those left out have defaults"
    )

    @property
    def label(self) -> str:
        """Name and the parameters that were set, such as `symmetric(rate=0.2)`."""
        if not self.params:
            return self.name
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in sorted(self.params.items()))})"


def _named(value: Any) -> Any:
    """A bare name stands for the plug-in with its defaults; YAML reads an unquoted `none` as text, `null` as None."""
    if value is None:
        return {"name": NONE}
    return {"name": value} if isinstance(value, str) else value


Ref = Annotated[PluginRef, BeforeValidator(_named)]


def _without_none(chain: tuple[PluginRef, ...]) -> tuple[PluginRef, ...]:
    if len(chain) > 1 and any(ref.name == NONE for ref in chain):
        raise ValueError(f"a composition can't hold {NONE!r}")
    if any(ref.name == NONE and ref.params for ref in chain):
        raise ValueError(f"the augmentation {NONE!r} takes no parameters")
    return tuple(ref for ref in chain if ref.name != NONE)


#: Augmentations that are applied one after another; empty for `none`.
Chain = Annotated[tuple[Ref, ...], BeforeValidator(as_list), AfterValidator(_without_none)]


def chain_label(chain: tuple[PluginRef, ...]) -> str:
    """`none`, `randaug`, or `randaug+mixup`."""
    return "+".join(ref.label for ref in chain) or NONE


def _known_defence(ref: PluginRef) -> PluginRef:
    """A defence with its parameters checked; raises ValueError."""
    if ref.name == NONE:
        if ref.params:
            raise ValueError(f"the defence {NONE!r} takes no parameters")
        return ref
    if ref.name not in DEFENCES:
        raise MisplacedError(f"unknown defence: {did_you_mean(ref.name, [NONE, *DEFENCES])}", "name")
    try:
        DEFENCES[ref.name].model_validate(ref.params)
    except ValidationError as error:
        first = error.errors()[0]
        parameter = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = did_you_mean(parameter, DEFENCES[ref.name].model_fields)
            raise MisplacedError(f"{ref.name} has no parameter {parameter!r}: {known}", "params", parameter) from None
        message = first["msg"].removeprefix("Value error, ")
        said = message if first["type"] == "value_error" else f"{message}. Received: {first['input']!r}"
        raise MisplacedError(f"{ref.name}: {said}", "params", *first["loc"]) from None
    return ref


def _parameters(value: Any) -> Any:
    if value is not None and not isinstance(value, Mapping | BaseModel):
        raise ValueError(f"expected parameters such as {{kind: mislabelled, count: 256}}. Received: {value!r}")
    return value


#: What is done against leakage while a model learns.
Defence = Annotated[PluginRef, BeforeValidator(_named), AfterValidator(_known_defence)]


class Attacks(Section):
    """Attacks before training (on labels) and after it (on membership)."""

    labels: tuple[Ref, ...] = Field(
        (PluginRef(name=NONE),),
        min_length=1,
        description="before training: how the labels of the train split are corrupted; the test split is never touched",
    )
    membership: tuple[Ref, ...] = Field(
        (), description="after training: what tells from a model's answers which images it was trained on"
    )


class Optimizer(Section):
    """How weights are updated."""

    name: Literal["adamw", "adam", "sgd"] = Field("adamw", description="the rule by which weights are updated")
    learning_rate: float = Field(1e-3, gt=0, description="at the first step")
    weight_decay: float = Field(1e-4, ge=0, description="of adamw, decoupled; adam and sgd ignore it")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    clip_norm: float | None = Field(
        None,
        gt=0,
        description="greatest length of the gradient of all weights together; null: gradients are not clipped",
    )
    schedule: Literal["constant", "cosine"] = Field(
        "cosine", description="of the learning rate: constant, or half a cosine down to zero"
    )


class Training(Section):
    """The recipe that every training of the grid follows."""

    image_size: int = Field(48, ge=16, le=512, description="pixels a side; images are resized to it")
    epochs: int = Field(20, ge=1, le=100_000, description="times that every row is trained on")
    batch_size: int = Field(32, ge=2, le=1_000_000, description="rows of a step")
    optimizer: Optimizer = Field(Optimizer(), description="how weights are updated")


#: Names of `fer_audit.training.queries.QUERIES`, which can't be imported here: training lies above the grid.
Query = Literal["identity", "flip", "up", "down", "left", "right"]


class Privacy(Section):
    """How membership is measured."""

    references: int = Field(
        6,
        ge=4,
        le=10_000,
        description="models of a cell that are trained on halves of the pool, in complementary pairs; an even number",
        json_schema_extra={"multipleOf": 2},
    )
    queries: tuple[Query, ...] = Field(
        ("identity",),
        min_length=1,
        description="what models are asked about: the image as it is (identity), its mirror image (flip), and/or the "
        "image moved a little (up, down, left, right)",
        json_schema_extra=ONCE,
    )
    loss_trace: bool = Field(
        False, description="keep the loss of every pool row after every epoch, also where no attack needs it"
    )

    @model_validator(mode="after")
    def _asked_once(self) -> Privacy:
        twice = [query for query in self.queries if self.queries.count(query) > 1]
        if twice:
            raise ValueError(f"queries names {twice[0]!r} twice; each query is asked once")
        return self

    @model_validator(mode="after")
    def _even(self) -> Privacy:
        if self.references % 2:
            raise ValueError(
                f"references come in complementary pairs; expected an even number, e.g. {self.references + 1}"
            )
        return self


#: Ray cuts a processor or a graphics card into so many parts.
_SHARES = 10_000


class Resources(Section):
    """What the run may use; nothing here changes a result."""

    workers: Annotated[int, Field(json_schema_extra={"minimum": 1})] | Literal["auto"] = Field(
        "auto", description="processes, one core each; auto is one for every core"
    )

    timeout_minutes: float | None = Field(
        30,
        gt=0,
        description="without a sign of a worker, after which its training counts as hung and fails; null: never",
    )
    cpus: float = Field(1, gt=0, description="that a worker takes of a Ray cluster; it computes on one")
    gpus: float = Field(0, ge=0, description="that a worker takes of a Ray cluster; a part of one is shared")
    gpu_memory_mb: int | None = Field(
        None, ge=1, description="most that a worker takes of its graphics card; null: as it grows"
    )

    @model_validator(mode="after")
    def _positive(self) -> Resources:
        if self.workers != "auto" and self.workers < 1:
            raise ValueError("workers must be 'auto' or at least 1")
        return self

    @model_validator(mode="after")
    def _dealt_out_by_ray(self) -> Resources:
        for name, value in (("cpus", self.cpus), ("gpus", self.gpus)):
            if abs(value * _SHARES - round(value * _SHARES)) > 1e-6:
                raise ValueError(f"{name} come in steps of {1 / _SHARES}. Received: {value}")
            if value > 1 and value != round(value):
                raise ValueError(f"{name} above 1 must be a whole number. Received: {value}")
        return self


#: Bytes of a name that leave room, in what file systems allow of 255, for what is written beside the report.
_LONGEST_FOLDER = 200


def _short(name: str) -> str:
    if len(name.encode()) > _LONGEST_FOLDER:
        raise ValueError(f"expected a name of a folder, at most {_LONGEST_FOLDER} letters. Received: {shown(name)}")
    return name


#: The pattern of a name for editors, whose `\w` knows no letters beyond ASCII.
_NAME_OF_EDITORS = r"^([^\s!-/:-@\[-\^`{-~][^\s!-,/:-@\[-\^`{-~]*)?$"


class Grid(Section):
    """A study: every model with every augmentation, label attack and seed, attacked by every membership attack."""

    name: Annotated[str, AfterValidator(_short)] = Field(
        "",
        pattern=r"^(\w[\w.-]*)?$",
        description="the name of the report's folder, reports/<name>; left out, it is the name of this file",
        json_schema_extra={"pattern": _NAME_OF_EDITORS},
    )
    dataset: Ref = Field(description="where the faces come from; `fer-audit list datasets` shows all")
    models: tuple[Ref, ...] = Field(
        (),
        description="what is trained; `fer-audit list models` shows all. Beside `audit` at most one, in whose likeness "
        "privacy.references models are trained by this grid's recipe",
        json_schema_extra=ONCE,
    )
    audit: Audit | None = Field(
        None, description="models that were trained elsewhere, in the place of `models`; the dataset is member-lists"
    )
    augmentations: tuple[Chain, ...] = Field(
        ((),),
        min_length=1,
        description="applied to the training batches; a list inside the list is applied one after another",
        json_schema_extra=ONCE,
    )
    defences: tuple[Defence, ...] = Field(
        (PluginRef(name=NONE),),
        min_length=1,
        description="against leakage while a model learns; `fer-audit list defences` shows all",
        json_schema_extra=ONCE,
    )
    attacks: Attacks = Field(Attacks(), description="on labels before training, and on membership after it")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0,),
        min_length=1,
        description="each repeats the whole grid with other weights, other halves and other corrupted rows",
        json_schema_extra=ONCE,
    )
    training: Training = Field(Training(), description="the recipe of every training")
    privacy: Privacy = Field(Privacy(), description="how membership is measured")
    canaries: Annotated[Canaries | None, BeforeValidator(_parameters)] = Field(
        None, description="images that fair coins put among the rows of one more training of each cell, to audit it"
    )
    measures: Measures = Field(
        Measures(), description="what else is measured: `true`, or parameters; `fer-audit list measures` shows all"
    )
    gates: tuple[GateSection, ...] = Field(
        (), description="limits that every cell must keep, or those that `where` names; breaking one ends with code 1"
    )
    resources: Resources = Field(Resources(), description="what the run may use; changes no result")
    plugins: tuple[str, ...] = Field((), description="folders with your own plug-ins, relative to this file")
    include_images: bool = Field(
        False, description="show images of real people in the report? Drawn faces are always shown"
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Grid:
        for field, labels in (
            ("models", [ref.label for ref in self.models]),
            ("augmentations", [chain_label(chain) for chain in self.augmentations]),
            ("defences", [ref.label for ref in self.defences]),
            ("attacks.labels", [ref.label for ref in self.attacks.labels]),
            ("attacks.membership", [ref.label for ref in self.attacks.membership]),
            ("seeds", [str(seed) for seed in self.seeds]),
        ):
            twice = sorted(label for label, count in Counter(labels).items() if count > 1)
            if twice:
                said = f"{field} names {twice[0]!r} twice; each line of the grid is run once"
                raise MisplacedError(said, *field.split("."))
        return self

    @property
    def model_labels(self) -> list[str]:
        """What the models of the report are called, in the grid's order."""
        return [model.label for model in (self.audit.models if self.audit else self.models)]

    @model_validator(mode="after")
    def _something_to_do(self) -> Grid:
        if self.audit is None:
            if not self.models:
                raise MisplacedError("expected the models that are trained, or `audit` with models of others", "models")
            return self
        for field, received, most in (
            ("models", len(self.models), 1),
            ("augmentations", len(self.augmentations), 1),
            ("defences", len(self.defences), 1),
            ("seeds", len(self.seeds), 1),
        ):
            if received > most:
                raise MisplacedError(
                    f"beside `audit` there is one recipe for reference models: expected at most one of {field}, "
                    f"received {received}",
                    field,
                )
        return self._for_audit()

    def _for_audit(self) -> Grid:
        """Refuses what belongs to models that are trained."""
        asked = {
            "attacks.labels": [ref.label for ref in self.attacks.labels] != [NONE],
            "canaries": self.canaries is not None,
            "measures.memorisation": self.measures.memorisation is not None,
            "measures.label_errors": self.measures.label_errors is not None,
        }
        for field, given in asked.items():
            if given:
                raise MisplacedError(
                    f"{field} is of models that the grid trains, and can't stand beside `audit`", field
                )
        if not self.models:
            self._refuse_recipe()
        if self.models and self.audit and self.audit.references is not None:
            raise MisplacedError(
                "expected either a folder of references or a model to train them, received both", "audit"
            )
        return self

    def _refuse_recipe(self) -> None:
        """Refuses what says how references are trained, where none is."""
        given = sorted({"augmentations", "defences"} & self.model_fields_set)
        given += [f"training.{name}" for name in self.training.model_fields_set - {"image_size"}]
        given += [f"privacy.{name}" for name in self.privacy.model_fields_set - {"queries"}]
        if given:
            raise MisplacedError(
                f"{sorted(given)[0]} is of the training of reference models, and the grid trains none; name the model "
                f"that they are trained as in `models`, or leave it out",
                *sorted(given)[0].split("."),
            )

    @model_validator(mode="after")
    def _known_models(self) -> Grid:
        known, named = self.model_labels, list[tuple[str, str]]()
        if self.measures.corruptions and self.measures.corruptions.baseline is not None:
            named.append(("corruptions.baseline", self.measures.corruptions.baseline))
        if self.measures.explanations and isinstance(self.measures.explanations.layer, dict):
            named += [("explanations.layer", model) for model in self.measures.explanations.layer]
        for field, model in named:
            if model not in known:
                raise MisplacedError(
                    f"{field.rpartition('.')[2]} must name a model of the grid: {did_you_mean(model, known)} "
                    f"Received: {model!r}",
                    "measures",
                    *field.split("."),
                )
        return self

    @model_validator(mode="after")
    def _known_cells(self) -> Grid:
        known = {
            "model": self.model_labels,
            "augmentation": [chain_label(chain) for chain in self.augmentations],
            "defence": [ref.label for ref in self.defences],
            "labels": [ref.label for ref in self.attacks.labels],
            "seed": [str(seed) for seed in self.seeds],
        }
        for place, gate in enumerate(self.gates):
            try:
                check_where(gate.where.named, known)
            except MisplacedError as error:
                raise MisplacedError(str(error), "gates", place, "where", *error.location) from None
        return self

    def _has(self, needed: str) -> bool:
        """Whether the grid has a section such as `measures.corruptions`, or private training."""
        if needed == DP_SGD:
            return any(ref.name == DP_SGD for ref in self.defences)
        return bool(functools.reduce(getattr, needed.split("."), self))

    @model_validator(mode="after")
    def _measured(self) -> Grid:
        """A gate on what the grid does not measure would be found out hours later."""
        for place, gate in enumerate(self.gates):
            needs = METRICS[gate.metric].needs
            if needs and not self._has(needs):
                raise MisplacedError(
                    f"{gate.metric} is measured only where the grid has {needs}; add it, or leave the gate out",
                    *("gates", place, "metric"),
                )
        return self


class GridFile(BaseModel):
    """A grid with the place that it was read from."""

    model_config = ConfigDict(frozen=True)

    grid: Grid
    path: Path
    text: str

    @property
    def base(self) -> Path:
        """The folder that relative paths in the grid start from."""
        return self.path.parent

    @property
    def plugin_folders(self) -> list[Path]:
        """The plug-in folders that the grid names."""
        return [self.base / folder for folder in self.grid.plugins]


def read_grid(path: Path) -> GridFile:
    """Reads and checks a grid; raises GridError with file, line, what was expected and what was received."""
    return parse_grid(read_text(path), path)


def parse_grid(text: str, path: Path) -> GridFile:
    """Checks the text of a grid that lies, or will lie, at `path`; raises GridError likewise."""
    found = parse_text(text, path)
    try:
        grid = Grid.model_validate(found.values)
    except ValidationError as error:
        raise GridError(_explain(error, found, path)) from None
    if not grid.name:
        grid = grid.model_copy(update={"name": path.stem})
    return GridFile(grid=grid, path=path, text=text)


#: Choices that an error lists; of more it names the nearest.
_FEW = 8

#: Letters of a name that the nearest known one is sought for.
_LONGEST = 100


def _explain(error: ValidationError, text: GridText, path: Path) -> str:
    errors = error.errors()
    # A misspelt field is also a missing one; the misspelling is what the user can mend.
    first = next((item for item in errors if item["type"] == "extra_forbidden"), errors[0])
    cause = first.get("ctx", {}).get("error")
    location = (*first["loc"], *(cause.location if isinstance(cause, MisplacedError) else ()))
    # Parts that exist in the file only: pydantic adds the branch of a union, such as ('workers', 'int').
    place = ".".join(str(part) for part in location[: text.depth(location)]) or "grid"
    prefix = f"{path}:{text.line(location)}: "
    if first["type"] == "extra_forbidden":
        *parents, name = location
        hint = did_you_mean(str(name)[:_LONGEST], _fields_at(tuple(parents)))
        return f"{prefix}unknown field {shown(name)}{' in ' + '.'.join(map(str, parents)) if parents else ''}: {hint}"
    if first["type"] == "missing":
        return f"{prefix}the field {'.'.join(map(str, location))!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{prefix}{place}: {message}"
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        known = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        if len(known) > _FEW:
            hint = did_you_mean(first["input"][:_LONGEST], known)
            return f"{prefix}{place}: {hint} Received: {shown(first['input'])}"
    return f"{prefix}{place}: {message}. Received: {shown(first['input'])}"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that the section at `location` has."""
    sections: Mapping[str, type[BaseModel]] = {
        "attacks": Attacks,
        "training": Training,
        "optimizer": Optimizer,
        "privacy": Privacy,
        "audit": Audit,
        "preprocessing": Preprocessing,
        "canaries": Canaries,
        "measures": Measures,
        **MEASURES,
        "resources": Resources,
        "where": Where,
    }
    if not location:
        return list(Grid.model_fields)
    last = next((part for part in reversed(location) if isinstance(part, str)), "")
    inside_list = isinstance(location[-1], int)
    of_lists = {"gates": GateSection} | ({"models": AuditedModel} if "audit" in location else {})
    section = (of_lists if inside_list else sections).get(last, PluginRef)
    return list(section.model_fields)
