"""What `fer-audit plan --budget` says, on trainings that are made up."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from fer_audit.cell_choice import chosen
from fer_audit.cli.budget import _patterns, _verdict
from fer_audit.cli.main import main
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.store import Store

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 40, "identities": 40, "test_rows": 20}},
    "models": ["ghostface", "mini-xception"],
    "attacks": {
        "labels": ["none", {"name": "symmetric", "params": {"rate": 0.2}}],
        "membership": ["loss-threshold", "lira-online"],
    },
    "training": {"image_size": 16, "epochs": 2, "batch_size": 8},
    "privacy": {"references": 6},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One store for all tests, as drawing faces takes longer than planning."""
    return tmp_path_factory.mktemp("budget")


@pytest.fixture
def folder(place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FER_AUDIT_STORE", str(place / "store"))
    return place


def written(folder, **changes):
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump({**GRID, **changes}))
    return path


def said(path, capsys, budget, *options):
    assert main(["plan", str(path), "--budget", budget, "--workers", "2", *options]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    return lines[next(place for place, line in enumerate(lines) if line.startswith("budget of")) :]


#: Only grids with this recipe have anything in the store.
TRAINED = {**GRID["training"], "epochs": 3}


def train(path, folder):
    """Puts made-up answers into the store for every training of the grid, and no rates."""
    store = Store(folder / "store")
    plan = make_plan(read_grid(path), store)
    for key, training in plan.trainings.items():
        rng = np.random.default_rng(int(key[:8], 16))
        store.write(*training.job.fit, lambda draft: (draft / "weights").write_text(""))
        for name in training.job.answers():
            answers = {"pool": rng.normal(0, 1, (40, 7)), "population": np.zeros((0, 7))}
            store.write(
                *name,
                lambda draft, arrays=answers: [np.save(draft / f"{n}.npy", np.float32(a)) for n, a in arrays.items()],
            )


def test_a_grid_that_fits_is_told_what_more_of_it_would(folder, capsys):
    lines = said(written(folder), capsys, "2h")
    assert re.fullmatch(r"budget of 2 h 00 min, 2 workers on \d+ cores?: .* and fits, .* to spare", lines[0])
    assert "times guessed" in "".join(lines)
    references = next(line for line in lines if "privacy: {references: " in line)
    more = int(re.search(r"references: (\d+)", references)[1])
    assert references.startswith(f"{more:,} references, {more - 6:,} more")
    [words] = [line for line in lines if "narrow the interval of the AUC" in line]
    assert words.startswith(f"{more - 6} more references narrow the interval of the AUC from ± 0.")
    assert any(line.startswith("expected where nothing leaks, for 40 independent rows") for line in lines)
    assert lines[-1].startswith("accuracy: at most ± 0.201 by 20 test images; neither references nor seeds")


def test_a_grid_that_does_not_fit_is_told_what_of_it_does(folder, capsys):
    path = written(folder, seeds=[0, 1])
    lines = said(path, capsys, "28s")
    assert lines[0].endswith(" too long")
    table = {line.split("  ")[0]: line for line in lines}
    assert "4 of 6 references" in table or "no number of references" in table
    cells = next(line for line in lines if re.match(r"\d of 8 cells", line))
    [command] = [line for line in lines if line.startswith("fer-audit run")]
    _, _, grid, *options = shlex.split(command)
    patterns = [option.removeprefix("--cell=") for option in options]
    plan = make_plan(read_grid(Path(grid)), Store(folder / "store"), patterns)
    assert len(plan.cells) == int(cells[0])


def test_nothing_may_fit(folder, capsys):
    lines = said(written(folder), capsys, "1s")
    table = "\n".join(lines)
    for noun in ("references", "seeds", "cells"):
        assert f"no number of {noun}" in table
    assert not any("--cell" in line or "narrow the" in line for line in lines)


def test_what_is_trained_already_says_how_wide_the_interval_is(folder, capsys):
    path = written(folder, seeds=[0, 1], training=TRAINED)
    train(path, folder)
    lines = said(path, capsys, "1m")
    assert "all of the grid is done" in lines[0]
    [basis] = [line for line in lines if line.startswith("expected from the 6 finished references of ")]
    assert "lira-online, the widest of 2 attacks" in basis
    [seeds] = [line for line in lines if line.startswith("seeds narrow none of these")]
    assert "(standard deviation of 2)" in seeds


def test_more_references_are_expected_from_those_that_are_done(folder, capsys):
    trained = {"training": TRAINED, "attacks": {"membership": ["loss-threshold"]}, "models": ["ghostface"]}
    train(written(folder, **trained), folder)
    lines = said(written(folder, **trained, privacy={"references": 12}), capsys, "10h")
    assert any(line.startswith("expected from the 6 finished references of ") for line in lines)


def test_answers_that_are_damaged_and_attacks_that_fail_are_an_estimate_less(folder, capsys, monkeypatch):
    trained = {"training": {**TRAINED, "epochs": 4}, "attacks": {"membership": ["gap"]}, "models": ["ghostface"]}
    path = written(folder, **trained)
    train(path, folder)
    assert "expected from the 6" in "\n".join(said(path, capsys, "1m"))
    with monkeypatch.context() as broken:
        broken.setattr("fer_audit.attacks.gap.Gap.infer", lambda self, view: 1 / 0)
        assert "expected where nothing leaks" in "\n".join(said(path, capsys, "1m"))
    plan = make_plan(read_grid(path), Store(folder / "store"))
    [answers] = plan.trainings[plan.cells[0].privacy[0]].job.answers()
    (Store(folder / "store").path(*answers) / "pool.npy").write_bytes(b"\x93NUMPY")
    assert "expected where nothing leaks" in "\n".join(said(path, capsys, "1m"))


def test_chosen_cells_are_not_promised_more_seeds(folder, capsys):
    lines = said(written(folder), capsys, "2h", "--cell", "ghostface/*/seed0")
    assert any(line.startswith("the grid's 1 seed") for line in lines)


def test_without_membership_attacks_nothing_is_said_of_references(folder, capsys):
    text = "\n".join(said(written(folder, attacks={}), capsys, "2h"))
    assert "reference" not in text.replace("neither references nor seeds", "")
    assert "seeds: [0, 1" in text


def test_more_workers_than_cores_and_fewer(monkeypatch):
    monkeypatch.setattr("fer_audit.cli.budget.worker_count", lambda resources: 8)
    assert list(_verdict(7200, 4000, 2))[1:] == ["with --workers 8 it would take about 17 min"]
    assert len(list(_verdict(7200, 4000, 8))) == 1
    assert list(_verdict(7200, 4000, 9))[1:] == ["9 workers have to share 8 cores, so that it may well take longer"]
    assert list(_verdict(7200, 0, 2)) == ["budget of 2 h 00 min, 2 workers on 8 cores: all of the grid is done"]


@pytest.mark.parametrize("budget", ["soon", "2", "0h"])
def test_a_budget_that_is_no_time_is_one_sentence(budget, folder, capsys):
    store = folder / "untouched"
    assert main(["plan", str(written(folder)), "--budget", budget, "--store", str(store)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--budget: expected a time" in error
    assert not store.exists()


def test_a_grid_of_models_as_they_are_has_no_budget(folder, capsys):
    path = folder / "audit.yaml"
    path.write_text(
        "dataset: {name: member-lists, params: {members: m.csv, nonmembers: n.csv}}\n"
        "audit: {models: [{file: model.keras}]}\nattacks: {membership: [loss-threshold]}\n"
    )
    assert main(["plan", str(path), "--budget", "2h"]) == 2
    error = capsys.readouterr().err
    assert "--budget is for grids that train their models" in error
    assert error.count("\n") == 1


def test_any_first_cells_are_named_by_patterns_that_mean_them_alone(folder):
    path = written(folder, augmentations=["none", "mixup", ["randaug", "mixup"]], seeds=[0, 1, 10])
    plan = make_plan(read_grid(path), Store(folder / "store"))
    for number in range(1, len(plan.cells) + 1):
        patterns = _patterns(plan, number)
        meant = len(chosen(plan.grid, patterns)) if patterns else None
        assert meant in (number, None)
    assert _patterns(plan, len(plan.cells)) == ["*/seed0", "*/seed1", "*/seed10"]
    assert _patterns(plan, 13) == ["*/seed0", "ghostface/none/none/seed1"]


def test_a_budget_of_centuries_lists_no_billion_of_seeds(folder, capsys):
    lines = said(written(folder), capsys, "99999999h")
    (seeds,) = [line for line in lines if "seeds: [0, 1, ..., " in line]
    assert int(re.search(r"\.\.\., (\d+)\]", seeds)[1]) > 10**9
