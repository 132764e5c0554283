"""The registry: names, parameters, broken files, and digests that follow the source."""

import pytest

from fer_audit.errors import PluginError
from fer_audit.plugins import KINDS, content_key
from fer_audit.registry import Registry
from fer_audit.sources import source_digest

MINE = '''
from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.plugins import Parameters
{extra}

class Mine(Augmentation):
    """Mine; source: this test."""

    name = "mine"

    class Params(Parameters):
        """Parameters."""

        strength: float = 0.5

    def apply(self, images, labels, rng):
        return images.copy(), labels.copy()
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(MINE.format(extra=""))
    return tmp_path


def test_a_folder_adds_to_the_built_in_plugins(folder):
    registry = Registry.load([folder])
    assert {"mine", "randaug", "mixup"} <= set(registry.names("augmentation"))
    assert registry.create("augmentation", "mine").params.strength == 0.5


def test_every_kind_has_built_in_plugins():
    registry = Registry.load()
    assert not registry.broken
    assert all(registry.names(kind) for kind in KINDS)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("randaugg", {}, "did you mean 'randaug'"),
        ("randaug", {"magnitud": 3}, "has no parameter 'magnitud'"),
        ("randaug", {"n": "many"}, "Received: 'many'"),
        ("mixup", {"alpha": -1}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_name_or_parameter_is_explained(name, params, said):
    with pytest.raises(PluginError, match=said.replace("(", r"\(")):
        Registry.load().create("augmentation", name, params)


def test_a_broken_file_fails_only_who_names_it(folder):
    (folder / "broken.py").write_text(MINE.format(extra="import no_such_module").replace('"mine"', '"broken"'))
    registry = Registry.load([folder])
    assert registry.create("augmentation", "mine")
    [broken] = registry.broken
    assert broken.path.name == "broken.py"
    assert broken.line == 4
    with pytest.raises(PluginError, match=r"broken\.py:4: ModuleNotFoundError"):
        registry.get("augmentation", "broken")


def test_a_syntax_error_is_reported_with_its_line(folder):
    (folder / "typo.py").write_text("x = 1\nclass Typo(:\n")
    [broken] = Registry.load([folder]).broken
    assert (broken.path.name, broken.line) == ("typo.py", 2)


def test_a_plugin_that_misses_its_method_is_reported(folder):
    (folder / "mine.py").write_text(MINE.format(extra="").replace("def apply", "def aply"))
    registry = Registry.load([folder])
    with pytest.raises(PluginError, match=r"mine\.py:\d+: augmentation 'mine' does not write the method apply"):
        registry.get("augmentation", "mine")


def test_a_file_that_ends_the_interpreter_is_reported(folder):
    (folder / "ends.py").write_text("import sys\nsys.exit(3)\n")
    assert [broken.path.name for broken in Registry.load([folder]).broken] == ["ends.py"]


def test_two_plugins_of_one_name_are_refused(folder):
    (folder / "other.py").write_text(MINE.format(extra=""))
    with pytest.raises(PluginError, match="two plug-ins are called"):
        Registry.load([folder])


def test_the_digest_follows_the_source_and_the_siblings_that_it_imports(folder):
    (folder / "shared_part.py").write_text("from nested.scale import SCALE\n")
    (folder / "nested").mkdir()
    (folder / "nested" / "scale.py").write_text("SCALE = 1\n")
    (folder / "mine.py").write_text(MINE.format(extra="from shared_part import SCALE"))

    def digest():
        return source_digest(Registry.load([folder]).get("augmentation", "mine"))

    first = digest()
    assert digest() == first
    (folder / "nested" / "scale.py").write_text("SCALE = 2\n")
    second = digest()
    (folder / "shared_part.py").write_text("SCALE = 3\n")
    assert len({first, second, digest()}) == 3


def test_the_repr_shows_all_parameters():
    assert repr(Registry.load().create("augmentation", "randaug", {"m": 3})) == "RandAug(n=2, m=3)"


def test_equal_values_have_equal_keys_whatever_their_order():
    assert content_key({"a": 1, "b": [1.5, None]}) == content_key({"b": [1.5, None], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})
