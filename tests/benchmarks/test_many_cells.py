"""The benchmark of very many cells measures a grid that is really finished, and all of its steps."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"
AXES = ("models", "augmentations", "seeds")


@pytest.fixture
def many_cells(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("many_cells")


@pytest.mark.parametrize("cells", [1000, 3000, 100_000])
def test_a_grid_has_the_wanted_number_of_cells(many_cells: Any, cells: int) -> None:
    grid = many_cells.grid_of(cells)
    assert math.prod(len(grid[axis]) for axis in AXES) * len(grid["attacks"]["labels"]) == cells
    with pytest.raises(ValueError, match="expected a multiple of 1,000 cells, received"):
        many_cells.grid_of(cells + 1)


def test_every_step_is_measured_on_a_finished_grid(
    many_cells: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = many_cells.grid_of(1000)
    small = {**whole, "models": whole["models"][:2], "augmentations": whole["augmentations"][:2]}
    monkeypatch.setattr(
        many_cells, "grid_of", lambda _: {**small, "attacks": {"labels": whole["attacks"]["labels"][:3]}}
    )
    monkeypatch.setattr(many_cells, "run", lambda name, folder: getattr(many_cells, name.partition(":")[2])(folder))
    many_cells.show_all(12, tmp_path)
    told = capsys.readouterr().out
    # Of each training five files and its manifest, and of its answers three and theirs.
    assert "12 trainings; 12 found whole in 120 files" in told
    assert many_cells.planned(str(tmp_path))["done"] == 12
    results = importlib.import_module("fer_audit.results").read_results(tmp_path / "results.json")
    assert [cell.status for cell in results.cells] == ["done"] * 12
    for step in ("plan of an empty store", "plan of the finished grid", "results.json", "resume", "page"):
        assert any(step in line and " us" in line for line in told.splitlines()), step
    assert "targets are for 100,000 cells" in told


@pytest.mark.parametrize(("seconds", "megabytes", "verdicts"), [(29, 999, ["met", "met"]), (31, 1001, ["missed"] * 2)])
def test_targets_are_judged(many_cells: Any, seconds: float, megabytes: float, verdicts: list[str]) -> None:
    told = many_cells._target(many_cells.TARGET_CELLS, seconds, megabytes)
    assert [part.rpartition(" ")[2] for part in told.split("; ")] == verdicts
