"""`fer-audit list`: how it reads on a terminal, and in a pipe."""

import io
import re

from rich.console import Console

from fer_audit.cli import list as listing
from fer_audit.cli.main import main
from fer_audit.registry import Registry

LONG = "Blends every image with another one of the batch, and says so in a first line that is longer than a terminal."

PLUGIN = f'''
from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.plugins import Parameters
from pydantic import Field


class Mine(Augmentation):
    """{LONG}

    More of it.
    """

    name = "mine"

    class Params(Parameters):
        """How much."""

        much: int = Field(1, description="{LONG}")

    params: Params

    def apply(self, images, labels, rng):
        return images, labels
'''


def plugin_folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(PLUGIN)
    return folder


def on_terminal(kind, registry, width=80):
    out = io.StringIO()
    listing._show_kind(registry, kind, Console(file=out, force_terminal=True, color_system=None, width=width))
    return out.getvalue().splitlines()


def test_what_is_too_long_for_a_terminal_hangs_below_its_beginning(tmp_path):
    lines = on_terminal("augmentation", Registry.load([plugin_folder(tmp_path)]))
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    first = next(place for place, line in enumerate(lines) if line.startswith("  mine  "))
    assert re.match(" {6}\\w", lines[first + 1])
    much = next(place for place, line in enumerate(lines) if line.startswith("    much: int = 1  "))
    assert re.match(" {8}\\w", lines[much + 1])
    assert " ".join(" ".join(lines[first : first + 2]).split()) == f"mine {LONG}"


def test_a_narrow_terminal_is_no_error():
    assert on_terminal("membership-attack", Registry.load(), width=6)


def test_a_pipe_gets_one_line_each(tmp_path, capsys, monkeypatch):
    plugin_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["list", "augmentations", "--plugins", "mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "augmentations, under `augmentations:` of a grid"
    place = lines.index(f"  mine  {LONG}")
    assert lines[place + 1 : place + 3] == ["    file: mine/mine.py", f"    much: int = 1  {LONG}"]


def test_a_kind_says_where_it_stands(capsys):
    assert main(["list", "attacks"]) == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert heads == [
        "label-attacks, under `attacks.labels:` of a grid",
        "membership-attacks, under `attacks.membership:` of a grid",
    ]


def test_plugins_of_packages_are_shown_as_a_grid_names_them():
    registry = Registry.load()
    mixup = registry.get("augmentation", "mixup")
    packaged = type("Packaged", (mixup,), {"name": "mixup", "package": "some-package", "__module__": "some_package"})
    registry.classes["augmentation"] = {packaged.address(): packaged}
    assert any(line.startswith("  some-package/mixup  ") for line in on_terminal("augmentation", registry))
    registry.classes["augmentation"] = {}
    assert on_terminal("augmentation", registry)[1] == "  none"
