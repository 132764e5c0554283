import json
import re

import numpy as np
import pytest
from PIL import Image

from fer_audit.cli.main import main


@pytest.fixture
def photographs(tmp_path):
    """A manifest of 240 noisy photographs: those to train on are darker, and two test images are copies."""
    rng = np.random.default_rng(0)
    lines = ["image,label,split"]
    for row in range(240):
        train = row % 2 == 0
        pixels = rng.integers(0, 160 if train else 256, (20, 20, 3), np.uint8)
        if row in (1, 3):
            with Image.open(tmp_path / f"{row - 1}.png") as other:
                pixels = np.asarray(other)
        Image.fromarray(pixels).save(tmp_path / f"{row}.png")
        lines.append(f"{row}.png,{('fear', 'anger')[row // 2 % 2]},{'train' if train else 'test'}")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    return tmp_path


def run(*arguments):
    return main(["data", *map(str, arguments)])


def test_a_dataset_is_shown_and_written(photographs, capsys, monkeypatch):
    monkeypatch.chdir(photographs)
    assert run("manifest(path=m.csv)", "--size", 16) == 0
    told = capsys.readouterr().out
    assert re.search(r"images +120 +120 +0", told)
    assert "train files: 20x20 to 20x20 px, median 20x20, 0% grey" in told
    assert (
        "exact copies: 4 images in 2 groups, 0 of them with conflicting labels; 2 test rows with a copy in train"
        in told
    )
    assert re.search(r"blind baseline, train against test: AUC (0\.9|1\.0).*they differ", told)
    assert "photographs of people are left out of the page; --images puts them in" in told
    page = (photographs / "reports" / "manifest" / "data.html").read_text()
    assert "<img" not in page
    assert "they differ" in page
    assert "http" not in re.sub(r"http-equiv", "", page)
    found = json.loads((photographs / "reports" / "manifest" / "data.json").read_text())
    assert found["dataset"]["hygiene"]["exact"]["across"] == {"test rows with a copy in train": 2}
    assert run("manifest(path=m.csv)", "--size", 16, "--images") == 0
    page = (photographs / "reports" / "manifest" / "data.html").read_text()
    assert page.count("<img") == 2


def test_copies_are_dropped_on_request(photographs, capsys, monkeypatch):
    monkeypatch.chdir(photographs)
    assert run("manifest(path=m.csv, deduplicate=true)", "--size", 16) == 0
    told = capsys.readouterr().out
    assert "none across splits" in told
    assert "rows dropped because another split has a copy of their image: 2 of the train split" in told


def test_a_grid_is_looked_at_as_it_would_be_run(tmp_path, capsys):
    grid = tmp_path / "small.yaml"
    grid.write_text(
        "dataset: {name: synthface, params: {rows: 140, test_rows: 70}}\nmodels: [mini-xception]\n"
        "training: {image_size: 32}\nprivacy: {references: 4}\nattacks: {membership: [loss-threshold]}\n"
    )
    assert run(grid, "--store", tmp_path / "s", "--reports", tmp_path / "r") == 0
    told = capsys.readouterr().out
    assert "people in both train and test: 0" in told
    assert told.count("blind baseline") == 3
    page = (tmp_path / "r" / "small" / "data.html").read_text()
    assert page.count("<img") == 7
    assert "drawn faces at 32 px" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synthfaces"], "unknown dataset 'synthfaces': did you mean 'synthface'"),
        (["rafdb"], "parameter 'root': Field required"),
        (["rafdb(root=nowhere)"], "no folder 'nowhere'"),
        (["nowhere.yaml"], "can't read the grid nowhere.yaml"),
        (["synthface", "--size", "9"], "--size must be 16 to 512 pixels, received 9"),
        (["synthface(rows"], "expected a name or name(parameter=value, ...)"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "reports").exists()
