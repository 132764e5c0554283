"""JSON Schema of grids and of the plug-ins that may stand in one, for editors and for other programs.

Draft 7, which the YAML language server knows best. A schema asks for the type that a field has, where a grid also takes
what can be read as one (`"14"` for 14), and can't say rules between fields, such as that a gate's model is in the grid.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind

from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.canary_section import Canaries
from fer_audit.defence_section import DEFENCES
from fer_audit.gate_section import METRICS, Metric
from fer_audit.grid import NONE, Grid
from fer_audit.measures_section import MEASURES, Measures
from fer_audit.plugins import Plugin
from fer_audit.registry import Registry

Schema: TypeAlias = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"

#: Where the plug-ins of a kind stand in a grid.
PLACES = {
    "dataset": "dataset",
    "model": "models",
    "augmentation": "augmentations",
    "label-attack": "attacks.labels",
    "membership-attack": "attacks.membership",
}


def grid_schema(registry: Registry) -> Schema:
    """The schema of grids that name the plug-ins of `registry`, and any of packages that are not installed here."""
    schema = _section(Grid)
    fields = schema["properties"]
    attacks = fields["attacks"]["properties"]
    # In draft 7 what stands beside a reference is ignored.
    fields["dataset"] = {"description": fields["dataset"]["description"], "allOf": [_ref("dataset")]}
    fields["models"]["items"] = _ref("model")
    fields["defences"] |= {"items": defences_schema(), "default": [NONE]}
    fields["augmentations"] |= {"items": _chain(), "default": [NONE]}
    attacks["labels"] |= {"items": {"anyOf": [*_none("labels as they are"), _ref("label-attack")]}, "default": [NONE]}
    attacks["membership"]["items"] = _ref("membership-attack")
    fields["measures"] |= measures_schema()
    fields["gates"]["items"] |= _gate_rules(fields["gates"]["items"])
    return {
        "$schema": DRAFT,
        "$comment": "Made by `fer-audit schema`. Make it again with `fer-audit schema GRID` for plug-ins of your own.",
        **schema,
        "if": {"not": {"required": ["audit"]}},
        "then": {"required": ["models"], "properties": {"models": {"minItems": 1}}},
        "definitions": _definitions(registry, PLACES),
    }


def kinds_schema(registry: Registry, kinds: Sequence[str]) -> Schema:
    """The schema of what may stand in a grid for a plug-in of one of `kinds`.

    `definitions` holds that of each kind by its name, such as `model`, and that of the parameters of each plug-in, such
    as `model.ghostface`.
    """
    return {
        "$schema": DRAFT,
        "title": f"A plug-in of a grid: {' or '.join(kinds)}",
        "anyOf": [_ref(kind) for kind in kinds],
        "definitions": _definitions(registry, kinds),
    }


def measures_schema() -> Schema:
    """The schema of the section `measures` of a grid."""
    schema = _section(Measures)
    for name, section in MEASURES.items():
        parameters = _section(section)
        said = parameters.pop("description")
        schema["properties"][name] = {"description": said, "anyOf": [{"type": "boolean"}, parameters], "default": False}
    return schema


def defences_schema() -> Schema:
    """The schema of what may stand in a grid for a defence: its name, or name and parameters."""
    named: list[Schema] = []
    for name, section in DEFENCES.items():
        parameters = _section(section)
        said = parameters.pop("description")
        parts = {
            "name": {"const": name, "description": said},
            "params": {"description": "its parameters; those left out have defaults", **parameters},
        }
        full = {"type": "object", "properties": parts, "required": ["name"], "additionalProperties": False}
        named += [{"const": name, "description": said}, full]
    return {"anyOf": [*_none("no defence"), *named]}


def canaries_schema() -> Schema:
    """The schema of the section `canaries` of a grid."""
    return _section(Canaries)


def summary(cls: type) -> str:
    """What a class is, in the first line of its docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def said_of(cls: type[Plugin]) -> Iterator[tuple[str, str]]:
    """What a membership attack says of itself beside its docstring."""
    if issubclass(cls, MembershipAttack):
        yield "threat model", cls.threat_model
        yield "needs", str(cls.needs)


class _Untitled(GenerateJsonSchema):
    """Pydantic's schemas without titles, which only say names again; what none can describe is free."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No field has a title."""
        return False

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """A plug-in may have a parameter of any type; the registry judges it."""
        return {}


def _section(section: type[BaseModel]) -> Schema:
    """The schema of a section, those in it in their places."""
    schema = section.model_json_schema(schema_generator=_Untitled)
    made: Schema = _as_draft_7(_inlined(schema, schema.pop("$defs", {})))
    del made["title"]
    return made


