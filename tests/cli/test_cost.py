import json
import subprocess
import sys

import pytest

from fer_audit.cli.claim import Claim, parse_claim
from fer_audit.cli.main import main
from fer_audit.training import costs

PLUGIN = """
from fer_audit.lazy import keras
from fer_audit.models.model import Model


class Tiny(Model):
    "One dense layer on the pixels."

    name = "tiny"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten(name="flat")(inputs)
        return keras.Model(inputs, keras.layers.Dense(classes, use_bias=False, name="logits")(x))


class Broken(Model):
    "Fails."

    name = "broken"

    def build(self, input_shape, classes):
        return 1 / 0
"""


@pytest.fixture
def plugins(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "tiny.py").write_text(PLUGIN)
    return ["--plugins", str(tmp_path / "plugins")]


@pytest.fixture
def cost(tmp_path, plugins, monkeypatch, capsys):
    """Runs the command on a terminal of so many columns; returns what it printed and wrote."""

    def run(*arguments, columns=200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["cost", *arguments, *plugins, "--json", str(tmp_path / "c.json")]) == 0
        return capsys.readouterr().out, json.loads((tmp_path / "c.json").read_text())

    return run


def test_one_model_is_shown_with_its_layers(cost):
    printed, written = cost("tiny", "--size", "4", "--classes", "5", "--no-latency")
    macs = 4 * 4 * 3 * 5
    (model,) = written["models"]
    file_bytes = model.pop("keras_file_bytes")
    assert file_bytes > 4 * macs
    flatten, dense = model.pop("layers")
    assert model == {
        "model": "tiny",
        "image_size": 4,
        "classes": 5,
        "params_total": macs,
        "params_trainable": macs,
        "macs": macs,
        "flops": 2 * macs,
        "tf_profiler": 2 * macs,
        "keras_flops": 2 * macs,
        "fvcore": macs,
        "activation_peak_bytes": 2 * 4 * 48,
        "activation_output_bytes": 4 * (48 + 5),
        "speeds": [],
    }
    assert (flatten["name"], flatten["kind"], flatten["output_shape"], flatten["macs"]) == (
        "flat",
        "Flatten",
        [48],
        0,
    )
    assert dense == {
        "name": "logits",
        "kind": "Dense",
        "output_shape": [5],
        "params_total": macs,
        "params_trainable": macs,
        "macs": macs,
        "activation_bytes": 20,
        "flops": 2 * macs,
    }
    assert written["claim"] is None
    assert "logits" in printed
    assert "100.0%" in printed
    assert "flat " not in printed
    assert "1 more calls have neither weights nor macs" in printed
    assert "speed" not in printed


def test_every_layer_is_shown_on_demand(cost):
    printed, _ = cost("tiny", "tiny", "--size", "4", "--no-latency")
    assert "logits" not in printed
    printed, _ = cost("tiny", "--size", "4", "--no-latency", "--layers")
    assert "flat " in printed
    assert "more calls" not in printed


def test_speed_is_of_one_and_of_32_images(cost, monkeypatch):
    monkeypatch.setattr(costs, "SPEED_RUNS", {1: 3, 32: 2})
    printed, written = cost("tiny", "--size", "4")
    one, many = written["models"][0]["speeds"]
    assert (one["batch"], one["runs"], many["batch"], many["runs"]) == (1, 3, 32, 2)
    for speed in (one, many):
        assert 0 < speed["p50_ms"] <= speed["p95_ms"]
        assert speed["images_per_s"] > 0
    assert f"on {written['device']}" in printed


@pytest.mark.parametrize("columns", [80, 100, 130])
def test_nothing_is_cut_off_in_a_thin_terminal(cost, columns):
    models = ("ghostface(norm_momentum=0.99)", "mini-xception")
    printed, written = cost(*models, "--size", "48", "--no-latency", "--layers", columns=columns)
    assert max(map(len, printed.splitlines())) <= columns
    assert "…" not in printed
    for model in written["models"]:
        for key in ("params_total", "params_trainable", "macs", "flops", "tf_profiler", "keras_flops"):
            assert f" {model[key]:,} " in printed.replace("\n", " ")
    assert written["models"][0]["model"] == "ghostface(norm_momentum=0.99)"


def test_the_published_saving_mixes_units(cost):
    printed, written = cost("ghostface-origin", "--claim", "12.66% fewer FLOPs than efficientface")
    told = " ".join(printed.split())
    assert (
        "12.66 % is reproduced by keras_flops (published) of ghostface-origin (134.66 M) against fvcore (published) of "
        "efficientface (154.18 M): unlike units" in told
    )
    assert "In one unit: macs 56.8 %, flops 56.8 %," in told
    assert "Claimed of flops: the saving is 56.81 %, not 12.66 %." in told
    claim = written["claim"]
    assert (claim["reproduced"], claim["honest"], claim["claimed"], claim["digits"]) == (True, False, 12.66, 2)
    (pair,) = claim["reproducing"]
    assert (pair["numerator"], pair["denominator"], pair["like_units"]) == (134_655_852, 154_180_000, False)
    assert [model["fvcore"] for model in written["models"]] == [66_813_116, 154_159_278]


