"""Reading grids: what is accepted, and what each mistake says."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import GridError
from fer_audit.grid import chain_label, read_grid
from fer_audit.results import Gate
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


#: A grid of a model that was trained elsewhere.
AUDIT = "dataset: {name: member-lists, params: {members: a, nonmembers: b}}\naudit: {models: [{file: m.onnx}]}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + "trainng: {}\n", r"study.yaml:4: unknown field 'trainng': did you mean 'training'\?"),
        (SMALL + "defences: [none, dpsgd]\n", r"yaml:4: defences.1: unknown defence: did you mean 'dp-sgd'\?"),
        (
            SMALL + "defences:\n  - name: dp-sgd\n    params:\n      epsilom: 3\n",
            r"yaml:7: defences.0.params.epsilom: dp-sgd has no parameter 'epsilom': did you mean 'epsilon'\?",
        ),
        (
            SMALL + "defences: [{name: dp-sgd, params: {epsilon: 3, noise_multiplier: 1}}]\n",
            r"expected epsilon or noise_multiplier, .* Received: epsilon 3 and noise_multiplier 1",
        ),
        (
            SMALL + "defences: [{name: dp-sgd, params: {clip_norm: -1}}]\n",
            r"clip_norm: dp-sgd: Input should be greater than 0. Received: -1",
        ),
        (SMALL + "defences: [label-smoothing, label-smoothing]\n", "defences names 'label-smoothing' twice"),
        (SMALL + "gates: [{metric: epsilon, max: 1}]\n", r"epsilon is measured only where the grid has dp-sgd"),
        (
            SMALL + "defences: [dp-sgd]\ngates: [{metric: accuracy, min: 0.5, where: {defence: dp-sg}}]\n",
            r"no cell has defence 'dp-sg': did you mean 'dp-sgd'\?",
        ),
        (SMALL + "canaries: true\n", r"canaries: expected parameters such as .* Received: True"),
        (
            SMALL + "gates: [{metric: canary_epsilon_lower_bound, max: 1}]\n",
            r"canary_epsilon_lower_bound is measured only where the grid has canaries",
        ),
        (SMALL + "canaries: {cont: 3}\n", r"unknown field 'cont' in canaries: did you mean 'count'\?"),
        (
            SMALL + "gates: [{metric: accuracy, min: 0.5, where: {defence: dp-sgd}}]\n",
            r"no cell has defence 'dp-sgd': expected one of: none",
        ),
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
        (SMALL + "gates: [{metric: acuracy, min: 0.5}]\n", r"gates.0.metric: unknown metric .*mean 'accuracy'\?"),
        (SMALL + "gates:\n  - {metric: accuracy}\n", r"yaml:5: gates.0: a gate has one limit, .*Received: neither"),
        (SMALL + "gates: [{metric: mce, max: 1, min: 0}]\n", r"gates.0: a gate has one limit.*Received: both"),
        (SMALL + "gates: [{metric: mce, max: .inf}]\n", r"gates.0.max: .*finite"),
        (SMALL + "gates: [{metric: accuracy, min: 50}]\n", r"accuracy is 0 to 1, such as 0.6 for 60 %. Received: 50"),
        (SMALL + "gates: [{metric: macs, max: -1}]\n", r"a limit of macs is at least 0. Received: -1"),
        (SMALL + "gates: [{metric: latency_p50_ms, max: 9, certain: true}]\n", r"gates.0: latency_p50_ms has no inter"),
        (SMALL + "gates: [{metrc: accuracy}]\n", r"unknown field 'metrc' in gates.0: did you mean 'metric'\?"),
        (SMALL + "gates: [{metric: accuracy, max: 1, level: fatal}]\n", r"gates.0.level: .*'warn'.*Received: 'fatal'"),
        (
            SMALL
            + "gates:\n  - {metric: macs, max: 1}\n  - metric: macs\n    max: 1\n    where:\n      model: ghostfac\n",
            r"yaml:9: gates.1.where.model: no cell has model 'ghostfac': did you mean 'ghostface'\?",
        ),
        (
            SMALL + "gates: [{metric: macs, max: 1, where: {modl: ghostface}}]\n",
            r"unknown field 'modl' in gates.0.where: did you mean 'model'\?",
        ),
        (SMALL + "gates: [{metric: macs, max: 1, where: {seed: [0, 3]}}]\n", r"where.seed: no cell has seed '3'"),
        (SMALL + "gates: [{metric: macs, max: 1, where: {labels: pair-flip}}]\n", r"no cell has labels 'pair-flip'"),
        (SMALL + "gates: [{metric: mia_auc, max: 0.6}]\n", r"gates.0.metric: mia_auc .* has attacks.membership"),
        (SMALL + "gates: [{metric: mce, max: 1}]\n", r"gates.0.metric: mce .* has measures.corruptions"),
        (SMALL + "resources: {workers: 0}\n", r"at least 1"),
        (SMALL + "resources: {workers: many}\n", r"resources.workers"),
        ("models: [ghostface]\n", r"the field 'dataset' is missing"),
        ("dataset: synthface\nmodels: []\n", r"models: expected the models that are trained"),
        (
            AUDIT + "augmentations: [randaug]\n",
            r"study.yaml:3: augmentations: .* of reference models",
        ),
        (AUDIT + "training: {epochs: 3}\n", r"training\.epochs is of the training"),
        (AUDIT + "privacy: {references: 8}\n", r"privacy\.references is of the training"),
        (AUDIT + "canaries: {count: 20}\n", r"canaries is of models that the grid trains"),
        (AUDIT + "models: [ghostface, mini-xception]\n", r"at most one of models, received 2"),
        (AUDIT + "models: [ghostface]\nseeds: [0, 1]\n", r"at most one of seeds, received 2"),
        (AUDIT.replace("{file:", "{fil:"), r"unknown field 'fil' in audit.models.0: did you mean 'file'"),
        (AUDIT.replace("}]}", "}, {file: a/m.onnx}]}"), r"models names 'm.onnx' twice"),
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


def test_gates_are_recorded_as_results_have_them(tmp_path):
    text = """
        dataset: synthface
        models: [ghostface, {name: mini-xception, params: {width: 2}}]
        augmentations: [none, [randaug, mixup]]
        attacks: {membership: [rmia]}
        seeds: [0, 1]
        gates:
          - {metric: mia_auc, max: 0.6}
          - metric: accuracy
            min: 0.5
            level: warn
            certain: true
            where: {model: mini-xception(width=2), augmentation: [none, randaug+mixup], labels: null, seed: 1}
    """
    first, second = (Gate.model_validate(gate.recorded) for gate in read(tmp_path, text).grid.gates)
    assert first == Gate(metric="mia_auc", max=0.6)
    assert second == Gate(
        metric="accuracy",
        min=0.5,
        level="warn",
        certain=True,
        where={
            "model": ["mini-xception(width=2)"],
            "augmentation": ["none", "randaug+mixup"],
            "labels": ["none"],
            "seed": ["1"],
        },
    )


def test_the_place_of_a_mistake_among_models_is_told(tmp_path):
    with pytest.raises(GridError, match=r"study.yaml:6: measures.corruptions.baseline: baseline must name a model"):
        read(tmp_path, SMALL + "measures:\n  corruptions:\n    baseline: ghostfac\n")


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
