"""The JSON Schema of grids: it accepts what a grid and its plug-ins accept, and refuses what they refuse."""

import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fer_audit.errors import PluginError
from fer_audit.gate_section import METRICS
from fer_audit.grid import NONE, Grid
from fer_audit.grid_schema import PLACES, grid_schema, kinds_schema, measures_schema
from fer_audit.measures_section import MEASURES
from fer_audit.models.model import Model
from fer_audit.plugins import KINDS, Parameters
from fer_audit.registry import Registry

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SMALL = "dataset: synthface\nmodels: [ghostface]\n"

REGISTRY = Registry.load()
SCHEMA = grid_schema(REGISTRY)


def validator(schema):
    return jsonschema.Draft7Validator(schema)


def as_json(text):
    """What an editor sees of a YAML text; later keys of the first level take the place of earlier ones."""
    return json.loads(json.dumps(yaml.safe_load(text)))


def accepted(values, registry=REGISTRY):
    """Whether a run would go on to the data: `read_grid` on values, and every plug-in made."""
    try:
        grid = Grid.model_validate(values)
        registry.create("dataset", grid.dataset.name, grid.dataset.params)
        for kind, refs in (
            ("model", grid.models),
            ("augmentation", itertools.chain.from_iterable(grid.augmentations)),
            ("label-attack", [ref for ref in grid.attacks.labels if ref.name != NONE]),
            ("membership-attack", grid.attacks.membership),
        ):
            for ref in refs:
                registry.create(kind, ref.name, ref.params)
    except (ValidationError, PluginError):
        return False
    return True


def test_it_is_a_schema_of_draft_7():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    assert "$defs" not in text
    assert "prefixItems" not in text
    assert len(json.dumps(SCHEMA, indent=1)) < 150_000


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_grids_are_valid_and_name_the_schema(path):
    assert path.read_text().startswith("# yaml-language-server: $schema=grid.schema.json\n")
    validator(SCHEMA).validate(as_json(path.read_text()))


def test_the_shipped_schema_is_up_to_date():
    shipped = (EXPERIMENTS / "grid.schema.json").read_text()
    assert json.loads(shipped) == json.loads(json.dumps(SCHEMA)), "make it again: make schema"


VALID = [
    "",
    "dataset: {name: synthface}",
    "dataset: {name: synthface, params: {}}",
    "dataset: {name: synthface, params: {rows: 100, identities: null}}",
    "dataset: {name: folders, params: {root: faces, classes: {a: happy, b: null}}}",
    "models: [ghostface, {name: ghostface, params: {norm_momentum: 0.5}}]",
    "name: größe-2.1_b",
    'name: ""',
    "augmentations: [none, mixup]",
    "augmentations: [null]",
    "augmentations: [[]]",
    "augmentations: [[none]]",
    "augmentations: [[null]]",
    "augmentations: [{name: none}]",
    "augmentations: [{name: none, params: {}}]",
    "augmentations: [[mixup, randaug], mixup, {name: randaug, params: {n: 1, m: 30}}]",
    "augmentations: [[{name: randaug, params: {n: 1}}]]",
    "defences: [none, dp-sgd, label-smoothing, {name: early-stopping, params: {patience: 2, held_out: 0.2}}]",
    "defences: [null]",
    "defences: [{name: none, params: {}}]",
    "defences: [{name: dp-sgd, params: {epsilon: 3, delta: 1.0e-6, sampling: shuffle, batch_size: null}}]",
    "defences: [{name: dp-sgd, params: {noise_multiplier: 1.1, clipping: ghost, physical_batch: 8}}]",
    "canaries: {}",
    "canaries: null",
    "canaries: {kind: out-of-distribution, count: 64, copies: 3}",
    "attacks: {}",
    "attacks: {membership: []}",
    "attacks: {labels: [null, symmetric, {name: symmetric, params: {rate: 0.4, exact: true}}]}",
    "attacks: {labels: [{name: transition, params: {preset: resup-us}}, {name: none}]}",
    "attacks: {membership: [rmia, {name: rmia, params: {queries: [0, 2], a: 0.5}}]}",
    "seeds: [0, 3]",
    "training: {epochs: 1, image_size: 512, batch_size: 2}",
    "training: {optimizer: {name: sgd, clip_norm: null, momentum: 0}}",
    "privacy: {references: 4, queries: [flip, identity], loss_trace: true}",
    "resources: {workers: auto}",
    "resources: {workers: 1}",
    "plugins: [mine, ../others]",
    "include_images: true",
    "measures: {memorisation: true, label_errors: false, batch_invariance: {}}",
    "measures: {corruptions: {kinds: [fog], severities: [5, 1], rows: null, baseline: ghostface}}",
    "measures: {adversarial: {epsilons: [0.1, 2]}}",
    "measures: {explanations: {layer: {ghostface: x}}}",
    "measures: {explanations: {layer: x}}",
    "gates: []",
    "gates: [{metric: macs, max: 5.0e+8}, {metric: accuracy, min: 1, max: null, certain: true, level: warn}]",
    "gates: [{metric: latency_p50_ms, max: 9, certain: false}]",
    "gates: [{metric: macs, max: 1, where: {model: ghostface, augmentation: null, labels: [null, none], seed: 0}}]",
    "gates: [{metric: macs, max: 1, where: {}}]",
    "{gates: [{metric: mia_advantage, max: -0.5}], attacks: {membership: [gap]}}",
]

