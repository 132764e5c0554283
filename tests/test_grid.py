"""Reading grids: what is accepted, and what each mistake says."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import GridError
from fer_audit.grid import chain_label, read_grid
from fer_audit.robustness.corruptions import KINDS

SMALL = """
dataset: synthface
models: [ghostface]
"""


def read(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return read_grid(path)


def test_defaults_and_name(tmp_path):
    grid = read(tmp_path, SMALL).grid
    assert grid.name == "study"
    assert grid.augmentations == ((),)
    assert [ref.name for ref in grid.attacks.labels] == ["none"]
    assert grid.privacy.references == 6


def test_the_shipped_grids_are_read():
    folder = Path(__file__).parent.parent / "experiments"
    names = {read_grid(path).grid.name for path in folder.glob("*.yaml")}
    assert {"grid", "faces_in_the_wild"} <= names


def test_plugins_are_named_alone_or_with_parameters(tmp_path):
    grid = read(
        tmp_path,
        SMALL + "augmentations: [none, randaug, {name: mixup, params: {alpha: 1}}, [randaug, mixup]]\n",
    ).grid
    assert [chain_label(chain) for chain in grid.augmentations] == [
        "none",
        "randaug",
        "mixup(alpha=1)",
        "randaug+mixup",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + "trainng: {}\n", r"study.yaml:4: unknown field 'trainng': did you mean 'training'\?"),
        (
            SMALL + "training:\n  epoch: 3\n",
            r"yaml:5: unknown field 'epoch' in training: did you mean 'epochs'\?",
        ),
        (SMALL + "training: {optimizer: {lr: 1}}\n", r"unknown field 'lr' in training.optimizer"),
        (SMALL + "training: {epochs: 0}\n", r"training.epochs: .*greater than or equal to 1. Received: 0"),
        (SMALL + "training: {optimizer: {name: adamm}}\n", r"training.optimizer.name: .*'adamw'.*Received: 'adamm'"),
        (SMALL + "privacy: {references: 5}\n", r"privacy: .*even number"),
        (SMALL + "privacy: {queries: [flip, flip]}\n", r"privacy: queries names 'flip' twice"),
        (SMALL + "training: {optimizer: {clip_norm: 0}}\n", r"clip_norm: .*greater than 0"),
        (SMALL + "seeds: [-1]\n", r"seeds.0: .*greater than or equal to 0"),
        (SMALL + "name: ..\n", r"name: "),
        (SMALL + "training: {optimizer: {learning_rate: .inf}}\n", r"finite"),
        (SMALL + "seeds: [1, 1]\n", r"seeds names '1' twice"),
        (SMALL + "augmentations: [[none, mixup]]\n", r"can't hold 'none'"),
        (SMALL + "models: [ghostface]\n", r"the key 'models' appears twice"),
        (
            SMALL + "measures: {corruption: true}\n",
            r"unknown field 'corruption' in measures: did you mean 'corruptions'"[:40],
        ),
        (SMALL + "measures: {corruptions: {kind: []}}\n", r"'kind' in measures.corruptions: did you mean 'kinds'"),
        (
            SMALL + "measures: {corruptions: {kinds: [jpg]}}\n",
            r"measures.corruptions.kinds.0: did you mean 'jpeg'.*Received: 'jpg'",
        ),
        (SMALL + "measures: {corruptions: {severities: [6]}}\n", r"measures.corruptions.severities.0: .*Received: 6"),
        (SMALL + "measures: {corruptions: {severities: [1, 1]}}\n", r"measures.corruptions: severities names 1 twice"),
        (SMALL + "measures: {corruptions: {baseline: ghostfac}}\n", r"baseline must name a model .*mean 'ghostface'"),
        (SMALL + "measures: {adversarial: {epsilons: [0]}}\n", r"measures.adversarial.epsilons.0: .*Received: 0"),
        (
            SMALL + "measures: {adversarial: {epsilons: [0.03]}}\n",
            r"measures.adversarial: .*grey levels.*Received: 0.03",
        ),
        (SMALL + "measures:\n  corruptions:\n", r"measures.corruptions: expected true, false.*Received: None"),
        (SMALL + "measures: {adversarial: yes please}\n", r"measures.adversarial: .*Received: 'yes please'"),
        (SMALL + "measures: {explanations: {layer: {ghostfac: x}}}\n", r"layer must name a model .*mean 'ghostface'"),
        (SMALL + "measures: {corruptions: 3}\n", r"measures.corruptions: expected true, false, or param.*Received: 3"),
        (SMALL + "measures: {explanations: {rows: 0}}\n", r"measures.explanations.rows: .*Received: 0"),
        (SMALL + "resources: {workers: 0}\n", r"at least 1"),
        (SMALL + "resources: {workers: many}\n", r"resources.workers"),
        ("models: [ghostface]\n", r"the field 'dataset' is missing"),
        ("dataset: synthface\nmodels: []\n", r"models: .*at least 1 item"),
        ("dataset: {nam: synthface}\nmodels: [ghostface]\n", r"unknown field 'nam' in dataset: did you mean 'name'"),
        ("dataset: synthface\nmodels: [{name: a, param: {}}]\n", r"unknown field 'param' .*did you mean 'params'"),
        ("- a\n- b\n", r"expected a mapping"),
        ("", r"expected a mapping"),
        ("dataset: [\n", r"not valid YAML"),
        ("dataset: !!python/object:os.system {}\nmodels: [a]\n", r"not valid YAML"),
        ("a: *nowhere\n", r"not valid YAML"),
    ],
)
def test_each_mistake_is_one_sentence(tmp_path, text, said):
    with pytest.raises(GridError, match=said) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_measures_are_switched_on_by_a_word_or_by_parameters(tmp_path):
    measures = read(
        tmp_path, SMALL + "measures: {corruptions: true, adversarial: {steps: 3}, explanations: false}"
    ).grid.measures
    assert measures.corruptions.severities == (1, 2, 3, 4, 5)
    assert measures.corruptions.kinds == KINDS
    assert measures.adversarial.steps == 3
    assert measures.explanations is None
    assert measures.memorisation is None


def test_a_missing_file_and_a_binary_file(tmp_path):
    with pytest.raises(GridError, match="No such file"):
        read_grid(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GridError, match="not text"):
        read_grid(tmp_path / "binary.yaml")


@given(st.text(alphabet="abc:-[]{}#&*!|>'\"%@` \n\t0123", max_size=60))
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("grid") / "g.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GridError):
        read_grid(path)
