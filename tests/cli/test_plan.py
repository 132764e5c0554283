"""What `fer-audit plan` says of the code that a run would import."""

import pytest
import yaml

from fer_audit.cli.main import main

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 40, "test_rows": 20}},
    "models": ["ghostface"],
    "augmentations": ["mine"],
    "training": {"image_size": 32},
    "plugins": ["plugins"],
}

PLUGIN = '''
from fer_audit.augmentations.augmentation import Augmentation
from zz_cli_helper import SCALE


class Mine(Augmentation):
    """Never applied; source: this test."""

    name = "{name}"

    def apply(self, images, labels, rng):
        return images.copy(), labels.copy()
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    plugins = tmp_path / "a study [of mine]" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "mine.py").write_text(PLUGIN.format(name="mine"))
    (plugins / "other_and_longer.py").write_text(PLUGIN.format(name="other"))
    (plugins / "broken.py").write_text("import zz_cli_nowhere\n")
    (plugins / "zz_cli_helper.py").write_text("SCALE = 1\n")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FER_AUDIT_STORE", str(tmp_path / "store"))
    return plugins.parent


def planned(folder, capsys, **changes):
    (folder / "grid.yaml").write_text(yaml.safe_dump({**GRID, **changes}))
    assert main(["plan", str(folder / "grid.yaml")]) == 0
    return capsys.readouterr().out.splitlines()


def test_every_file_is_one_line_with_what_it_is_part_of(folder, capsys):
    lines = planned(folder, capsys)
    place = lines.index("code from outside fer-audit that a run imports:")
    assert lines[place + 1 :] == [
        "  plugins/broken.py            not loaded",
        "  plugins/mine.py              augmentation mine",
        "  plugins/other_and_longer.py  imported, not used by this grid",
        "  plugins/zz_cli_helper.py     augmentation mine",
    ]
    [broken] = [line for line in lines if line.startswith("plug-in not loaded: ")]
    assert "broken.py:1: ModuleNotFoundError" in broken


def test_nothing_is_said_where_there_is_none(folder, capsys):
    lines = planned(folder, capsys, augmentations=["mixup"], plugins=[])
    assert not any("code" in line for line in lines)


def test_long_names_are_shown_whole(folder, capsys):
    params = {"l2": 0.000123456789, "norm_momentum": 0.987654321}
    head, *lines = planned(folder, capsys, models=[{"name": "mini-xception", "params": params}])
    table = lines[: next(place for place, line in enumerate(lines) if line.startswith("grid "))]
    shown = "".join(line[: head.index("augmentation")].strip() for line in table)
    assert shown.replace(" ", "") == "mini-xception(l2=0.000123456789,norm_momentum=0.987654321)"
