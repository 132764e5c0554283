import signal
import subprocess
import sys
import time

import numpy as np
import psutil
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


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_nobody_behind_and_is_gone_on_with(source, capsys, stop):
    """Its workers end with it; run again, it does what was left and writes what an undisturbed run does."""
    rng = np.random.default_rng(1)
    for row in range(150):
        Image.fromarray(rng.integers(0, 256, (200, 200, 3), np.uint8)).save(source / "src" / "fear" / f"n{row}.png")
    arguments = ["prepare", str(source / "src"), str(source / "out"), "--detector", "haar", "--workers", "2"]
    journal = source / "out" / "journal.jsonl"
    # A shell that runs us in the background may have us ignore interrupts; this process must not.
    begin = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script = begin + "from fer_audit.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], stderr=subprocess.PIPE)
    while process.poll() is None and not (journal.is_file() and journal.read_text().count("\n") > 5):
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    second = main([*arguments])
    assert second == 2
    assert "another process is preparing faces" in capsys.readouterr().err
    process.send_signal(stop)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL)
    if stop == signal.SIGINT:
        assert b"interrupted" in said
        assert b"Traceback" not in said
    assert not psutil.wait_procs(workers, timeout=20)[1]
    assert not (source / "out" / "manifest.csv").exists()
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "154 images" in told
    assert "154 images: 154 done now" not in told
    assert main([*arguments[:2], str(source / "other"), *arguments[3:]]) == 0
    for name in ("manifest.csv", "faces.csv", "missing.txt"):
        assert (source / "out" / name).read_bytes() == (source / "other" / name).read_bytes()
