"""What `fer-audit plan` says of cells, and of the code that a run would import."""

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


def test_of_many_cells_the_first_and_the_last_are_shown(folder, capsys):
    lines = planned(folder, capsys, augmentations=["mixup"], plugins=[], seeds=list(range(51)))
    place = next(place for place, line in enumerate(lines) if line.startswith("grid "))
    rows = [line.split()[-4] for line in lines[1 : place - 1] if line.startswith(" ghostface")]
    assert rows == [str(seed) for seed in (*range(20), *range(46, 51))]
    assert lines[21].strip() == "... 26 more"
    assert lines[place - 1] == "51 cells: 1 model x 1 augmentation x 1 label attack x 51 seeds"


def test_fifty_cells_are_all_shown(folder, capsys):
    lines = planned(folder, capsys, augmentations=["mixup"], plugins=[], seeds=list(range(50)))
    assert sum(line.startswith(" ghostface") for line in lines) == 50
    assert not any(" more" in line for line in lines)


def test_of_many_cells_that_are_left_out_the_first_are_named(folder, capsys):
    private = [{"name": "dp-sgd", "params": {"epsilon": 8, "batch_size": 20}}, "none"]
    changes = {"augmentations": ["mixup"], "plugins": [], "defences": private}
    lines = planned(folder, capsys, **changes, seeds=list(range(22)))
    left_out = [line for line in lines if line.startswith("left out: ")]
    assert len(left_out) == 21
    assert left_out[-1] == "left out: 2 more cells; results.json will name all"
    assert lines[0].split()[2] == "label"  # no defence is left
