"""One table over all built-in plug-ins but models: they pass the kit that authors are given."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import Any

import pytest

from fer_audit.plugins import KINDS
from fer_audit.registry import Registry
from fer_audit.testing import Subject, run_checks

REGISTRY = Registry.load()


NO_MATRIX = {"parameters_have_defaults": "a matrix, or the name of one, is what it is about"}


@dataclass(frozen=True)
class Row:
    """A plug-in with parameters; what it does not pass, and why; and checks that would take too long."""

    kind: str
    name: str
    params: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    release: bool = False  #: takes minutes, and is no test of every day

    def __str__(self) -> str:
        given = ",".join(f"{key}={value}" for key, value in self.params.items())
        return f"{self.kind}:{self.name}({given})"


def attack(name: str, skip: tuple[str, ...] = (), /, **params: Any) -> Row:
    return Row("membership-attack", name, params, skip=skip)


TABLE = [
    attack("gap"),
    attack("loss-threshold"),
    attack("loss-threshold", per_class=True),
    attack("confidence"),
    attack("entropy"),
    attack("modified-entropy"),
    attack("ml-leaks"),
    attack("ml-leaks", adversary=3),
    attack("label-only"),
    attack("label-only", classifier="count"),
    attack("loss-trace"),
    attack("quantile"),
    # Each of its two dozen draws without a leak fits boosted trees; those of the row above do.
    attack("quantile", ("chance_where_nothing_leaks",), features="label"),
    attack("subject"),
    attack("subject", base="loss-threshold", aggregate="mean"),
    attack("subject", aggregate="max"),
    attack("calibration"),
    attack("calibration", sides="out", centre="median"),
    attack("attack-p"),
    attack("attack-r"),
    attack("attack-r", interpolate=False),
    attack("lira-online"),
    attack("lira-online", variance="per-example"),
    attack("lira-online", variant="packaged", variance="pooled", centre="median"),
    attack("lira-offline"),
    attack("lira-offline", variance="pooled"),
    attack("rmia"),
    attack("rmia", mode="offline"),
    attack("rmia", tie_break=False, gamma=1.0),
    attack("rmia", temperature=2.0),
    attack("base"),
    attack("base", mode="offline"),
    attack("empirical-bayes"),
    attack("empirical-bayes", statistic="centred-logit"),
    attack("shadow-mia"),
    attack("shadow-mia", features="sorted-log-probabilities"),
    attack("shadow-mia", features="probabilities"),
    # Likewise: four forests in each of three dozen draws.
    Row(
        "membership-attack",
        "shadow-mia",
        {"classifier": "random-forest"},
        expected={"confident_answers_are_told_apart": "few splits of a tree lie where certain models answer"},
        skip=("chance_where_nothing_leaks", "counts_of_references_are_unused", "rebuilt_in_a_fresh_process"),
        release=True,
    ),
    Row("label-attack", "symmetric"),
    Row("label-attack", "pair-flip"),
    Row("label-attack", "instance-dependent"),
    Row("label-attack", "model-confusion"),
    Row("label-attack", "model-confusion", {"rate": 0.2}),
    Row("label-attack", "transition", {"preset": "human-ferplus"}, NO_MATRIX),
    Row("label-attack", "transition", {"preset": "resup-us"}, NO_MATRIX),
    Row("label-attack", "file"),
    Row("augmentation", "mixup"),
    Row("augmentation", "randaug"),
    Row("dataset", "synthface", {"rows": 70, "test_rows": 35}),
    *(Row("dataset", name) for name in REGISTRY.names("dataset") if name != "synthface"),
]


def test_every_built_in_plugin_is_in_the_table() -> None:
    known = {(kind, name) for kind in KINDS if kind != "model" for name in REGISTRY.names(kind)}
    assert {(row.kind, row.name) for row in TABLE} == known


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=str(row), marks=[pytest.mark.release] * row.release) for row in TABLE]
)
def test_a_built_in_plugin_conforms(row: Row, request: pytest.FixtureRequest, tmp_path_factory: Any) -> None:
    params, folder = row.params, tmp_path_factory.mktemp("files")
    if row.kind == "dataset" and row.name != "synthface":
        params = {**request.getfixturevalue("layouts")[row.name](folder), **params}
    elif (row.kind, row.name) == ("label-attack", "file"):
        params = {**request.getfixturevalue("label_list"), **params}
    subject = Subject(REGISTRY.get(row.kind, row.name), params)
    failed = {each.check.name: each.said for each in run_checks(subject, row.skip) if each.status == "failed"}
    shutil.rmtree(folder)
    assert {name: said for name, said in failed.items() if name not in row.expected} == {}
    assert set(row.expected) <= set(failed), "an expected failure that no longer fails must leave the table"
