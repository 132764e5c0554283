"""Membership attacks on large signals made up at random."""

from __future__ import annotations

import gc
import resource
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks import Signals, create
from fer_audit.attacks.target_view import TargetView
from fer_audit.registry import Registry

CLASSES, EPOCHS = 7, 10


def rmia(rows: int, population: int, references: int, repeats: int) -> dict[str, Any]:
    """Seconds of RMIA by sorting and of all pairs, from answers whose confidence is known; megabytes of each."""
    signals = _signals(references + 1, rows, 1, population)
    held = (signals.answers.log_probability, _population(signals).log_probability)
    attack = create("rmia", tie_break=False)
    before = _peak()
    seconds = [_timed(lambda: attack.score(signals)) for _ in range(repeats)]
    ours, scores = _peak() - before, attack.score(signals)
    pairs = [_timed(lambda: _all_pairs(signals)) for _ in range(repeats)]
    agree = float(np.mean(np.abs(_all_pairs(signals) - scores) * population < 1.5))
    del held
    return {"seconds": seconds, "megabytes": ours, "pairs": pairs, "pairs_megabytes": _peak() - before, "agree": agree}


def _all_pairs(signals: Signals) -> npt.NDArray[np.float64]:
    """RMIA as its definition reads: every row is compared with every population row."""
    view = TargetView(signals, 0, references=range(1, signals.models), queries=[0])
    own, other = (1 / (1 + np.exp(-phi[:, 0])) for phi in view.shared_phi())
    known = view.reference_population_phi
    references = 1 / (1 + np.exp(-view.reference_phi[:, :, 0]))
    inside = np.where(view.reference_keep, references, 0).sum(axis=0) / view.reference_keep.sum(axis=0)
    outside = np.where(~view.reference_keep, references, 0).sum(axis=0) / (~view.reference_keep).sum(axis=0)
    x = own / ((inside + outside) / 2)
    z = other / (1 / (1 + np.exp(-(known if known is not None else np.empty((1, 0, 1)))[:, :, 0]))).mean(axis=0)
    return np.asarray((x[:, None] / z[None, :] >= 2.0).mean(axis=1), np.float64)


def everything(rows: int, references: int, queries: int, population: int) -> dict[str, Any]:
    """Seconds of every built-in attack on one target, and the megabytes of the process at its peak."""
    signals = _signals(references + 1, rows, queries, population, everything=True)
    gc.collect()
    inputs = _peak()
    seconds = {"confidence of all answers": _timed(lambda: (signals.answers.phi, _population(signals).phi))}
    for name in Registry.load().names("membership-attack"):
        attack = create(name)
        seconds[name] = _timed(lambda attack=attack: attack.score(signals))
    return {"seconds": seconds, "inputs": inputs, "megabytes": _peak()}


def streamed(rows: int, models: int, queries: int) -> dict[str, Any]:
    """Seconds from a file of signals to the scores of LiRA, and the megabytes of the process at its peak."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signals.npz"
        size = _write(path, rows, models, queries)
        before = _peak()
        began = time.perf_counter()
        signals = Signals.load(path)
        loaded = time.perf_counter()
        scores = create("lira-online").score(signals)
        ended = time.perf_counter()
        again = _timed(lambda: create("lira-online").score(signals, 1))
        if not np.isfinite(scores).all():
            raise ValueError("expected finite scores")
    return {
        "gigabytes": size / 1e9,
        "load": loaded - began,
        "score": ended - loaded,
        "again": again,
        "before": before,
        "megabytes": _peak(),
    }


def _signals(models: int, rows: int, queries: int, population: int, *, everything: bool = False) -> Signals:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((models, rows + population, queries, CLASSES), np.float32)
    labels = rng.integers(0, CLASSES, rows + population)
    logits[:, np.arange(rows + population), :, labels] += rng.normal(2, 2, (rows + population, 1, 1)).astype(np.float32)
    keep = np.stack([rng.permutation(rows) < rows // 2 for _ in range(models)])
    return Signals(
        np.ascontiguousarray(logits[:, :rows]),
        keep,
        labels[:rows],
        np.arange(rows) // 4 if everything else None,
        np.ascontiguousarray(logits[:, rows:]),
        labels[rows:],
        rng.random((models, rows, EPOCHS), np.float32) if everything else None,
    )


def _population(signals: Signals) -> Any:
    return signals.population


def _write(path: Path, rows: int, models: int, queries: int) -> int:
    """An .npz file whose logits never are in memory together; returns its size in bytes."""
    rng = np.random.default_rng(0)
    one = rng.standard_normal((rows, queries, CLASSES), np.float32)
    header: Any = np.lib.format
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open("logits.npy", "w", force_zip64=True) as file:
            shape = {"descr": "<f4", "fortran_order": False, "shape": (models, rows, queries, CLASSES)}
            header.write_array_header_2_0(file, shape)
            for model in range(models):
                file.write((np.roll(one, model, axis=0)).data)
        for name, array in (
            ("keep", np.stack([rng.permutation(rows) < rows // 2 for _ in range(models)])),
            ("labels", rng.integers(0, CLASSES, rows)),
        ):
            with archive.open(f"{name}.npy", "w") as file:
                header.write_array(file, array)
    return path.stat().st_size


def _timed(run: Any) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _peak() -> float:
    """Most megabytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
