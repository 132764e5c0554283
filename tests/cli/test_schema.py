"""`fer-audit schema` and `fer-audit list --schema`: JSON on stdout and nothing else."""

import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from fer_audit.cli.main import main
from fer_audit.measures_section import MEASURES
from fer_audit.plugins import KINDS

SHIPPED = Path(__file__).parents[2] / "experiments" / "grid.schema.json"

PLUGIN = '''
"""A plug-in of a folder."""
from pydantic import Field

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.plugins import Parameters


class Mine(Augmentation):
    """Does what I want."""

    name = "mine"

    class Params(Parameters):
        """How much."""

        much: int = Field(1, ge=0, le=9, description="of it")

    params: Params

    def apply(self, images, labels, rng):
        return images, labels
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a grid, a plug-in of its own, and one that fails to import."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.py").write_text(PLUGIN)
    (tmp_path / "mine" / "broken.py").write_text("import no_such_module\n")
    (tmp_path / "grid.yaml").write_text("dataset: synthface\nmodels: [ghostface]\nplugins: [mine]\n")
    return tmp_path


def printed(capsys, *arguments):
    """The schema on stdout, and what is on stderr."""
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    schema = json.loads(out)
    jsonschema.Draft7Validator.check_schema(schema)
    return schema, err


def with_mine(**params):
    return {
        "dataset": "synthface",
        "models": ["ghostface"],
        "augmentations": ["mine", {"name": "mine", "params": params}],
    }


@pytest.mark.parametrize("arguments", [["grid.yaml"], ["--plugins", "mine"]])
def test_the_plugins_of_a_grid_or_of_folders_are_in_it(arguments, folder, capsys):
    schema, said = printed(capsys, "schema", *arguments)
    validator = jsonschema.Draft7Validator(schema)
    assert validator.is_valid(with_mine(much=2))
    assert not validator.is_valid(with_mine(much=10))
    assert not validator.is_valid(with_mine(many=1))
    assert schema["definitions"]["augmentation.mine"]["description"] == "Does what I want."
    assert "broken.py:1" in said


def test_the_usual_folders_are_read_where_they_are_there(folder, capsys):
    schema, _ = printed(capsys, "schema")
    assert not jsonschema.Draft7Validator(schema).is_valid(with_mine(much=2))
    (folder / "mine").rename(folder / "plugins")
    schema, _ = printed(capsys, "schema")
    jsonschema.Draft7Validator(schema).validate(with_mine(much=2))


def test_built_in_plugins_alone_are_what_is_shipped(folder, capsys):
    (folder / "mine").rename(folder / "plugins")
    assert main(["schema", "--built-in"]) == 0
    assert capsys.readouterr().out == SHIPPED.read_text(), "make it again: make schema"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--built-in", "grid.yaml"], "--built-in leaves out"),
        (["--built-in", "--plugins", "mine"], "--built-in leaves out"),
        (["absent.yaml"], "absent.yaml"),
        (["--plugins", "absent"], "does not exist"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, folder, capsys):
    assert main(["schema", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_kinds_have_schemas_of_their_own(folder, capsys):
    schema, said = printed(capsys, "list", "augmentations", "--schema", "--plugins", "mine")
    assert jsonschema.Draft7Validator(schema).is_valid({"name": "mine", "params": {"much": 3}})
    assert not jsonschema.Draft7Validator(schema).is_valid("ghostface")
    assert "broken.py:1" in said


@pytest.mark.parametrize(
    ("words", "kinds"), [(["attacks"], ["label-attack", "membership-attack"]), (["models"], ["model"]), ([], [*KINDS])]
)
def test_one_schema_a_kind(words, kinds, capsys):
    schema, said = printed(capsys, "list", *words, "--schema")
    assert [name for name in schema["definitions"] if "." not in name] == kinds
    assert said == ""


def test_measures_have_a_schema_too(capsys):
    schema, said = printed(capsys, "list", "measures", "--schema")
    assert list(schema["properties"]) == list(MEASURES)
    assert jsonschema.Draft7Validator(schema).is_valid({"adversarial": {"steps": 3}, "memorisation": True})
    assert not jsonschema.Draft7Validator(schema).is_valid({"adversarial": {"steps": 0}})
    assert said == ""


def test_no_tensorflow_and_no_waiting(tmp_path):
    code = (
        "import sys\nfrom fer_audit.cli.main import main\ncode = main(['schema'])\n"
        "heavy = {'tensorflow', 'keras', 'imgaug'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    # A guard against a heavy import, not a benchmark: with TensorFlow it would take seconds more.
    assert time.perf_counter() - began < 5