def _inlined(node: Any, sections: Schema) -> Any:
    """`node` with each section where a reference to it was; a default of sections says no more than theirs."""
    if isinstance(node, list):
        return [_inlined(item, sections) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        section = sections[node["$ref"].rpartition("/")[2]]
        own = {key: value for key, value in node.items() if key not in ("$ref", "default")}
        node = {key: value for key, value in section.items() if key != "title"} | own
    return {key: _inlined(value, sections) for key, value in node.items()}


def _definitions(registry: Registry, kinds: Iterable[str]) -> Schema:
    """The schema of each kind, and of the parameters of its plug-ins."""
    made = {}
    for kind in kinds:
        classes = [registry.classes[kind][name] for name in registry.names(kind)]
        made[kind] = _plugin(kind, classes)
        for cls in classes:
            made |= _parameters(cls)
    return made


def _key(cls: type[Plugin]) -> str:
    """The name of the definition of a plug-in's parameters, whose characters need no escape in a reference."""
    return f"{cls.kind}.{re.sub(r'[^A-Za-z0-9_.-]', '.', cls.address())}"


def _ref(definition: str) -> Schema:
    return {"$ref": f"#/definitions/{definition}"}


def _parameters(cls: type[Plugin]) -> Schema:
    """The definition of a plug-in's parameters, and of the models in it."""
    key = _key(cls)
    schema = cls.Params.model_json_schema(ref_template=f"#/definitions/{key}.{{model}}", schema_generator=_Untitled)
    models = {f"{key}.{name}": model for name, model in schema.pop("$defs", {}).items()}
    schema |= {"title": f"Parameters of {cls.kind} {cls.address()}", "description": _described(cls)}
    return {name: _as_draft_7(made) for name, made in {key: schema, **models}.items()}


def _as_draft_7(node: Any) -> Any:
    """`node`, which is of draft 2020-12, in the words of draft 7, where what stands beside a reference is ignored."""
    if isinstance(node, list):
        return [_as_draft_7(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _as_draft_7(value) for key, value in node.items()}
    if isinstance(node.get("prefixItems"), list):
        node["items"] = node.pop("prefixItems")
    if isinstance(node.get("$ref"), str) and len(node) > 1:
        node["allOf"] = [{"$ref": node.pop("$ref")}, *node.get("allOf", [])]
    return node


def _described(cls: type[Plugin]) -> str:
    """What a plug-in is, and what it says of itself."""
    return "\n\n".join([summary(cls), *(f"{word.capitalize()}: {text}." for word, text in said_of(cls))])


def _plugin(kind: str, classes: Sequence[type[Plugin]]) -> Schema:
    """The schema of what may stand in a grid for a plug-in of `kind`: its name, or name and parameters."""
    others = _of_other_packages(classes)
    alone = [_named(cls) for cls in classes if _stands_alone(cls)]
    rules = [
        {"if": {"properties": {"name": {"const": cls.address()}}, "required": ["name"]}, "then": _given(cls)}
        for cls in classes
    ]
    parts = {
        "name": {"description": f"the {kind}", "anyOf": [*map(_named, classes), others]},
        "params": {"description": "its parameters; those left out have defaults", "type": "object"},
    }
    full = {"type": "object", "properties": parts, "required": ["name"], "additionalProperties": False, "allOf": rules}
    return {
        "title": kind,
        "description": f"A {kind}: its name, or {{name: ..., params: {{...}}}}; `fer-audit list {kind}s` shows all.",
        "anyOf": [*alone, others, full],
    }


def _named(cls: type[Plugin]) -> Schema:
    return {"const": cls.address(), "description": _described(cls)}


def _of_other_packages(classes: Iterable[type[Plugin]]) -> Schema:
    """The names of plug-ins of packages but those of `classes`, which may be installed where the grid is run."""
    here = "|".join(re.escape(package) for package in sorted({cls.package for cls in classes} - {""}))
    besides = f"(?!({here})/)" if here else ""
    return {"type": "string", "pattern": f"^{besides}[^/]+/[^/]+$", "description": "package/name, not installed here"}


def _given(cls: type[Plugin]) -> Schema:
    """What `{name, params}` of a plug-in hold."""
    needed = {} if _stands_alone(cls) else {"required": ["params"]}
    return {"properties": {"params": _ref(_key(cls))}, **needed}


def _stands_alone(cls: type[Plugin]) -> bool:
    """Whether a plug-in needs no parameters."""
    try:
        cls.Params()
    except ValidationError:
        return False
    return True


def _none(said: str) -> list[Schema]:
    """The ways to write `none`; YAML reads an unquoted `null` as one of them."""
    parts = {
        "name": {"const": NONE, "description": said},
        "params": {"type": "object", "maxProperties": 0, "description": f"{NONE} takes none"},
    }
    return [
        {"const": NONE, "description": said},
        {"type": "null", "description": said},
        {"type": "object", "properties": parts, "required": ["name"], "additionalProperties": False},
    ]


def _chain() -> Schema:
    """One line of `augmentations`: none, one, or a list of some that are applied one after another."""
    none, one = _none("no augmentation"), _ref("augmentation")
    return {
        "anyOf": [
            *none,
            one,
            {
                "type": "array",
                "description": "applied one after another",
                "items": {"anyOf": [*none, one]},
                "if": {"minItems": 2},
                "then": {"items": one},
            },
        ]
    }


def _gate_rules(gate: Schema) -> Schema:
    """What a gate's schema has beside the types of its fields: the metrics, and the limit that each can have."""
    metric = {"anyOf": [{"const": name, "description": _metric_words(metric)} for name, metric in METRICS.items()]}
    return {
        "properties": gate["properties"] | {"metric": gate["properties"]["metric"] | metric},
        "oneOf": [{"properties": {limit: {"type": "number"}}, "required": [limit]} for limit in ("max", "min")],
        "allOf": [
            {"if": {"properties": {"metric": {"const": name}}, "required": ["metric"]}, "then": _limited(metric)}
            for name, metric in METRICS.items()
        ],
    }


def _metric_words(metric: Metric) -> str:
    return f"{metric.words}; needs {metric.needs}" if metric.needs else metric.words


def _limited(metric: Metric) -> Schema:
    """The fields of a gate on `metric`."""
    bounds = {"minimum": metric.low} if math.isinf(metric.high) else {"minimum": metric.low, "maximum": metric.high}
    certain = {"certain": {"const": False}} if metric.error == "unknown" else {}
    return {"properties": {"max": bounds, "min": bounds, **certain}}
