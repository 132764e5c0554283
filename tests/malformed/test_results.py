"""Results that can't be read: `report` and `gate` refuse each in one sentence with the file and the field."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_audit.cli.main import main
from fer_audit.results import read_results, read_run

_PLACE = Path(__file__).parents[1] / "report" / "conftest.py"


@pytest.fixture(scope="session")
def whole():
    """The values of a whole results.json and a whole run.json."""
    spec = importlib.util.spec_from_file_location("report_fixtures_of_malformed", _PLACE)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    small = made.build(models=made.MODELS[:1], augmentations=made.AUGMENTATIONS[:1])
    return json.loads(small.model_dump_json()), json.loads(made.run_record().model_dump_json())


def short(values):
    """The same values with the first few of every list."""
    if isinstance(values, dict):
        return {name: short(one) for name, one in values.items()}
    return [short(one) for one in values[:2]] if isinstance(values, list) else values


@pytest.fixture
def folder(place, whole):
    """A finished run in the folder `run`, whose files a test spoils."""
    (place / "run").mkdir()
    for name, values in zip(("results.json", "run.json"), whole, strict=True):
        (place / "run" / name).write_text(json.dumps(values))
    return place / "run"


COMMANDS = {
    "report": ["report", "run"],
    "report of a file": ["report", "run/results.json"],
    "summary": ["report", "run", "--format", "md"],
    "compare": ["report", "--compare", "run", "run"],
    "gate": ["gate", "run", "--max", "mia_auc=0.9"],
}

#: What becomes of the values of results.json, and what the sentence must hold beside the file.
WRONG_VALUES = {
    "no grid": (lambda v: v.pop("grid"), ["grid"]),
    "no cells": (lambda v: v.pop("cells"), ["cells"]),
    "no dataset": (lambda v: v.pop("dataset"), ["dataset"]),
    "no provenance": (lambda v: v.pop("provenance"), ["provenance"]),
    "unknown field": (lambda v: v.update(extra=1), ["extra"]),
    "unknown field of a cell": (lambda v: v["cells"][1].update(extra=1), ["cells.1.extra"]),
    "an older schema": (lambda v: v.update(schema_version=1), ["schema 1", "schema 2", "run it again"]),
    "an older schema of fewer fields": (
        lambda v: (v.update(schema_version=1), v.pop("provenance")),
        ["schema 1", "run it again"],
    ),
    "a newer schema": (lambda v: v.update(schema_version=99), ["schema 99", "update fer-audit"]),
    "a newer schema of more fields": (
        lambda v: v.update(schema_version=99, more={}),
        ["schema 99", "update fer-audit"],
    ),
    "a schema of text": (lambda v: v.update(schema_version="two"), ["schema_version"]),
    "a schema of nothing": (lambda v: v.update(schema_version=None), ["schema_version"]),
    "a negative schema": (lambda v: v.update(schema_version=-3), ["schema -3"]),
    "a huge schema": (lambda v: v.update(schema_version=10**40), ["schema"]),
    "cells a mapping": (lambda v: v.update(cells={}), ["cells"]),
    "a cell of nothing": (lambda v: v["cells"].append(None), ["cells."]),
    "a cell of text": (lambda v: v["cells"].append("ghostface"), ["cells."]),
    "a status that is none": (lambda v: v["cells"][0].update(status="almost"), ["cells.0.status"]),
    "a seed of text": (lambda v: v["cells"][0].update(seed="first"), ["cells.0.seed"]),
    "a rate of text": (lambda v: v["cells"][0].update(noise_rate="much"), ["cells.0.noise_rate"]),
    "a rate NaN": (lambda v: v["cells"][0].update(noise_rate=float("nan")), ["cells.0.noise_rate", "nan"]),
    "a rate infinite": (lambda v: v["cells"][1].update(noise_rate=float("-inf")), ["cells.1.noise_rate", "-inf"]),
    "an accuracy NaN": (
        lambda v: v["cells"][0]["utility"]["accuracy"].update(value=float("nan")),
        ["cells.0.utility.accuracy.value", "nan"],
    ),
    "a parameter NaN": (
        lambda v: v["dataset"]["plugin"].update(params={"a": [1, float("nan")]}),
        ["dataset.plugin.params.a.1", "nan"],
    ),
    "an accuracy of 1e308": (
        lambda v: v["cells"][0]["utility"]["accuracy"].update(high=1e308),
        ["cells.0.utility.accuracy.high", "1e+308"],
    ),
    "a count of a hundred digits": (
        lambda v: v["cells"][0]["utility"]["accuracy"].update(freedom=10**100),
        ["cells.0.utility.accuracy.freedom"],
    ),
    "a confidence of nothing": (
        lambda v: v["cells"][0]["utility"]["accuracy"].update(confidence=0),
        ["cells.0.utility.accuracy.confidence"],
    ),
    "a curve of unlike sides": (
        lambda v: v["cells"][0]["privacy"]["attacks"][0]["roc"]["fpr"].pop(),
        ["cells.0.privacy.attacks.0.roc", "one length"],
    ),
    "two cells of one id": (lambda v: v["cells"].append(v["cells"][0]), ["cells.0 and cells."]),
    "classes a text": (lambda v: v["dataset"].update(classes="happiness"), ["dataset.classes"]),
    "a class a number": (lambda v: v["dataset"].update(classes=[1, 2]), ["dataset.classes.0"]),
    "a gate of an unknown level": (
        lambda v: v.update(gates=[{"metric": "accuracy", "min": 0.1, "level": "fatal"}]),
        ["gates.0.level"],
    ),
    "images maybe": (lambda v: v.update(include_images="maybe"), ["include_images"]),
}

#: Texts in the place of results.json, and what the sentence must hold.
WRONG_TEXTS = {
    "empty": (b"", ["JSON"]),
    "blank": (b"\n \n", ["JSON"]),
    "text": (b"accuracy 0.9", ["JSON"]),
    "a list": (b"[]", ["object"]),
    "nothing": (b"null", ["object"]),
    "a number": (b"3", ["object"]),
    "an empty mapping": (b"{}", ["missing", "required"]),
    "cut short": (b'{"schema_version": 2, "grid": "a', ["JSON", "line 1"]),
    "with more behind it": (b"{} {}", ["JSON"]),
    "a comma too many": (b'{"grid": "a",}', ["JSON"]),
    "single quotes": (b"{'grid': 1}", ["JSON"]),
    "zero bytes": (b"\0" * 100, ["JSON"]),
    "UTF-16": ('{"grid": "a"}'.encode("utf-16"), ["JSON"]),
    "latin-1": ('{"grid": "ä"}'.encode("latin-1"), ["JSON"]),
    "a byte order mark": (b'\xef\xbb\xbf{"grid": "a"}', ["JSON"]),
    "lists in lists": (b"[" * 100_000, ["JSON"]),
    "mappings in mappings": (b'{"dataset":' * 100_000, ["JSON"]),
    "half a surrogate": (b'{"grid": "\\ud800"}', ["JSON"]),
    "a number of megabytes": (b'{"schema_version": ' + b"9" * 1_000_000 + b"}", ["results.json"]),
    "a page": (b"<!doctype html><title>report</title>", ["JSON"]),
}
_MISSING = {"an empty mapping": ["grid"]}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", ["no grid", "an older schema", "a rate NaN", "two cells of one id"])
def test_every_command_refuses_results_that_are_none(command, case, folder, whole, refused):
    change, said = WRONG_VALUES[case]
    values = json.loads(json.dumps(whole[0]))
    change(values)
    (folder / "results.json").write_text(json.dumps(values))
    refused(*COMMANDS[command], said=["run/results.json", *said])


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_results_of_wrong_values_are_refused(case, folder, whole, refused):
    change, said = WRONG_VALUES[case]
    values = json.loads(json.dumps(whole[0]))
    change(values)
    (folder / "results.json").write_text(json.dumps(values))
    refused(*COMMANDS["gate"], said=["run/results.json", *said])


@pytest.mark.parametrize("case", WRONG_TEXTS)
def test_texts_that_are_no_results_are_refused(case, folder, refused):
    content, said = WRONG_TEXTS[case]
    (folder / "results.json").write_bytes(content)
    refused(*COMMANDS["gate"], said=["run/results.json", *_MISSING.get(case, said)])


#: Texts in the place of run.json.
WRONG_RECORDS = {
    "empty": b"",
    "a list": b"[]",
    "cut short": b'{"started": "2000',
    "no start": b"{}",
    "seconds of text": b'{"started": "", "seconds": "long"}',
    "seconds NaN": b'{"started": "", "seconds": NaN}',
    "seconds endless": b'{"started": "", "seconds": 1e999}',
    "unknown field": b'{"started": "", "extra": 1}',
    "latencies a number": b'{"started": "", "latencies": 3}',
    "zero bytes": b"\0\0",
}


@pytest.mark.parametrize("case", WRONG_RECORDS)
def test_a_record_that_is_none_is_refused(case, folder, refused):
    (folder / "run.json").write_bytes(WRONG_RECORDS[case])
    refused(*COMMANDS["gate"], said=["run/run.json"])
    refused(*COMMANDS["report"], said=["run/run.json"])


@pytest.mark.parametrize("name", ["results.json", "run.json"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "circle"])
def test_what_is_no_file_is_refused(name, kind, folder, refused):
    path = folder / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(name)
    if (name, kind) != ("run.json", "circle"):  # a record that is not there is none
        refused(*COMMANDS["gate"], said=[f"run/{name}"])


@pytest.mark.parametrize("path", ["nowhere", "run/nowhere", "run/run.json", "empty", "dangling", "run/results.json/x"])
@pytest.mark.parametrize("command", ["report", "gate"])
def test_what_is_no_run_is_refused(path, command, folder, place, refused):
    (place / "empty").mkdir()
    (place / "dangling").symlink_to("nowhere")
    refused(command, path, *(["--max", "mia_auc=1"] if command == "gate" else []), said=[path])


def test_a_process_of_its_own_ends_alike(folder, place):
    (folder / "results.json").write_text("{")
    done = subprocess.run(
        [sys.executable, "-m", "fer_audit", "report", "run"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fer-audit: run/results.json is not a Results file of schema 2: Invalid JSON: ")
    assert done.stderr.count("\n") == 1


#: Values in the place of any other.
NASTY = [
    None,
    True,
    0,
    -1,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "nan",
    "x" * 300,
    "\0",
    [],
    {},
    [[]],
    {"": 0},
]


def _nodes(value, here=()):
    yield here
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in parts:
        yield from _nodes(one, (*here, name))


@st.composite
def spoilt(draw, values):
    """The text of `values` with some nodes gone, put in the place of others, or doubled."""
    values = json.loads(json.dumps(values))
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from([place for place in _nodes(values) if place] or [()]))
        if not where:
            break
        inside = values
        for part in where[:-1]:
            inside = inside[part]
        kind = draw(st.sampled_from(["drop", "put", "double"]))
        if kind == "drop":
            del inside[where[-1]]
        elif kind == "double" and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[where[-1]]))
        else:
            inside[where[-1]] = copy.deepcopy(draw(st.sampled_from(NASTY)))
    return json.dumps(values)


@st.composite
def damaged(draw, text):
    """A text with a few letters gone, turned round, or put in."""
    letters = list(text)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(letters) - 1)))
        kind = draw(st.sampled_from(["drop", "insert", "cut", "swap"]))
        if kind == "drop":
            del letters[start : start + draw(st.integers(1, 30))]
        elif kind == "insert":
            letters[start:start] = draw(st.text(max_size=4))
        elif kind == "cut":
            del letters[start:]
        elif kind == "swap":
            letters[start : start + 2] = letters[start : start + 2][::-1]
    return "".join(letters).encode("utf-8", "surrogatepass")


def read_spoilt(path, refusal, whole):
    @given(spoilt(short(whole[0])))
    def check(text):
        path.write_text(text)
        told = refusal(read_results, path)
        assert told is None or path.name in told

    return check


def read_damaged(path, refusal, whole):
    @given(damaged(json.dumps(short(whole[0]))))
    def check(content):
        path.write_bytes(content)
        told = refusal(read_results, path)
        assert told is None or path.name in told

    return check


def read_records(path, refusal, whole):
    @given(spoilt(whole[1]))
    def check(text):
        path.write_text(text)
        told = refusal(read_run, path)
        assert told is None or path.name in told

    return check


FUZZED = [read_spoilt, read_damaged, read_records]


def examples(count):
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("read", FUZZED)
def test_any_results_are_read_or_refused(read, tmp_path, refusal, whole):
    examples(30)(read(tmp_path / "fuzzed.json", refusal, whole))()


@pytest.mark.release
@pytest.mark.parametrize("read", FUZZED)
def test_any_of_thousands_of_results_are_read_or_refused(read, tmp_path, refusal, whole, patient):
    examples(3000)(read(tmp_path / "fuzzed.json", refusal, whole))()


@pytest.mark.release
def test_no_command_breaks_down_over_what_is_read(folder, whole, capsys, patient):
    """Values that a reader takes may still be those of no run; what is shown of them is not asked for here."""

    @given(spoilt(short(whole[0])))
    def check(text):
        (folder / "results.json").write_text(text)
        for command in COMMANDS.values():
            assert main(command) in (0, 1, 2, 3)
        capsys.readouterr()

    settings(examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])(check)()
