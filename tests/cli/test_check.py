"""`fer-audit check`: what it prints, and how it ends."""

from pathlib import Path

import pytest

from fer_audit.cli.main import main

ATTACK = '''
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.plugins import Parameters


class {cls}(MembershipAttack):
    """The loss. Source: this test. Threat model: black box."""

    name = "{name}"
    threat_model = "black-box outputs"
    scores_rows_apart = True

    def infer(self, view):
        return {sign}view.log_probability.mean(axis=1)
'''
RIGHT = ATTACK.format(cls="Right", name="right", sign="")
WRONG = ATTACK.format(cls="Wrong", name="wrong", sign="-")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with `plugins/right.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "right.py").write_text(RIGHT)
    return tmp_path


@pytest.mark.parametrize("plugin", ["right", "plugins/right.py", "plugins/right", "plugins", "right(queries=[0])"])
def test_a_right_attack_is_found_and_passes(folder, capsys, plugin):
    assert main(["check", "attack", plugin]) == 0
    text = capsys.readouterr().out
    assert "plugins/right.py" in text.splitlines()[0]
    assert "ok    larger_means_member: AUC 1.000" in text
    assert "-     references_help: it needs no reference models" in text
    assert " 0 fail, " in text.splitlines()[-1]


def test_a_wrong_one_fails_with_the_reason_and_where_to_look(folder, capsys):
    (folder / "plugins" / "wrong.py").write_text(WRONG)
    assert main(["check", "attack", "wrong"]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("FAIL  larger_means_member")
    assert "expected an AUC above 0.9" in lines[place + 1]
    assert "the sign looks inverted" in lines[place + 1]
    assert lines[place + 2].startswith("      must hold: A leak that nobody could miss is found")
    assert lines[place + 3].startswith("      look: Look at the sign")
    assert lines[place + 3].endswith("(plugins/wrong.py:13)")
    assert " 1 fail, " in lines[-1]


def test_a_check_can_be_left_out(folder, capsys):
    (folder / "plugins" / "wrong.py").write_text(WRONG)
    assert main(["check", "attack", "wrong", "--skip", "larger_means_member"]) == 0
    assert "-     larger_means_member: as you asked" in capsys.readouterr().out


def test_one_fault_is_told_once(folder, capsys):
    (folder / "plugins" / "right.py").write_text(RIGHT.replace(".mean(axis=1)", ""))
    assert main(["check", "attack", "right"]) == 1
    text = capsys.readouterr().out
    assert text.count("must return float64 scores") == 1
    assert "for the same reason as above" in text
    assert "Draw everything random" not in text  # nothing is known of chance where nothing was answered


def test_a_folder_is_checked_as_far_as_it_can_be_imported(folder, capsys):
    (folder / "plugins" / "broken.py").write_text("import no_such_module\n")
    assert main(["check", "attack", "plugins"]) == 1
    text = capsys.readouterr().out
    assert " 0 fail, " in text
    assert "not loaded: " in text.splitlines()[-1]
    assert "broken.py:1: ModuleNotFoundError" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["attack", "rihgt"], "did you mean 'right'?"),
        (["model", "wrong"], "unknown model 'wrong'"),
        (["attak", "right"], "unknown kind of plug-in 'attak': did you mean 'attack'?"),
        (["attack", "absent.py"], "there is no such file or folder"),
        (["model", "plugins/right.py"], "holds no plug-in of the kind model"),
        (["attack", "plugins/test_right.py"], "by its name it is a test"),
        (["attack", "plugins/typo.py"], "typo.py:1: SyntaxError"),
        (["attack", "right(queries=[7,7])"], "parameter 'queries'"),
        (["attack", "torn"], "'torn' can't be checked, its file fails to import: "),
        (["dataset", "right"], "'right' is no dataset: it is a membership-attack"),
        (["dataset", "rafdb"], "parameter 'root': Field required"),
        (["label-attack", "transition"], "parameters are given as in `fer-audit check label-attack 'transition("),
        (["attack", "right(quantile=1)"], "has no parameter 'quantile'"),
        (["attack", "right", "--skip", "ties_are_kep"], "did you mean 'ties_are_kept'?"),
        (["attack", "no-such-package/right"], "expected an installed package"),
    ],
)
def test_bad_input_is_one_sentence(folder, capsys, arguments, said):
    (folder / "plugins" / "test_right.py").write_text(RIGHT)
    (folder / "plugins" / "typo.py").write_text("class Typo(:\n")
    (folder / "plugins" / "torn.py").write_text(RIGHT.replace('"right"', '"torn"') + "        return (\n")
    assert main(["check", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert said in printed.err


def test_built_in_plugins_are_checked_by_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "augmentations", "mixup"]) == 0
    assert Path("augmentations", "mixup.py").as_posix() in capsys.readouterr().out.splitlines()[0]
