import numpy as np
import pytest
from PIL import Image

from fer_audit.cli.main import main


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("fear", "anger"):
        for row in range(2):
            path = tmp_path / "src" / label / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (30, 30, 3), np.uint8)).save(path)
    return tmp_path


def run(*arguments):
    return main(["prepare", *map(str, arguments)])


def test_folders_are_prepared_and_told_of(source, capsys):
    assert run(source / "src", source / "out", "--detector", "haar", "--workers", 1, "--size", 32) == 0
    told = capsys.readouterr().out
    assert "4 images: 4 done now, 0 before" in told
    assert "faces found by haar: 0 of 4 (0.0%)" in told
    assert "4 without a face, kept whole, marked face=missing; all are listed in" in told
    assert "  anger/0.png" in told
    assert (source / "out" / "manifest.csv").read_text().splitlines()[1] == "images/anger/0.png,anger,missing"
    assert run(source / "src", source / "out", "--detector", "haar", "--size", 32) == 0
    assert "4 images: 0 done now, 4 before" in capsys.readouterr().out


def test_any_dataset_on_disk_can_be_the_source(source, capsys):
    reference = f"folders(root={source / 'src'})"
    assert run(reference, source / "out", "--detector", "none", "--workers", 1) == 0
    assert "4 done now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/at/all", "out"], "no folder and no csv at"),
        (["nowhere.csv", "out"], "no csv at"),
        (["synthface", "out"], "is drawn and has no files to prepare"),
        (["src", "out", "--size", "4"], "--size must be 16 to 1024"),
        (["src", "out", "--margin", "9"], "--margin must be a share of 0 to 2"),
        (["src", "out", "--workers", "0"], "--workers must be at least 1"),
        (["src", "src"], "is not empty, and no preparation wrote it"),
        (["src", "out", "--detector", "retinaface"], "the weights of retinaface are missing"),
        (["src", "out", "--detector", "haar", "--on-missing", "error"], "expected a face in every image"),
    ],
)
def test_bad_input_is_one_sentence(source, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(source)
    monkeypatch.setenv("DEEPFACE_HOME", str(source))
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
