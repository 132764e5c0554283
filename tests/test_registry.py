"""The registry: plug-ins of folders, and what is said of those that can't be used."""

import shutil
import sys

import pytest

from fer_audit.errors import PluginError
from fer_audit.registry import Registry

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


def mine(extra="", name="mine"):
    return MINE.format(extra=extra).replace('"mine"', f'"{name}"')


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(mine())
    return tmp_path


def test_a_folder_adds_to_the_built_in_plugins(folder):
    registry = Registry.load([folder])
    assert {"mine", "randaug", "mixup"} <= set(registry.names("augmentation"))
    assert registry.create("augmentation", "mine").params.strength == 0.5


def test_a_folder_that_is_named_twice_is_read_once(folder):
    (folder / "here").mkdir()
    registry = Registry.load([folder, folder / "here" / "..", folder])
    assert registry.folders == [folder]
    assert not registry.broken


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(PluginError, match="absent' does not exist; expected a folder of Python files"):
        Registry.load([tmp_path / "absent"])


def test_a_wrong_name_is_told_the_nearest():
    with pytest.raises(PluginError, match="unknown augmentation 'randaugg': did you mean 'randaug'"):
        Registry.load().get("augmentation", "randaugg")


def test_a_broken_file_fails_only_who_names_it(folder):
    (folder / "broken.py").write_text(mine("import no_such_module", "broken"))
    registry = Registry.load([folder])
    assert registry.create("augmentation", "mine")
    [broken] = registry.broken
    assert (broken.path.name, broken.line, broken.names) == ("broken.py", 4, ("broken",))
    with pytest.raises(PluginError, match=r"broken\.py:4: ModuleNotFoundError"):
        registry.get("augmentation", "broken")