def test_honest_and_unfounded_savings(cost):
    printed, written = cost("--claim", "tiny 0.0% vs tiny", "--size", "4")
    assert written["claim"]["honest"]
    assert "macs of tiny (0.00 M): one unit." in printed
    printed, written = cost("tiny", "--claim-value", "25", "--against", "tiny", "--size", "4")
    assert not written["claim"]["reproduced"]
    assert "25 % is reproduced by no pair of units; nearest is" in printed
    assert "published" not in printed


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("12.66% vs efficientface", Claim(None, 12.66, 2, "efficientface")),
        (
            "ghostface-origin 12.60 % fewer FLOPs than efficientface",
            Claim("ghostface-origin", 12.6, 2, "efficientface", "flops"),
        ),
        (" 57%  less  vs. m(a=1, b=[2]) ", Claim(None, 57.0, 0, "m(a=1, b=[2])")),
        ("m(a=0.5) -3.5% VERSUS n", Claim("m(a=0.5)", -3.5, 1, "n")),
    ],
)
def test_claims_are_read(text, claim):
    assert parse_claim(text) == claim


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no model named"),
        (["gostface"], "unknown model 'gostface': did you mean 'ghostface'?"),
        (["ghostface(scale=1)"], "has no parameter 'scale'"),
        (["efficientface", "--size", "8"], "needs images of at least 9x9 px, received 8x8"),
        (["broken"], "model 'broken' failed at"),
        (["tiny", "--size", "0"], "--size must be 1 to 4096 pixels, received 0"),
        (["tiny", "--classes", "0"], "--classes must be at least 1, received 0"),
        (["tiny", "--json", "absent/c.json"], "the folder of absent/c.json does not exist"),
        (["tiny", "--claim", "much less"], "--claim: expected '[MODEL] NUMBER% [fewer ...] vs MODEL'"),
        (["tiny", "--claim", "12% more than tiny"], "'more' is not understood"),
        (["tiny", "--claim", "12% vs tony"], "unknown model 'tony': did you mean 'tiny'?"),
        (["--claim", "12% vs tiny"], "a claim is about one model"),
        (["tiny", "tiny", "--claim", "12% vs tiny"], "received 2 models"),
        (["tiny", "--claim-value", "12"], "--claim-value and --against belong together"),
        (
            ["tiny", "--claim-value", "much", "--against", "tiny"],
            "expected a percentage such as 12.66, received 'much'",
        ),
        (["tiny", "--claim", "1% vs tiny", "--claim-value", "1", "--against", "tiny"], "received both"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, said, plugins, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["cost", *arguments, *plugins]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_what_can_not_be_saved_has_no_file_size(tmp_path):
    class Unsaved:
        def save(self, path):
            raise NotImplementedError

    assert costs._file_bytes(Unsaved()) is None


def test_what_the_store_keeps_is_a_cost_of_the_results(tmp_path):
    from fer_audit.registry import Registry
    from fer_audit.results import Cost
    from fer_audit.specs import PluginIdentity, ProgramSpec, cost_key
    from fer_audit.store import Store

    model = Registry.load().create("model", "mini-xception")
    spec = ProgramSpec(
        model=PluginIdentity(**model.identity()),
        input_shape=(48, 48, 3),
        classes=7,
        batch_size=8,
        optimizer="sgd",
        weight_decay=0.0,
        momentum=0.9,
    )
    store = Store(tmp_path)
    costs.keep_cost(store, spec, model)
    cost = Cost(model="mini-xception", **store.read_json("costs", cost_key(spec)))
    assert cost.reference_macs == 133_990_592
    for unit in ("params_total", "params_trainable", "macs", "flops"):
        assert getattr(cost, unit) == sum(getattr(layer, unit) for layer in cost.layers)


def test_reading_a_command_line_imports_no_tensorflow():
    code = (
        "import sys\nfrom fer_audit.cli.main import main\n"
        "try:\n    main(['cost', '--help'])\nexcept SystemExit:\n    pass\n"
        "main(['cost', 'ghostface', '--claim', 'nonsense'])\n"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))\n"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True).returncode == 0


def test_nothing_but_the_costs_is_printed(tmp_path):
    command = [sys.executable, "-m", "fer_audit", "cost", "mini-xception", "--size", "32", "--no-latency"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("one image of 32x32 px, 7 classes")
