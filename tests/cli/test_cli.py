"""The command line as a user meets it: what it prints, and how it ends."""

import subprocess
import sys
import time

import pytest

import fer_audit
from fer_audit.cli.main import COMMANDS, main


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fer_audit", *arguments], capture_output=True, text=True, cwd=cwd
    )


def test_help_names_every_command_and_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)
    assert run("--version").stdout == f"fer-audit {fer_audit.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["plan", "GRID"]])
def test_no_tensorflow_where_none_is_needed(arguments, tmp_path):
    (tmp_path / "g.yaml").write_text(
        "dataset: {name: synthface, params: {rows: 40, test_rows: 20}}\nmodels: [ghostface]\n"
    )
    words = [str(tmp_path / "g.yaml") if word == "GRID" else word for word in arguments]
    code = (
        "import sys\nfrom fer_audit.cli.main import main\n"
        f"try:\n    code = main({words!r})\nexcept SystemExit as end:\n    code = end.code\n"
        "heavy = {'tensorflow', 'keras', 'imgaug'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_list_shows_parameters_with_defaults(capsys):
    assert main(["list", "augmentations"]) == 0
    text = capsys.readouterr().out
    assert "randaug" in text
    assert "alpha: float = 0.2" in text
    assert "ghostface" not in text


def test_measures_are_listed_with_their_parameters(capsys):
    assert main(["list", "measures"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for word in ("memorisation", "label_errors", "batch_invariance", "occluded-mouth", "epsilons = 1.0, 2.0, 4.0, 8.0"):
        assert word in text


def test_list_takes_short_words_for_kinds(capsys):
    assert main(["list", "attacks"]) == 0
    text = capsys.readouterr().out
    assert "symmetric" in text
    assert "shadow-mia" in text


def test_list_reports_a_broken_plugin_and_goes_on(tmp_path, capsys):
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    assert main(["list", "models", "--plugins", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "broken.py:1" in text
    assert "ghostface" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "unknown command 'rnu': did you mean 'run'?"),
        (["list", "modles"], "did you mean 'model'?"),
        (["plan", "absent.yaml"], "absent.yaml"),
        (["run", "absent.yaml"], "absent.yaml"),
        (["report", "absent"], "run the grid first"),
        (["list", "--plugins", "absent"], "does not exist"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["run", "plan"])
def test_too_few_workers_is_refused(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text("dataset: synthface\nmodels: [ghostface]\n")
    assert main([command, "g.yaml", "--workers", "0"]) == 2
    assert "--workers must be at least 1" in capsys.readouterr().err


def test_help_is_there_before_a_user_wonders():
    # A guard against a heavy import, not a benchmark: with TensorFlow it would take seconds.
    began = time.perf_counter()
    assert run("--help").returncode == 0
    assert time.perf_counter() - began < 2
