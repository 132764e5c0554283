"""The steady training step, against plain Keras and PyTorch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import side
from overlap import summed_rate
from settings import BATCH, Settings
from table import Measured, at_least, heading, note, ratio, show

SIZES = (48, 96)
TORCH_THREADS = 2
KERAS, TORCH = "baselines.keras_fit:steady", "baselines.torch_fit:steady"

Run = Callable[[], dict[str, Any]]


def steps(settings: Settings) -> None:
    """Images/s at both sizes."""
    with_torch = importlib.util.find_spec("torch") is not None
    for size in SIZES:
        heading(f"Steady training step, {size} px, batch {BATCH}, AdamW, images/s")
        if with_torch:
            _show_likeness(size)
        else:
            note("PyTorch is left out: pip install --no-deps torch==2.13.0 filelock fsspec networkx sympy mpmath")
        _show_rates(settings, size, with_torch)


def _show_likeness(size: int) -> None:
    found = side.run("baselines.torch_fit:likeness", size=size, rows=64)
    far, whole, theirs = found["difference"], found["trainable"], found["trainable_keras"]
    same = far < 1e-4 and whole == theirs
    note(
        f"PyTorch with the weights of Keras: logits differ by {far:.1e} of their scale, {whole:,} trained parameters "
        f"(Keras {theirs:,}): {'the same network' if same else 'NOT the same network'}"
    )


def _sides(settings: Settings, size: int, with_torch: bool) -> dict[str, Run]:
    work = {"rows": settings.step_rows, "size": size, "epochs": settings.step_epochs}

    def ours(workers: int) -> Run:
        return lambda: side.run("ours.trainings:steady", **work, workers=workers)

    def theirs(function: str, processes: int = 1, **options: Any) -> Run:
        def measured() -> dict[str, Any]:
            found = side.at_once(processes, function, **work, **options)
            return {"rate": summed_rate([one["ends"] for one in found], settings.step_rows)}

        return measured

    sides = {
        "one": ours(1),
        "two": ours(2),
        "keras": theirs(KERAS, threads=0),
        "keras source": theirs(KERAS, threads=0, as_source=True),
        "keras pair": theirs(KERAS, 2, threads=1),
    }
    if with_torch:
        sides["contiguous"] = theirs(TORCH, threads=TORCH_THREADS, channels_last=False)
        sides["channels_last"] = theirs(TORCH, threads=TORCH_THREADS, channels_last=True)
        sides["torch single"] = theirs(TORCH, threads=1, channels_last=True)
        sides["torch pair"] = theirs(TORCH, 2, threads=1, channels_last=True)
    return sides


def _show_rates(settings: Settings, size: int, with_torch: bool) -> None:
    sides = _sides(settings, size, with_torch)
    results = side.interleaved(settings.repeats, *sides.values())
    rates = {
        name: Measured([one["rate"] for one in found], digits=0) for name, found in zip(sides, results, strict=True)
    }
    mine = rates["one"], rates["two"]
    rows: list[tuple[object, ...]] = [
        ("", "images/s", "2 workers of fer-audit", "", "1 worker"),
        ("(a) fer-audit, 1 worker: 1 thread", mine[0]),
        ("(b) fer-audit, 2 workers at once: 1 thread each, summed", mine[1]),
        ("(c) plain Keras fit: all cores", rates["keras"], *_against(mine, rates["keras"], 2)),
        (
            "    plain Keras fit, attention as its source turns it: all cores",
            rates["keras source"],
            *_against(mine, rates["keras source"]),
        ),
        (
            "    plain Keras fit, 2 processes at once: 1 thread each",
            rates["keras pair"],
            *_against(mine, rates["keras pair"]),
        ),
    ]
    if with_torch:
        rows += _torch_rows(mine, rates)
    show(rows)
    note("through fit, engine and worker: with shuffling, batches and reports; the first epoch is left out everywhere.")
    note("two processes at once are what a user could do with the baselines too; no target is set against them.")


def _torch_rows(mine: tuple[Measured, Measured], rates: Mapping[str, Measured]) -> list[tuple[object, ...]]:
    layouts = ("contiguous", "channels_last")
    faster = max(layouts, key=lambda layout: rates[layout].median)
    rows: list[tuple[object, ...]] = []
    for layout in layouts:
        verdict = _against(mine, rates[layout], 1.4) if layout == faster else ("(the slower layout)",)
        rows.append((f"(d) PyTorch eager, {layout}: {TORCH_THREADS} threads", rates[layout], *verdict))
    single, pair = rates["torch single"], rates["torch pair"]
    rows.append(("    PyTorch eager, channels_last: 1 thread", single, *_against(mine, single)))
    rows.append(("    PyTorch eager, channels_last, 2 processes at once: 1 thread each", pair, *_against(mine, pair)))
    return rows


def _against(mine: tuple[Measured, Measured], theirs: Measured, target: float | None = None) -> tuple[str, ...]:
    one, two = (ratio(rate, theirs) for rate in mine)
    return f"{two:.2f}x", at_least(two, target) if target else "", f"{one:.2f}x"