INVALID = [
    "training: {epochs: true}",
    "training: {epochs: 100001}",
    "seeds: [true]",
    "trainng: {}",
    "dataset: null",
    "dataset: none",
    "dataset: [synthface]",
    "dataset: 3",
    "dataset: synthfaces",
    "dataset: folders",  # needs its root
    "dataset: {name: folders}",
    "dataset: {name: folders, params: {}}",
    "dataset: {params: {}}",
    "dataset: {name: synthface, param: {}}",
    "dataset: {name: synthface, params: null}",
    "dataset: {name: synthface, params: {row: 100}}",
    "dataset: {name: synthface, params: {rows: 6}}",
    "dataset: {name: synthface, params: {rows: many}}",
    "models: []",
    "models: null",
    "models: ghostface",
    "models: [none]",
    "models: [null]",
    "models: [ghostfac]",
    "models: [ghostface, ghostface]",
    "models: [{name: resnet-18, params: {stem: large}}]",
    "models: [[ghostface]]",
    "models: [rmia]",
    "models: [a/b/c]",
    "models: [/b]",
    "name: ..",
    "name: a/b",
    "name: -a",
    "name: a b",
    "name: null",
    "augmentations: mixup",
    "augmentations: []",
    "augmentations: [{name: none, params: {ignored: 1}}]",
    "attacks: {labels: []}",
    "augmentations: [mixup, mixup]",
    "augmentations: [mixupp]",
    "augmentations: [[mixup, none]]",
    "augmentations: [[null, mixup]]",
    "augmentations: [[none, none]]",
    "augmentations: [[{name: none}, mixup]]",
    "augmentations: [[[mixup]]]",
    "augmentations: [{name: randaug, params: {m: 31}}]",
    "defences: []",
    "defences: dp-sgd",
    "defences: [dp]",
    "defences: [mixup]",
    "defences: [dp-sgd, dp-sgd]",
    "defences: [[dp-sgd, label-smoothing]]",
    "defences: [{name: none, params: {epsilon: 1}}]",
    "defences: [{name: dp-sgd, params: {eps: 1}}]",
    "defences: [{name: dp-sgd, params: {epsilon: 0}}]",
    "defences: [{name: dp-sgd, params: {sampling: random}}]",
    "defences: [{name: dp-sgd, params: {delta: 1}}]",
    "defences: [{name: label-smoothing, params: {smoothing: 1}}]",
    "defences: [{name: early-stopping, params: {patience: 0}}]",
    "canaries: true",
    "canaries: {kind: wrong}",
    "canaries: {count: 9}",
    "canaries: {copies: 0}",
    "attacks: null",
    "attacks: {label: []}",
    "attacks: {labels: none}",
    "attacks: {labels: [transition]}",  # needs a matrix or a preset
    "attacks: {labels: [{name: symmetric, params: {rate: 1.5}}]}",
    "attacks: {labels: [rmia]}",
    "attacks: {membership: [none]}",
    "attacks: {membership: [null]}",
    "attacks: {membership: [{name: rmia, params: {mode: onlin}}]}",
    "attacks: {membership: [{name: rmia, params: {queries: some}}]}",
    "seeds: []",
    "seeds: [-1]",
    "seeds: [0.5]",
    "seeds: [1, 1]",
    "seeds: 0",
    "training: {epoch: 1}",
    "training: {epochs: 0}",
    "training: {image_size: 8}",
    "training: {batch_size: 1}",
    "training: {optimizer: {name: adamm}}",
    "training: {optimizer: {learning_rate: 0}}",
    "training: {optimizer: {momentum: 1}}",
    "training: {optimizer: {clip_norm: 0}}",
    "training: {optimizer: adam}",
    "privacy: {references: 5}",
    "privacy: {references: 2}",
    "privacy: {queries: []}",
    "privacy: {queries: [rotate]}",
    "privacy: {queries: [flip, flip]}",
    "resources: {workers: 0}",
    "resources: {workers: many}",
    "resources: {workers: null}",
    "plugins: mine",
    "measures: true",
    "measures: {corruption: true}",
    "measures: {corruptions: null}",
    "measures: {corruptions: 3}",
    "measures: {corruptions: {kinds: [jpg]}}",
    "measures: {corruptions: {kinds: []}}",
    "measures: {corruptions: {severities: [6]}}",
    "measures: {corruptions: {severities: [1, 1]}}",
    "measures: {memorisation: {rows: 3}}",
    "measures: {adversarial: {epsilons: [0.03]}}",
    "measures: {adversarial: {epsilons: [0]}}",
    "measures: {adversarial: {epsilons: [2, 2.0]}}",
    "measures: {explanations: {layer: 3}}",
    "gates: {}",
    "gates: [{max: 1}]",
    "gates: [{metric: acuracy, max: 1}]",
    "gates: [{metric: macs}]",
    "gates: [{metric: macs, max: 1, min: 0}]",
    "gates: [{metric: macs, max: null}]",
    "gates: [{metric: macs, max: -1}]",
    "gates: [{metric: accuracy, min: 50}]",
    "gates: [{metric: latency_p50_ms, max: 9, certain: true}]",
    "gates: [{metric: macs, max: 1, level: fatal}]",
    "gates: [{metric: macs, max: 1, where: null}]",
    "gates: [{metric: macs, max: 1, where: {modl: ghostface}}]",
    "gates: [{metric: macs, max: 1, where: {model: null}}]",
    "gates: [{metric: macs, max: 1, where: {seed: zero}}]",
]

