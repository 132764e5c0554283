from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_audit.attacks import Signals, create, mapped
from fer_audit.errors import SignalsError

World = Callable[..., Signals]


def owner(array: np.ndarray) -> object:
    base: object = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base


def test_large_arrays_stay_in_their_file(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = world(0, models=4, rows=200, queries=2)
    signals.save(tmp_path / "signals.npz")
    monkeypatch.setattr(mapped, "_WORTH_MAPPING", 1000)
    found = Signals.load(tmp_path / "signals.npz")
    assert isinstance(owner(found.logits), mmap.mmap)
    np.testing.assert_array_equal(found.logits, signals.logits)
    np.testing.assert_array_equal(found.keep, signals.keep)
    for name in ("lira-online", "rmia", "shadow-mia"):
        np.testing.assert_array_equal(create(name).score(found), create(name).score(signals))
    part = found.take([0, 2])
    np.testing.assert_array_equal(part.answers.phi, signals.answers.phi[[0, 2]])


def test_compressed_files_and_other_orders_are_read(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "_WORTH_MAPPING", 1000)
    signals = world(0, models=4, rows=200)
    arrays = {"logits": signals.logits, "keep": signals.keep, "labels": signals.labels}
    np.savez_compressed(tmp_path / "small.npz", **arrays)
    np.savez(tmp_path / "columns.npz", **(arrays | {"logits": np.asfortranarray(signals.logits)}))
    for name in ("small.npz", "columns.npz"):
        np.testing.assert_array_equal(Signals.load(tmp_path / name).logits, signals.logits)


def test_a_file_that_was_cut_off_is_explained(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_WORTH_MAPPING", 1000)
    path = tmp_path / "signals.npz"
    world(0, models=4, rows=200).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SignalsError, match="can't read signals"):
        Signals.load(path)


def test_not_a_number_in_a_mapped_file_is_found(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_WORTH_MAPPING", 1000)
    signals = world(0, models=4, rows=200)
    logits = signals.logits.copy()
    logits[1, 2, 0, 0] = np.nan
    np.savez(tmp_path / "signals.npz", logits=logits, keep=signals.keep, labels=signals.labels)
    with pytest.raises(SignalsError, match="received 1 of"):
        Signals.load(tmp_path / "signals.npz")
