"""Clock, time zone, locale, odd letters in every path, folders that can't be written to: none changes a byte."""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import fer_audit
from fer_audit.data.synthface import Synthface

#: Signs that shells, YAML, argparse and file names care about. No `:`, which some file systems do not have.
ODD = "-ä ß'q\" 😀 #$&;(x)[y]{z}%s~"

MINE = '''
from fer_audit.augmentations.augmentation import Augmentation
from läyers import reversed_columns


class Mirrored(Augmentation):
    """Mirrors all; source: this test."""

    name = "mirrored-ä"

    def apply(self, images, labels, rng):
        return reversed_columns(images), labels
'''

LAYERS = """
def reversed_columns(images):
    return images[:, :, ::-1].copy()
"""

#: Folders of the grid are odd too. Its text is the same for all runs, as results quote it.
STUDY = {
    "name": "stüdy",
    "dataset": {"name": "folders", "params": {"root": f"fäces {ODD}"}},
    "models": ["mini-xception"],
    "augmentations": ["mirrored-ä"],
    "attacks": {"labels": [{"name": "symmetric", "params": {"rate": 0.2}}], "membership": ["loss-threshold"]},
    "training": {"image_size": 16, "epochs": 1, "batch_size": 30},
    "privacy": {"references": 4},
    "measures": {"batch_invariance": False, "label_errors": True},
    "plugins": [f"plügins {ODD}"],
}


def write_study(folder):
    """Writes the grid, its plug-ins and its images to `folder`; returns the grid's file."""
    plugins = folder / STUDY["plugins"][0]
    plugins.mkdir(parents=True)
    (plugins / "mine.py").write_text(MINE, encoding="utf-8")
    (plugins / "läyers.py").write_text(LAYERS, encoding="utf-8")
    data = Synthface(rows=120, test_rows=40, population_rows=0).load(16, folder)
    root = folder / STUDY["dataset"]["params"]["root"]
    for split, rows in (("train", data.pool), ("test", data.test)):
        for number, (image, label) in enumerate(zip(rows.images, rows.labels, strict=True)):
            place = root / split / data.classes[label] / f"fäce 'n\" {number} 😀.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(image)).save(place)
    grid = folder / f"{ODD}.yaml"
    grid.write_text(yaml.safe_dump(STUDY, allow_unicode=True), encoding="utf-8")
    return grid