#: What a grid refuses and its schema can't: rules between fields, and those that plug-ins write in code.
BEYOND = [
    "models: [ghostface, {name: ghostface}]",
    "augmentations: [none, null]",
    "defences: [{name: dp-sgd, params: {epsilon: 1, noise_multiplier: 1}}]",
    "defences: [none, null]",
    "measures: {corruptions: {baseline: ghostfac}}",
    "measures: {explanations: {layer: {ghostfac: x}}}",
    "gates: [{metric: macs, max: 1, where: {model: ghostfac}}]",
    "gates: [{metric: mia_auc, max: 0.6}]",
    "gates: [{metric: mce, max: 1}]",
    "models: [package/not-installed]",
    "attacks: {labels: [{name: transition, params: {}}]}",
    "attacks: {membership: [{name: rmia, params: {queries: [0, 0]}}]}",
    "attacks: {membership: [{name: subject, params: {base: subject}}]}",
]

#: What a grid takes, and its schema marks all the same: another type that can be read as the one that is meant.
READ_AS = [
    'training: {epochs: "14"}',
    'include_images: "yes"',
]


def small(text):
    return as_json(SMALL) | (as_json(text) or {})


@pytest.mark.parametrize("text", VALID)
def test_what_a_grid_accepts_is_valid(text):
    values = small(text)
    assert accepted(values)
    validator(SCHEMA).validate(values)


