"""Grids that can't be read: each is refused by `plan` in one sentence with the file and the line."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.grid import read_grid
from fer_audit.grid_plugins import GridPlugins
from fer_audit.registry import Registry

SMALL = "dataset: synthface\nmodels: [mini-xception]\n"

#: Text after a whole grid, and what the sentence must hold beside the file.
WRONG_VALUES = {
    "unknown field": ("trainng: {}", [":3:", "'trainng'", "training"]),
    "unknown field of training": ("training: {epoch: 3}", [":3:", "'epoch'", "epochs"]),
    "unknown field of optimizer": ("training: {optimizer: {lr: 1}}", [":3:", "'lr'"]),
    "unknown field of attacks": ("attacks: {member: []}", [":3:", "'member'", "membership"]),
    "unknown field of privacy": ("privacy: {refs: 4}", [":3:", "'refs'", "references"]),
    "unknown field of resources": ("resources: {gpu: 1}", [":3:", "'gpu'"]),
    "unknown field of measures": ("measures: {corruption: true}", [":3:", "'corruption'"]),
    "unknown field of a measure": ("measures: {corruptions: {row: 3}}", [":3:", "'row'"]),
    "unknown field of a gate": ("gates: [{metric: accuracy, min: 0.1, maxx: 1}]", [":3:", "'maxx'"]),
    "unknown field of where": ("gates: [{metric: accuracy, min: 0.1, where: {mode: x}}]", [":3:", "'mode'"]),
    "unknown field of canaries": ("canaries: {number: 20}", [":3:", "'number'"]),
    "unknown field of a reference": ("augmentations: [{name: mixup, parms: {}}]", [":3:", "'parms'"]),
    "training a list": ("training: []", [":3:", "training"]),
    "training a number": ("training: 3", [":3:", "training"]),
    "training nothing": ("training:", [":3:", "training"]),
    "attacks a text": ("attacks: loss-threshold", [":3:", "attacks"]),
    "privacy a text": ("privacy: much", [":3:", "privacy"]),
    "resources a list": ("resources: [1]", [":3:", "resources"]),
    "measures a list": ("measures: [corruptions]", [":3:", "measures"]),
    "measure a text": ("measures: {corruptions: all}", [":3:", "corruptions"]),
    "gates a mapping": ("gates: {metric: accuracy, min: 0.1}", [":3:", "gates"]),
    "gate a number": ("gates: [1]", [":3:", "gates.0"]),
    "seeds a number": ("seeds: 3", [":3:", "seeds"]),
    "seeds empty": ("seeds: []", [":3:", "seeds"]),
    "seed negative": ("seeds: [-1]", [":3:", "seeds.0"]),
    "seed a fraction": ("seeds: [0.5]", [":3:", "seeds.0"]),
    "seed a text": ("seeds: [first]", [":3:", "seeds.0"]),
    "seed nothing": ("seeds: [null]", [":3:", "seeds.0"]),
    "seed true": ("seeds: [true]", [":3:", "seeds.0"]),
    "seed huge": (f"seeds: [{10**30}]", [":3:", "seeds.0"]),
    "seed endless": (f"seeds: [{'9' * 5000}]", [":3:"]),
    "seed twice": ("seeds: [1, 1]", ["seeds"]),
    "seed a date": ("seeds: [2020-01-01]", [":3:", "seeds.0"]),
    "seed sexagesimal": ("seeds: [1:30.5]", [":3:", "seeds.0"]),
    "epochs none": ("training: {epochs: 0}", [":3:", "training.epochs"]),
    "epochs negative": ("training: {epochs: -3}", [":3:", "training.epochs"]),
    "epochs NaN": ("training: {epochs: .nan}", [":3:", "training.epochs"]),
    "epochs true": ("training: {epochs: true}", [":3:", "training.epochs"]),
    "epochs text": ("training: {epochs: many}", [":3:", "training.epochs"]),
    "epochs huge": (f"training: {{epochs: {10**40}}}", [":3:", "training.epochs"]),
    "batch of one": ("training: {batch_size: 1}", [":3:", "training.batch_size"]),
    "batch infinite": ("training: {batch_size: .inf}", [":3:", "training.batch_size"]),
    "batch 1e400": ("training: {batch_size: 1.0e+400}", [":3:", "training.batch_size"]),
    "size of 8": ("training: {image_size: 8}", [":3:", "training.image_size"]),
    "size octal": ("training: {image_size: 0100000}", [":3:", "training.image_size"]),
    "size sexagesimal": ("training: {image_size: 1:30:00}", [":3:", "training.image_size"]),
    "rate NaN": ("training: {optimizer: {learning_rate: .nan}}", [":3:", "learning_rate"]),
    "rate infinite": ("training: {optimizer: {learning_rate: .inf}}", [":3:", "learning_rate"]),
    "rate 1e400": ("training: {optimizer: {learning_rate: 1.0e+400}}", [":3:", "learning_rate"]),
    "rate none": ("training: {optimizer: {learning_rate: 0}}", [":3:", "learning_rate"]),
    "rate true": ("training: {optimizer: {learning_rate: true}}", [":3:", "learning_rate"]),
    "optimizer unknown": ("training: {optimizer: {name: lion}}", [":3:", "name"]),
    "optimizer a text": ("training: {optimizer: sgd}", [":3:", "optimizer"]),
    "references odd": ("privacy: {references: 5}", [":3:", "references"]),
    "references few": ("privacy: {references: 2}", [":3:", "references"]),
    "references huge": (f"privacy: {{references: {10**30}}}", [":3:", "references"]),
    "query unknown": ("privacy: {queries: [mirror]}", [":3:", "queries"]),
    "query twice": ("privacy: {queries: [flip, flip]}", [":3:", "'flip'"]),
    "queries empty": ("privacy: {queries: []}", [":3:", "queries"]),
    "workers none": ("resources: {workers: 0}", [":3:", "workers"]),
    "workers many": ("resources: {workers: lots}", [":3:", "workers"]),
    "workers true": ("resources: {workers: true}", [":3:", "workers"]),
    "images yes-ish": ("include_images: maybe", [":3:", "include_images"]),
    "name a path": ("name: ../x", [":3:", "name"]),
    "name with a separator": ("name: a/b", [":3:", "name"]),
    "name of dots": ("name: ..", [":3:", "name"]),
    "name a list": ("name: [a]", [":3:", "name"]),
    "name a date": ("name: 2020-01-01", [":3:", "name"]),
    "name with a line": ('name: "a\\nb"', [":3:", "name"]),
    "name with an escape": ('name: "a\\e[31m"', [":3:", "name"]),
    "name endless": (f"name: {'x' * 300}", [":3:", "name"]),
    "augmentations empty": ("augmentations: []", [":3:", "augmentations"]),
    "augmentation composed with none": ("augmentations: [[none, mixup]]", [":3:", "none"]),
    "augmentation twice": ("augmentations: [mixup, mixup]", ["'mixup' twice"]),
    "augmentation unknown": ("augmentations: [mixip]", ["'mixip'", "mixup"]),
    "augmentation a number": ("augmentations: [3]", [":3:", "augmentations"]),
    "parameter unknown": ("augmentations: [{name: mixup, params: {alfa: 1}}]", ["'alfa'", "alpha"]),
    "parameter of a wrong type": ("augmentations: [{name: mixup, params: {alpha: much}}]", ["'alpha'", "'much'"]),
    "parameter NaN": ("augmentations: [{name: mixup, params: {alpha: .nan}}]", ["'alpha'"]),
    "parameter a date": ("augmentations: [{name: mixup, params: {alpha: 2020-01-01}}]", [":3:", "params.alpha"]),
    "parameter not text": ("augmentations: [{name: mixup, params: {1: 2}}]", [":3:", "params"]),
    "parameters a list": ("augmentations: [{name: mixup, params: [1]}]", [":3:", "params"]),
    "defence unknown": ("defences: [dp]", [":3:", "defences.0"]),
    "defence of a wrong parameter": ("defences: [{name: dp-sgd, params: {epsilon: -1}}]", [":3:", "epsilon"]),
    "noise endless": ("defences: [{name: dp-sgd, params: {noise_multiplier: 1.0e+300}}]", [":3:", "noise_multiplier"]),
    "private epochs endless": (f"defences: [{{name: dp-sgd, params: {{epochs: {2**53 - 1}}}}}]", [":3:", "epochs"]),
    "label attack unknown": ("attacks: {labels: [symetric]}", ["'symetric'", "symmetric"]),
    "label attack out of range": ("attacks: {labels: [{name: symmetric, params: {rate: 7}}]}", ["'rate'"]),
    "label attacks empty": ("attacks: {labels: []}", [":3:", "labels"]),
    "membership attack unknown": ("attacks: {membership: [lira]}", ["'lira'"]),
    "membership attack nothing": ("attacks: {membership: [{}]}", [":3:", "membership.0"]),
    "gate of no limit": ("gates: [{metric: accuracy}]", [":3:", "gates.0"]),
    "gate of NaN": ("gates: [{metric: accuracy, min: .nan}]", [":3:", "gates.0.min"]),
    "gate of 60": ("gates: [{metric: accuracy, min: 60}]", [":3:", "gates.0"]),
    "gate of an unknown metric": ("gates: [{metric: acuracy, min: 0.6}]", [":3:", "acuracy"]),
    "gate on no cell": ("gates: [{metric: accuracy, min: 0.6, where: {model: x}}]", [":3:", "'x'"]),
    "gate on a nested list": ("gates: [{metric: accuracy, min: 0.6, where: {model: [[a]]}}]", [":3:", "where"]),
    "canaries true": ("canaries: true", [":3:", "canaries"]),
    "canaries few": ("canaries: {count: 1}", [":3:", "count"]),
    "plugins missing": ("plugins: [nowhere]", ["nowhere", "does not exist"]),
    "plugins a file": ("plugins: [grid.yaml]", ["grid.yaml", "is not a folder"]),
    "plugins outside": ("plugins: [../../nowhere]", ["nowhere", "does not exist"]),
    "plugins a number": ("plugins: [7]", [":3:", "plugins.0"]),
    "plugins a text": ("plugins: mine", [":3:", "plugins"]),
    "plugins with a zero byte": ('plugins: ["a\\0b"]', ["'a\\x00b'", "does not exist"]),
    "plugins endless": (f"plugins: [{'x' * 9000}]", ["plug-in folder", "expected a folder of Python files"]),
    "dataset twice": ("dataset: synthface", [":3:", "'dataset'", "twice"]),
    "nested key twice": ("training: {epochs: 1, epochs: 2}", [":3:", "'epochs'", "twice"]),
    "key a number": ("3: 4", [":3:", "Received: 3"]),
    "key nothing": ("null: 4", [":3:"]),
    "key a list": ("? [a, b]\n: 4", [":3:"]),
    "key a mapping": ("? {a: b}\n: 4", [":3:"]),
    "key true": ("yes: 4", [":3:"]),
    "key a date": ("2020-01-01: 4", [":3:"]),
    "section with a number as its key": ("training: {3: 4}", [":3:", "training"]),
    "merge of nothing": ("training: {<<: 3}", [":3:"]),
    "merge of itself": ("training: &a {<<: *a}", [":3:"]),
    "alias of nothing": ("training: *there", [":3:", "there"]),
    "alias of itself": ("training: &a {optimizer: *a}", [":3:", "alias"]),
    "list of itself": ("seeds: &a [*a]", [":3:", "alias"]),
    "tag of Python": ("name: !!python/object/apply:os.getcwd []", [":3:", "python"]),
    "tag of our own": ("name: !mine x", [":3:", "!mine"]),
    "binary": ("name: !!binary aGFsbG8=", [":3:", "binary"]),
    "binary that is none": ("name: !!binary a", [":3:"]),
    "set": ("seeds: !!set {1, 2}", [":3:", "set"]),
    "ordered mapping": ("training: !!omap [{epochs: 3}]", [":3:", "omap"]),
    "number that is none": ("seeds: [!!int x]", [":3:"]),
    "float that is none": ("seeds: [!!float x]", [":3:"]),
    "bool that is none": ("include_images: !!bool x", [":3:"]),
    "date that is none": ("name: 2020-13-45", [":3:"]),
    "empty number in a base": ("seeds: [0b]", [":3:"]),
    "underscores alone": ("seeds: [0x_]", [":3:"]),
    "second document": ("---\ndataset: synthface", [":3:"]),
    "tab": ("training:\n\tepochs: 3", [":4:", "YAML"]),
    "bracket never closed": ("seeds: [1, 2", ["YAML"]),
    "quote never closed": ('name: "abc', ["YAML"]),
    "unknown escape": ('name: "\\q"', [":3:", "YAML"]),
    "bad indentation": ("training:\n  epochs: 3\n batch_size: 4", [":5:", "YAML"]),
    "directive": ("%YAML 9.9", ["YAML"]),
    "surrogate": ('name: "\\ud800"', [":3:", "name"]),
    "parameter surrogate": ('augmentations: [{name: "\\ud800"}]', [":3:"]),
    "control character": ('augmentations: ["\\e[31m"]', ["augmentation"]),
}

#: Whole texts, and what the sentence must hold.
WHOLE = {
    "empty": (b"", ["mapping"]),
    "comment": (b"# nothing\n", ["mapping"]),
    "list": (b"- dataset\n- models\n", ["mapping"]),
    "text": (b"synthface\n", ["mapping"]),
    "number": (b"42\n", ["mapping"]),
    "empty mapping": (b"{}\n", ["'dataset'", "missing"]),
    "no dataset": (b"models: [mini-xception]\n", ["'dataset'", "missing"]),
    "no models": (b"dataset: synthface\n", ["models"]),
    "models empty": (b"dataset: synthface\nmodels: []\n", [":2:", "models"]),
    "models a text": (b"dataset: synthface\nmodels: mini-xception\n", [":2:", "models"]),
    "models of nothing": (b"dataset: synthface\nmodels: ['']\n", [":2:", "models.0"]),
    "models twice": (b"dataset: synthface\nmodels: [mini-xception, mini-xception]\n", ["'mini-xception' twice"]),
    "model unknown": (b"dataset: synthface\nmodels: [mini]\n", ["'mini'"]),
    "model of a package": (b"dataset: synthface\nmodels: [nobody/net]\n", ["'nobody/net'"]),
    "model a path": (b"dataset: synthface\nmodels: [../net]\n", ["'../net'"]),
    "dataset unknown": (b"dataset: sinthface\nmodels: [mini-xception]\n", ["'sinthface'", "synthface"]),
    "dataset a list": (b"dataset: [synthface]\nmodels: [mini-xception]\n", [":1:", "dataset"]),
    "dataset nothing": (b"dataset:\nmodels: [mini-xception]\n", ["dataset"]),
    "dataset without its parameter": (b"dataset: manifest\nmodels: [mini-xception]\n", ["'path'"]),
    "dataset of negative rows": (
        b"dataset: {name: synthface, params: {rows: -5}}\nmodels: [mini-xception]\n",
        ["'rows'", "-5"],
    ),
    "zero bytes": (SMALL.encode() + b"name: a\0b\n", ["YAML"]),
    "bell": (SMALL.encode() + b"name: a\x07b\n", ["YAML"]),
    "UTF-16": (SMALL.encode("utf-16"), ["UTF-8"]),
    "UTF-16 without a mark": (SMALL.encode("utf-16-le"), ["YAML"]),
    "UTF-32": (SMALL.encode("utf-32"), ["UTF-8"]),
    "latin-1": (SMALL.encode() + "name: müller\n".encode("latin-1"), ["UTF-8"]),
    "binary": (bytes(range(256)) * 4, ["UTF-8"]),
    "carriage returns and a mistake": (b"dataset: synthface\rmodels: [mini-xception]\rsees: [1]\r", [":3:", "sees"]),
    "deep lists": (b"seeds: " + b"[" * 400 + b"]" * 400, ["deep"]),
    "deep mappings": (b"a:\n" + b"".join(b" " * level + b"a:\n" for level in range(1, 900)), ["deep"]),
    "deep keys": (b"? " * 1000 + b"a", ["deep"]),
    "anchors that explode": (
        b"a: &a0 [x, x]\n" + b"".join(b"b%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
        ["grid.yaml"],
    ),
    "parameters that explode": (
        b"dataset:\n name: synthface\n params:\n  p0: &a0 [x, x]\n"
        + b"".join(b"  p%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40))
        + b"models: [mini-xception]\n",
        ["grid.yaml"],
    ),
    "an endless value": (SMALL.encode() + b"name: ['" + b"x" * 200_000 + b"']\n", [":3:", "name"]),
    "an endless key": (SMALL.encode() + b"? " + b"x" * 200_000 + b"\n: 3\n", ["grid.yaml"]),
}


@pytest.fixture
def refused_grid(place, refused, refusal):
    """Refuses the grid of these bytes; what is wrong is told with the file, where the file alone is wrong.

    What is wrong with plug-ins is known to `plan` only, which has opened its store by then.
    """

    def run(content, said):
        (place / "grid.yaml").write_bytes(content)
        if refusal(read_grid, place / "grid.yaml") is None:
            refused("plan", "grid.yaml", said=said)
        else:
            refused("data", "grid.yaml", said=["grid.yaml", *said])

    return run


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_grid_with_a_wrong_value_is_refused(case, refused_grid):
    text, said = WRONG_VALUES[case]
    refused_grid(f"{SMALL}{text}\n".encode(), said)


@pytest.mark.parametrize("case", WHOLE)
def test_a_grid_that_is_none_is_refused(case, refused_grid):
    refused_grid(*WHOLE[case])


def _no_file(path):
    pass


def _folder(path):
    path.mkdir()


def _dangling(path):
    path.symlink_to("nowhere.yaml")


def _circle(path):
    path.symlink_to(path.name)


def _pipe(path):
    os.mkfifo(path)


def _device(path):
    path.symlink_to("/dev/zero")


def _huge(path):
    with path.open("wb") as file:
        file.truncate(100_000_000)


def _zeros(path):
    path.write_bytes(b"\0" * 1000)


#: What may lie where a grid is expected, and what the sentence must hold.
PLACES = {
    _no_file: "No such file",
    _folder: "directory",
    _dangling: "No such file",
    _circle: "symbolic links",
    _pipe: "pipe",
    _device: "device",
    _huge: "100,000,000 bytes",
    _zeros: "YAML",
}

COMMANDS = {
    "plan": ["plan", "grid.yaml"],
    "run": ["run", "grid.yaml"],
    "data": ["data", "grid.yaml"],
    "schema": ["schema", "grid.yaml"],
    "audit": ["audit", "--model", "m.onnx", "--members", "a.csv", "--nonmembers", "b.csv", "--recipe", "grid.yaml"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__.strip("_"))
def test_what_is_no_file_of_a_grid_is_refused(make, command, place, refused):
    make(place / "grid.yaml")
    refused(*COMMANDS[command], said=["grid.yaml", PLACES[make]])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_line(command, place, refused):
    (place / "grid.yaml").write_text(f"{SMALL}seeds: [1.5]\n")
    refused(*COMMANDS[command], said=["grid.yaml:3: seeds.0"])


def test_a_name_that_would_steer_the_terminal_is_written_out(place, refused):
    told = refused("plan", "a\x1b[2Jb\nfer.yaml", said=["a\\x1b[2Jb fer.yaml"])
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_process_of_its_own_ends_alike(command, place):
    (place / "grid.yaml").write_text("? [a]\n: 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "fer_audit", command, "grid.yaml"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "fer-audit: grid.yaml:1: a list or a mapping can't be a key; expected a word\n"


#: A grid that names most of what a grid may name.
LARGE = """\
# a study
name: study
dataset: {name: synthface, params: {rows: 210, test_rows: 70, population_rows: 70}}
models: [mini-xception, {name: ghostface, params: {width: 1.0}}]
augmentations: [none, randaug, [randaug, mixup]]
defences:
  - none
  - {name: dp-sgd, params: {epsilon: 8}}