def start(grid, store, reports, *, cwd, env):
    command = [sys.executable, "-m", "fer_audit", "run", str(grid), f"--store={store}", f"--reports={reports}"]
    return subprocess.Popen(
        [*command, "--workers=2"],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def results_of(process, reports):
    """The results of a run that is started; it must end well and say nothing of errors."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, (out + err).decode(errors="replace")
    assert not err, err.decode(errors="replace")
    return {
        path.relative_to(reports).as_posix(): path.read_bytes()
        for path in sorted(Path(reports).rglob("*"))
        # What differs by rights: when, where and how fast.
        if path.is_file() and path.name not in ("run.json", "report.html")
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory, environment):
    """The results of a run in ordinary surroundings."""
    folder = tmp_path_factory.mktemp("plain")
    grid = write_study(folder)
    found = results_of(
        start(grid, folder / "store", folder / "reports", cwd=folder, env=environment()), folder / "reports"
    )
    assert {"stüdy/results.json", "stüdy/results.csv"} <= found.keys()
    return found


@pytest.mark.release
def test_ascii_locale_odd_relative_paths_a_far_time_zone_and_a_strict_umask(expected, environment, tmp_path):
    home, elsewhere = tmp_path / ODD / "here", tmp_path / "elsewhere 😀"
    home.mkdir(parents=True)
    elsewhere.mkdir()
    grid = write_study(home)
    env = environment(
        LANG=None,
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONIOENCODING=None,
        PYTHONHASHSEED="1",
        TZ="Pacific/Kiritimati",
        HOME=None,
    )
    relative = Path(os.path.relpath(grid, elsewhere))
    before = os.umask(0o077)
    try:
        process = start(relative, "-störe 'n\" 😀", "-repörts", cwd=elsewhere, env=env)
    finally:
        os.umask(before)
    assert results_of(process, elsewhere / "-repörts") == expected
    assert sorted(path.name for path in elsewhere.iterdir()) == ["-repörts", "-störe 'n\" 😀"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in elsewhere.rglob("*"))


@pytest.mark.release
def test_turkish_locale_and_a_grid_named_with_a_leading_dash(expected, environment, tmp_path):
    locales = tmp_path / "locales"
    locales.mkdir()
    made = shutil.which("localedef") and subprocess.run(
        [shutil.which("localedef"), "-i", "tr_TR", "-f", "UTF-8", str(locales / "tr_TR.UTF-8")],
        capture_output=True,
        check=False,
    )
    if not (locales / "tr_TR.UTF-8").is_dir():
        pytest.skip(f"the Turkish locale can't be made here: {made.stderr.decode() if made else 'no localedef'}")
    grid = write_study(tmp_path / "here")
    env = environment(
        LOCPATH=str(locales), LC_ALL="tr_TR.UTF-8", LANG="", TZ="America/New_York", PYTHONHASHSEED="2", PYTHONUTF8=None
    )
    process = start(f"./{grid.name}", "store", "reports", cwd=grid.parent, env=env)
    assert results_of(process, grid.parent / "reports") == expected


@contextlib.contextmanager
def read_only(folder):
    """Makes a folder that nobody can write to, root included; skips the test where that can't be done."""
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"root can write to any folder, and no read-only one can be mounted: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@pytest.mark.release
def test_a_home_and_a_working_folder_that_can_not_be_written_to(expected, environment, tmp_path):
    grid = write_study(tmp_path / "here")
    with read_only(tmp_path / "sealed") as sealed:
        env = environment(
            HOME=str(sealed), XDG_CACHE_HOME=str(sealed), PYTHONDONTWRITEBYTECODE=None, TZ="Asia/Kathmandu"
        )
        process = start(grid, tmp_path / "store", tmp_path / "reports", cwd=sealed, env=env)
        assert results_of(process, tmp_path / "reports") == expected


@pytest.mark.release
def test_a_clock_that_is_set_forward_and_back_while_models_train(expected, environment, tmp_path):
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("faketime is not installed (apt-get install faketime)")
    told = subprocess.run([faketime, "-m", "-f", "+0d", "env"], capture_output=True, text=True, check=True)
    [library] = [line.partition("=")[2] for line in told.stdout.splitlines() if line.startswith("LD_PRELOAD=")]
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    grid = write_study(tmp_path / "here")
    env = environment(
        LD_PRELOAD=library,
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",  # as on a machine whose clock is set
    )
    process = start(grid, tmp_path / "store", tmp_path / "reports", cwd=tmp_path, env=env)
    for offset in itertools.cycle(["+400d", "-3000d", "+1h", "-1d"]):
        if process.poll() is not None:
            break
        clock.write_text(offset)
        time.sleep(0.5)
    assert results_of(process, tmp_path / "reports") == expected
    # The clock was moved: lines that follow each other are months apart.
    [log] = (tmp_path / "store" / "logs").glob("*-attempts.jsonl")
    days = [json.loads(line)["time"][:10] for line in log.read_text(encoding="utf-8").splitlines()]
    assert len(set(days)) > 1
    assert days != sorted(days)
    record = json.loads((tmp_path / "reports" / "stüdy" / "run.json").read_text(encoding="utf-8"))
    assert 0 < record["seconds"] < 600
    assert all(0 < seconds < 600 for seconds in record["training_seconds"].values())


#: What tells the time of day, which may be set while a run lasts.
CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "time.localtime"}

#: Ages of files, whose times are of the same clock; whoever asks for them names days.
AGES = {"owner.py", "cli/store.py"}


def durations_by_the_clock(source):
    """Lines where times of day are subtracted or compared."""
    tree = ast.parse(source)
    named = {
        name.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for place, value in given(node)
        if reads_clock(value, set())
        for name in ast.walk(place)
        if isinstance(name, ast.Name)
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and reads_clock(node, named))
        or (isinstance(node, ast.Compare) and reads_clock(node, named))
    ]


def given(assignment):
    """Pairs of what is assigned to and what it is given; those of `a, b = 1, 2` apart."""
    for place in assignment.targets:
        if isinstance(place, ast.Tuple) and isinstance(assignment.value, ast.Tuple):
            yield from zip(place.elts, assignment.value.elts, strict=False)
        else:
            yield place, assignment.value


def reads_clock(node, named):
    """Whether an expression asks a clock, or a name that was given what one said."""
    return any(
        (isinstance(one, ast.Call) and ast.unparse(one.func) in CLOCKS)
        or (isinstance(one, ast.Name) and one.id in named)
        for one in ast.walk(node)
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("took = time.time() - began", [1]),
        ("began = datetime.now(UTC)\nwork()\ntook = (later() - began).seconds", [3]),
        ("if time.time() > limit: stop()", [1]),
        ("took = time.monotonic() - began", []),
        ("stamp = datetime.now(UTC).isoformat()", []),
        ("began, stamp = time.perf_counter(), time.time()\ntook = time.perf_counter() - began", []),
        ("stamp, began = time.perf_counter(), time.time()\ntook = later() - began", [2]),
    ],
)
def test_a_duration_by_the_clock_is_found(source, found):
    assert durations_by_the_clock(source) == found


def test_no_duration_is_measured_by_a_clock_that_may_be_set():
    package = Path(fer_audit.__file__).parent
    found = {
        str(path.relative_to(package)): lines
        for path in sorted(package.rglob("*.py"))
        if (lines := durations_by_the_clock(path.read_text(encoding="utf-8")))
    }
    assert found.keys() == AGES, found