@pytest.mark.parametrize("text", INVALID)
def test_what_a_grid_refuses_is_invalid(text):
    values = small(text)
    assert not accepted(values)
    assert not validator(SCHEMA).is_valid(values)


@pytest.mark.parametrize("text", BEYOND)
def test_what_no_schema_can_say(text):
    values = small(text)
    assert not accepted(values)
    assert validator(SCHEMA).is_valid(values)


@pytest.mark.parametrize("text", READ_AS)
def test_a_schema_asks_for_the_type_that_is_meant(text):
    values = small(text)
    assert accepted(values)
    assert not validator(SCHEMA).is_valid(values)


def test_both_fields_are_required():
    assert not validator(SCHEMA).is_valid({"dataset": "synthface"})
    assert not validator(SCHEMA).is_valid({"models": ["ghostface"]})


#: Values of all types, on and beside the usual bounds.
VALUES = [None, True, False, -1, 0, 1, 3, 1000, 0.5, 1.5, -0.5, "", "all", "x", [], [0], ["x"], [[1]], {}, {"a": "b"}]

#: Parameters whose values a plug-in judges by code of its own, or by others.
JUDGED = {"queries", "levels", "pairs", "matrix", "preset", "exact", "subject_pattern"}

#: Parameters that are one of some numbers.
NUMBERED = {"adversary"}

PLUGINS = [(kind, name) for kind in KINDS for name in REGISTRY.names(kind)]
NEEDED = {"root": "faces", "path": "faces.csv", "members": "in.csv", "nonmembers": "out.csv"}


@pytest.mark.parametrize(("kind", "name"), PLUGINS, ids=lambda word: word)
def test_parameters_are_judged_as_the_plugin_judges_them(kind, name):
    cls = REGISTRY.get(kind, name)
    schema = validator({"$ref": f"#/definitions/{kind}", "definitions": SCHEMA["definitions"]})
    needed = {key: value for key, value in NEEDED.items() if key in cls.Params.model_fields}
    if name == "transition":
        needed["preset"] = "resup-us"
    for parameter, value in itertools.product([*cls.Params.model_fields, "no_such_parameter"], VALUES):
        params = {**needed, parameter: value}
        try:
            cls.Params.model_validate_json(json.dumps(params), strict=True)
            right = True
        except ValidationError:
            right = False
        valid = schema.is_valid({"name": name, "params": params})
        if parameter in NUMBERED and value is True:  # pydantic finds True among 1 and 3, as Python does
            continue
        assert valid or not right, f"{params} is right, and the schema refuses it"
        if parameter not in JUDGED:
            assert right or not valid, f"{params} is wrong, and the schema takes it"


def properties(node, path=""):
    """Every property of a schema, and the path to it."""
    if isinstance(node, list):
        for item in node:
            yield from properties(item, path)
    elif isinstance(node, dict):
        for name, value in node.get("properties", {}).items():
            yield f"{path}.{name}", value
        for key, value in node.items():
            if key not in ("if", "then", "oneOf"):  # rules on properties that are described beside them
                yield from properties(value, f"{path}.{key}")


def test_everything_that_can_be_written_is_described():
    found = {path: value.get("description") for path, value in properties(SCHEMA)}
    assert [path for path, said in found.items() if not said] == []
    assert len(found) > 200
    for kind, name in PLUGINS:
        assert SCHEMA["definitions"][f"{kind}.{name}"]["description"], name


def test_unknown_fields_are_refused_wherever_there_are_fields():
    def open_objects(node, path=""):
        if isinstance(node, list):
            for place, item in enumerate(node):
                yield from open_objects(item, f"{path}.{place}")
        elif isinstance(node, dict):
            if "properties" in node and node.get("type") == "object" and node.get("additionalProperties") is not False:
                yield path
            for key, value in node.items():
                yield from open_objects(value, f"{path}.{key}")

    assert list(open_objects(SCHEMA)) == []


