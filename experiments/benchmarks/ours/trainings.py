"""fer-audit's trainings, timed."""

from __future__ import annotations

import statistics
import time
from typing import Any

from ours.engine import engine_for, grid, machine_rate, planned, train


def trainings(count: int, rows: int, size: int, epochs: int, workers: int) -> dict[str, Any]:
    """Wall time of `count` trainings, from the start of the engine to the last artefact, and what each took."""
    with planned(grid(rows, size, epochs, seeds=list(range(count)))) as (plan, store):
        began = time.perf_counter()
        with engine_for(plan, store, workers) as engine:
            trained = train(engine, plan.missing)
            wall = time.perf_counter() - began
    return {
        "wall": wall,
        "seconds": [one.seconds for one in trained],
        "starts": [one.start_seconds for one in trained if one.start_seconds > 1],
        "laps": [one.laps for one in trained],
    }


def steady(rows: int, size: int, epochs: int, workers: int) -> dict[str, Any]:
    """Images/s of the steps of `workers` trainings at once, from the second epoch on."""
    with (
        planned(grid(rows, size, epochs, seeds=list(range(workers)))) as (plan, store),
        engine_for(plan, store, workers) as engine,
    ):
        return {"rate": machine_rate(train(engine, plan.missing))}


def first_step(size: int) -> dict[str, float]:
    """Seconds from the start of the engine to the first step that a worker reports."""
    with planned(grid(128, size, 1)) as (plan, store):
        began = time.perf_counter()
        with engine_for(plan, store, 1) as engine:
            (trained,) = train(engine, plan.missing)
    return {"from_engine": trained.moments[0][0] - began, "program": trained.start_seconds}


def augmented(rows: int, size: int, epochs: int, workers: int, repeats: int) -> dict[str, Any]:
    """Seconds of whole trainings without and with [randaug, mixup], turn by turn in the same workers."""
    chains = {"none": ["none"], "augmented": [["randaug", "mixup"]]}
    seeds = list(range(repeats * workers))
    content = grid(rows, size, epochs, seeds=seeds, augmentations=[*chains["none"], *chains["augmented"]])
    found: dict[str, Any] = {name: {"seconds": [], "rate": []} for name in chains}
    with planned(content) as (plan, store), engine_for(plan, store, workers) as engine:
        for turn in range(repeats):
            for name in chains:
                here = seeds[turn * workers : (turn + 1) * workers]
                keys = [
                    cell.utility for cell in plan.cells if cell.seed in here and bool(cell.chain) == (name != "none")
                ]
                trained = train(engine, [plan.trainings[key] for key in keys])
                found[name]["seconds"].append(statistics.mean(one.seconds for one in trained))
                found[name]["rate"].append(machine_rate(trained))
    return {**found, "images": rows * epochs}


def references(count: int, rows: int, size: int, epochs: int, workers: int) -> dict[str, Any]:
    """Wall time of the first `count` reference models of a cell whose pool has `rows`."""
    content = grid(
        rows, size, epochs, attacks={"membership": ["loss-threshold"]}, privacy={"references": max(4, count)}
    )
    with planned(content) as (plan, store):
        wanted = [plan.trainings[key] for key in plan.cells[0].privacy[:count]]
        began = time.perf_counter()
        with engine_for(plan, store, workers) as engine:
            trained = train(engine, wanted)
            wall = time.perf_counter() - began
    return {"wall": wall, "seconds": [one.seconds for one in trained], "rows": wanted[0].rows}


def of_rows(rows: int, size: int, epochs: int, workers: int) -> dict[str, Any]:
    """Seconds of two trainings for each worker, on `rows` rows."""
    with (
        planned(grid(rows, size, epochs, seeds=list(range(2 * workers)))) as (plan, store),
        engine_for(plan, store, workers) as engine,
    ):
        return {"seconds": [one.seconds for one in train(engine, plan.missing)]}