attacks:
  labels: [none, {name: symmetric, params: {rate: 0.3}}]
  membership: [loss-threshold, lira-online]
seeds: &seeds [0, 1]
training:
  image_size: 48
  epochs: 8
  optimizer: {name: sgd, learning_rate: 1.0e-3, clip_norm: null}
privacy: {references: 8, queries: [identity, flip], loss_trace: true}
canaries: {kind: blank, count: 20}
measures:
  corruptions: {kinds: [fog, snow], severities: [1, 3], baseline: mini-xception}
  batch_invariance: true
gates:
  - {metric: mia_auc, max: 0.6, where: {labels: none, seed: *seeds}}
resources: {workers: 2}
"""

NASTY = [
    *("true", "null", "-1", "0", ".nan", ".inf", "1.0e+400", "9" * 40, "0o7", "0x", "1:2:3", "2020-13-01", "''", "[]"),
    *("{}", "[[]]", "{a: b}", "*seeds", "&a x", "!!int x", "!!set {a}", "!!binary a", "? x", "<<: *seeds", "- ", "|"),
    *('"\\0"', '"\\ud800"', "\t", "\0", "\x85", "\ufeff", "---", "...", "%TAG", "#", ": ", ",", "}", "]", "'", "../x"),
]


@st.composite
def spoilt(draw):
    """The text of a grid of which lines, scalars and letters are gone, doubled, turned round, or others."""
    text = draw(st.sampled_from([LARGE, SMALL]))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["scalar", "scalar", "line", "letters", "swap", "insert"]))
        if kind == "line":
            lines = text.split("\n")
            here, there = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            moved = lines.pop(here)
            text = "\n".join([*lines[:there], *[moved] * draw(st.integers(0, 2)), *lines[there:]])
            continue
        words = [found.span() for found in re.finditer(r"[\w.+-]+", text)] or [(0, 0)]
        start = draw(st.integers(0, len(text)))
        if kind == "scalar":
            begin, end = draw(st.sampled_from(words))
            text = text[:begin] + draw(st.sampled_from(NASTY)) + text[end:]
        elif kind == "letters":
            text = text[:start] + text[start + draw(st.integers(1, 12)) :]
        elif kind == "swap":
            text = text[:start] + text[start : start + 2][::-1] + text[start + 2 :]
        else:
            text = text[:start] + draw(st.sampled_from(NASTY) | st.text(max_size=3)) + text[start:]
    return text


def read_spoilt(path, refusal):
    @given(spoilt())
    def check(text):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        told = refusal(read_grid, path)
        assert told is None or path.name in told

    return check


def read_planned(path, refusal):
    """What a grid that is read names may still not be there, or not fit."""
    registry = Registry.load()

    @given(spoilt())
    def check(text):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert refusal(lambda: GridPlugins(registry).check_all(read_grid(path).grid)) != ""

    return check


FUZZED = [read_spoilt, read_planned]


def examples(count):
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


def test_the_grid_that_is_spoilt_is_whole(tmp_path):
    (tmp_path / "study.yaml").write_text(LARGE)
    assert read_grid(tmp_path / "study.yaml").grid.canaries is not None


@pytest.mark.parametrize("read", FUZZED)
def test_any_text_is_read_or_refused(read, tmp_path, refusal):
    examples(60)(read(tmp_path / "study.yaml", refusal))()


@pytest.mark.release
@pytest.mark.parametrize("read", FUZZED)
def test_any_of_thousands_of_texts_is_read_or_refused(read, tmp_path, refusal, patient):
    examples(5000)(read(tmp_path / "study.yaml", refusal))()