def test_all_metrics_measures_and_plugins_are_in_it():
    metric = SCHEMA["properties"]["gates"]["items"]["properties"]["metric"]
    assert [choice["const"] for choice in metric["anyOf"]] == list(METRICS)
    assert list(measures_schema()["properties"]) == list(MEASURES)
    assert list(PLACES) == list(KINDS)
    assert {f"{kind}.{name}" for kind, name in PLUGINS} | set(KINDS) == set(SCHEMA["definitions"])


def test_a_membership_attack_says_what_the_attacker_knows_and_needs():
    said = SCHEMA["definitions"]["membership-attack.rmia"]["description"]
    assert "Threat model: black-box outputs and labels" in said
    assert "Needs: 1 or more references, a population." in said


def test_a_kind_has_a_schema_of_its_own():
    schema = kinds_schema(REGISTRY, ["label-attack", "membership-attack"])
    jsonschema.Draft7Validator.check_schema(schema)
    for right in ("symmetric", "rmia", {"name": "symmetric", "params": {"rate": 0.1}}, "package/other"):
        validator(schema).validate(right)
    for wrong in ("ghostface", "none", None, {"name": "symmetric", "params": {"rat": 0.1}}):
        assert not validator(schema).is_valid(wrong)
    assert schema["definitions"]["label-attack.symmetric"]["properties"]["rate"]["maximum"] == 1


class Part(BaseModel):
    """A part that may hold parts."""

    size: int = Field(1, ge=1)
    parts: tuple["Part", ...] = ()


class Spot(NamedTuple):
    x: int
    y: int


class Odd:
    """A type that no schema describes."""


class Shaped(Model):
    """Every shape that parameters can have."""

    name = "shaped"
    package = "some-package"

    class Params(Parameters):
        """Nested, of fixed length, and of no known type."""

        model_config = ConfigDict(arbitrary_types_allowed=True)

        part: Part = Field(Part(), description="a part")
        pair: tuple[int, str] = Field((1, "a"), description="one of each")
        spot: Spot = Field(Spot(0, 0), description="a named tuple")
        odd: Odd | None = Field(None, description="of any type")
        odd_default: Any = Field(Odd(), description="that JSON does not have")

        @model_validator(mode="after")
        def _fine(self):
            return self

    def build(self, input_shape, classes):
        raise NotImplementedError


@pytest.fixture(scope="module")
def packaged():
    registry = Registry.load()
    registry.classes["model"][Shaped.address()] = Shaped
    schema = grid_schema(registry)
    jsonschema.Draft7Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize(
    ("model", "valid"),
    [
        ("some-package/shaped", True),
        ("some-package/shape", False),
        ("other-package/shape", True),
        ({"name": "other-package/shape", "params": {"any": 1}}, True),
        ({"name": "some-package/shape"}, False),
        ({"name": "some-package/shaped", "params": {"part": {"size": 2, "parts": [{"size": 3}]}}}, True),
        ({"name": "some-package/shaped", "params": {"part": {"parts": [{"size": 0}]}}}, False),
        ({"name": "some-package/shaped", "params": {"part": {"parts": [{"parts": [{"size": "x"}]}]}}}, False),
        ({"name": "some-package/shaped", "params": {"pair": [2, "b"]}}, True),
        ({"name": "some-package/shaped", "params": {"pair": ["b", 2]}}, False),
        ({"name": "some-package/shaped", "params": {"pair": [2]}}, False),
        ({"name": "some-package/shaped", "params": {"pair": [2, "b", 3]}}, False),
        ({"name": "some-package/shaped", "params": {"spot": [2, 3]}}, True),
        ({"name": "some-package/shaped", "params": {"spot": [2, "b"]}}, False),
        ({"name": "some-package/shaped", "params": {"odd_default": 7}}, True),
        ({"name": "some-package/shaped", "params": {"other": 7}}, False),
    ],
)
def test_plugins_of_packages(packaged, model, valid):
    assert validator(packaged).is_valid({"dataset": "synthface", "models": [model]}) == valid


def test_what_stands_beside_a_reference_is_kept(packaged):
    # Draft 7 would ignore it.
    part = packaged["definitions"]["model.some-package.shaped"]["properties"]["part"]
    assert part["description"] == "a part"
    assert part["allOf"] == [{"$ref": "#/definitions/model.some-package.shaped.Part"}]