BROKEN = {
    "a syntax error": ("x = 1\nclass Typo(:\n", 2, "SyntaxError"),
    "no text": (b"\xff\xfe\x00", 1, "SyntaxError"),
    "an end of the interpreter": ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    "what pytest raises": ("import pytest\n\npytest.skip('no', allow_module_level=True)\n", 3, "Skipped: no"),
    "several lines": ("raise ValueError('''one\n  two''')\n", 1, "ValueError: one two"),
    "nothing": ("raise ValueError\n", 1, "ValueError"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_whatever_a_file_raises_is_one_line_with_its_place(folder, what):
    text, line, said = BROKEN[what]
    (folder / "bad.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    registry = Registry.load([folder])
    [broken] = registry.broken
    assert (broken.path.name, broken.line) == ("bad.py", line)
    assert str(broken).startswith(f"{folder / 'bad.py'}:{line}: {said}")
    assert "\n" not in str(broken)
    assert registry.get("augmentation", "mine")


def test_a_sibling_that_breaks_the_grammar_is_named(folder):
    (folder / "mine.py").write_text(mine("import breaks_the_grammar"))
    (folder / "breaks_the_grammar.py").write_text("def (\n")
    said = {broken.path.name: str(broken) for broken in Registry.load([folder]).broken}
    assert said.keys() == {"mine.py", "breaks_the_grammar.py"}
    assert f"{folder / 'mine.py'}:4: SyntaxError" in said["mine.py"]
    assert "breaks_the_grammar.py" in said["mine.py"]


def test_ctrl_c_is_not_a_broken_plugin(folder):
    (folder / "slow.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        Registry.load([folder])


def test_what_a_file_prints_is_no_output_of_ours(folder, capsys):
    (folder / "loud.py").write_text("print('hello')\n")
    Registry.load([folder])
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


UNUSABLE = {
    "a method that is missing": (lambda text: text.replace("def apply", "def aply"), "does not write the method apply"),
    "a name with a slash": (lambda text: text.replace('"mine"', '"a/b"'), "a name is letters, .* received 'a/b'"),
    "a name with a plus": (lambda text: text.replace('"mine"', '"a+b"'), "received 'a\\+b'"),
    "an empty name": (lambda text: text.replace('"mine"', '""'), "received ''"),
    "a name that is no text": (lambda text: text.replace('"mine"', "3"), "received 3"),
    "no contract": (
        lambda text: text.replace("(Augmentation)", "(__import__('fer_audit.plugins').plugins.Plugin)"),
        "Mine derives from none of the contracts",
    ),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_class_that_can_not_be_used_is_reported_with_its_line(folder, what):
    change, said = UNUSABLE[what]
    (folder / "mine.py").write_text(change(mine()))
    registry = Registry.load([folder])
    assert "mine" not in registry.names("augmentation")
    with pytest.raises(PluginError, match=rf"mine\.py:6: .*{said}"):
        registry.get("augmentation", "mine")


def test_two_plugins_of_one_name_are_refused(folder):
    (folder / "other.py").write_text(mine())
    with pytest.raises(PluginError, match=r"two plug-ins are called augmentation 'mine': .*mine\.py and .*other\.py"):
        Registry.load([folder])


def test_a_plugin_in_a_file_that_pytest_runs_is_told_why_it_is_unknown(folder):
    (folder / "mine.py").rename(folder / "test_time_augmentation.py")
    registry = Registry.load([folder])
    assert not registry.broken
    with pytest.raises(PluginError, match=r"test_time_augmentation\.py is taken for a test .* rename the file"):
        registry.get("augmentation", "mine")


def test_links_to_files_are_plugins_and_folders_are_none(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "linked.py"
    elsewhere.write_text(mine(name="linked"))
    (folder / "link.py").symlink_to(elsewhere)
    (folder / "package.py").mkdir()
    (folder / "lost.py").symlink_to(folder / "nothing")
    registry = Registry.load([folder])
    assert {"mine", "linked"} <= set(registry.names("augmentation"))
    assert [broken.path.name for broken in registry.broken] == ["lost.py"]


def test_an_edited_helper_is_imported_anew(folder):
    (folder / "mine.py").write_text(mine("from helper_that_changes import NAME").replace('"mine"', "NAME"))
    (folder / "helper_that_changes.py").write_text("NAME = 'before'\n")
    assert "before" in Registry.load([folder]).names("augmentation")
    known = sys.modules["helper_that_changes"]
    assert "before" in Registry.load([folder]).names("augmentation")
    assert sys.modules["helper_that_changes"] is known
    (folder / "helper_that_changes.py").write_text("NAME = 'afterwards'\n")
    assert "afterwards" in Registry.load([folder]).names("augmentation")


def test_a_helper_of_another_folder_is_never_taken_for_its_own(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / f"{place}.py").write_text(mine("from helper_of_both import SCALE", place))
        (tmp_path / place / "helper_of_both.py").write_text(f"SCALE = {place!r}\n")
    registry = Registry.load([tmp_path / "one", tmp_path / "two"])
    assert registry.get("augmentation", "one")
    with pytest.raises(PluginError, match=r"two\.py imports 'helper_of_both' from .*one and not from .*two, .* rename"):
        registry.get("augmentation", "two")


def test_a_later_study_of_the_same_process_has_its_own_helpers(tmp_path):
    for place in ("earlier", "later"):
        (tmp_path / place / "helpers_of_studies").mkdir(parents=True)
        (tmp_path / place / "mine.py").write_text(
            mine("from helpers_of_studies.part import NAME", "x").replace('"x"', "NAME")
        )
        (tmp_path / place / "helpers_of_studies" / "part.py").write_text(f"NAME = {place!r}\n")
    for place in ("earlier", "later", "earlier"):
        registry = Registry.load([tmp_path / place])
        assert not registry.broken
        assert place in registry.names("augmentation")


def test_files_of_one_name_may_lie_in_two_folders(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copy(folder / "mine.py", other)
    (other / "mine.py").write_text(mine(name="yours"))
    registry = Registry.load([folder, other])
    assert {"mine", "yours"} <= set(registry.names("augmentation"))
