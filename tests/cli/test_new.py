"""`fer-audit new`: where it writes, what it tells, and what it refuses."""

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from fer_audit.cli.main import main
from fer_audit.scaffold.template import TEMPLATES

GRID = Path(__file__).resolve().parents[2] / "experiments" / "grid.yaml"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in; what plug-in folders add to the path of imports goes with the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def tree():
    return {str(path): path.is_dir() or path.read_bytes() for path in Path().rglob("*")}


def commands(told):
    """The commands among the printed lines."""
    return [shlex.split(line) for line in told.splitlines() if line.startswith(("  fer-audit", "  pytest"))]


def with_grid():
    """Our own grid beside a folder of plug-ins, which it names."""
    Path("experiments/plugins").mkdir(parents=True)
    shutil.copy(GRID, "experiments/grid.yaml")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.word)
def test_a_plugin_and_its_test_are_written_and_told_of(template, capsys):
    assert main(["new", template.word, "zq-9"]) == 0
    told = capsys.readouterr().out
    assert tree().keys() == {"plugins", "plugins/zq_9.py", "plugins/test_zq_9.py"}
    assert told.startswith("wrote plugins/zq_9.py, which works as it is, and plugins/test_zq_9.py\n")
    assert commands(told) == [
        ["fer-audit", "check", template.word, "zq-9"],
        ["pytest", "plugins/test_zq_9.py"],
        ["fer-audit", "run", "grid.yaml"],
    ]
    assert "zq-9" in told.partition("Name it in a grid")[2]
    assert main(["list", f"{template.kind}s"]) == 0
    assert "  zq-9  " in capsys.readouterr().out


def test_the_usual_folder_is_that_of_the_experiments_where_it_is_there(capsys):
    Path("plugins").mkdir()
    with_grid()
    assert main(["new", "model", "zq-9"]) == 0
    told = capsys.readouterr().out
    assert Path("experiments/plugins/zq_9.py").is_file()
    assert "such as experiments/grid.yaml, which knows the folder" in told
    assert "plugins: [" not in told
    assert commands(told)[0] == ["fer-audit", "check", "model", "zq-9"]


def test_another_folder_is_named_in_every_line(capsys):
    with_grid()
    assert main(["new", "dataset", "zq-9", "--in", "my plugins/faces/"]) == 0
    told = capsys.readouterr().out
    assert commands(told) == [
        ["fer-audit", "check", "dataset", "my plugins/faces/zq_9.py"],
        ["pytest", "my plugins/faces/test_zq_9.py"],
        ["fer-audit", "run", "experiments/grid.yaml"],
    ]
    assert "  dataset: {name: zq-9, params: {root: my_faces}}\n" in told
    assert "  plugins: [../my plugins/faces/]  # relative to the grid's file\n" in told


def test_a_grid_that_can_not_be_read_does_not_matter(capsys):
    with_grid()
    Path("experiments/grid.yaml").write_text("models: [")
    assert main(["new", "attack", "zq-9"]) == 0
    assert "  plugins: [plugins/]  # relative to the grid's file\n" in capsys.readouterr().out


def test_the_printed_lines_work(capsys):
    """The check that is printed passes, and a plan of the grid with the printed lines knows the attack."""
    assert main(["new", "attack", "zq-9"]) == 0
    told = capsys.readouterr().out
    assert main(commands(told)[0][1:]) == 0
    lines = [line[2:] for line in told.splitlines() if line.startswith("  ")]
    grid = [line.replace("...", "shadow-mia") for line in lines if not line.startswith(("fer-audit", "pytest"))]
    sections = ["dataset: {name: synthface, params: {rows: 64}}", "models: [mini-xception]", *grid]
    Path("grid.yaml").write_text("\n".join(sections))
    assert main(["plan", "grid.yaml"]) == 0
    assert "zq-9" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["atack", "zq"], "unknown kind of plug-in 'atack': did you mean 'attack'?"),
        (["attack", "My_Attack"], "try 'my-attack'"),
        (["attack", "random"], "random.py would stand in for the module of that name; try 'my-random'"),
        (["attack", "needs"], "its file has another use for the name Needs"),
        (["attack", "rmia"], "there is a plug-in of this kind called 'rmia' already; try 'my-rmia'"),
        (["dataset", "folders"], "there is a plug-in of this kind called 'folders' already"),
        (["attack", "mine"], "there is a plug-in of this kind called 'mine' already"),
        (["model", "unfinished"], "there is a plug-in of this kind called 'unfinished' already"),
        (["model", "other-file"], "can't write plugins/other_file.py: file exists"),
        (["model", "tested"], "can't write plugins/test_tested.py: file exists"),
        (["model", "zq", "--in", "notes.txt"], "can't write notes.txt/zq.py: not a directory"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(arguments, message, capsys):
    assert main(["new", "attack", "mine"]) == 0
    Path("plugins/other_file.py").write_text("mine")
    Path("plugins/test_tested.py").write_text("mine")
    Path("plugins/broken.py").write_text("class Unfinished:\n    name = 'unfinished'\n\nraise ValueError\n")
    Path("notes.txt").write_text("mine")
    before = tree()
    capsys.readouterr()
    assert main(["new", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not said.out
    assert tree() == before
