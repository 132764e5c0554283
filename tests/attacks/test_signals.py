from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_audit.attacks import Signals
from fer_audit.errors import SignalsError

KEEP = np.array([[True, True, False], [False, False, True]])
LOGITS = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
LABELS = np.array([0, 1, 0])


def signals(**changes: Any) -> Signals:
    return Signals(**({"logits": LOGITS, "keep": KEEP, "labels": LABELS} | changes))


@pytest.mark.parametrize("subjects", [None, np.array([5, 5, 7]), np.array(["ann", "ann", "bob"])])
@pytest.mark.parametrize("population", [False, True])
def test_what_is_saved_is_loaded(tmp_path: Path, subjects: Any, population: bool) -> None:
    rows = {"population_logits": LOGITS[:, :1], "population_labels": np.array([1])} if population else {}
    rows |= {"loss_trace": np.ones((2, 3, 5), np.float32)} if population else {}
    given = signals(subjects=subjects, **rows)
    given.save(tmp_path / "signals.npz")
    loaded = Signals.load(tmp_path / "signals.npz")
    for name in ("logits", "keep", "labels", "subjects", "population_logits", "population_labels", "loss_trace"):
        before, after = getattr(given, name), getattr(loaded, name)
        assert (before is None) == (after is None)
        if before is not None:
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss_trace": np.ones((2, 4, 5))}, r"loss_trace must be .*\(2, 3, 'epochs'\).* received float64 \(2, 4, 5\)"),
        ({"loss_trace": np.ones((2, 3, 5), np.float16)}, r"loss_trace must be float32 or float64"),
        ({"loss_trace": np.full((2, 3, 5), np.nan)}, r"loss_trace must not hold NaN; received 30 of 30"),
        ({"logits": LOGITS[0]}, r"logits must be .* received float32 \(3, 2, 2\)"),
        ({"logits": LOGITS.astype(np.int64)}, "received int64"),
        ({"logits": LOGITS[..., :1]}, "at least 2 classes"),
        ({"logits": np.where(LOGITS == 3, np.nan, LOGITS)}, "logits must be finite; received 1 of 24"),
        ({"keep": KEEP[:, :2]}, r"keep must be bool of shape \(2, 3\)"),
        ({"keep": KEEP.astype(int)}, "received int64"),
        ({"keep": np.array([[True, True, True], [False, False, True]])}, "constant for model 0"),
        ({"keep": np.array([[True, True, False], [True, False, True]])}, "constant for row 0"),
        ({"labels": LABELS[:2]}, r"labels must be integers of shape \(3,\)"),
        ({"labels": np.array([0, 2, -1])}, r"within 0\.\.1.* received 2 in row 1 and 1 more"),
        ({"labels": LABELS.astype(float)}, "received float64"),
        ({"subjects": np.array([1, 2])}, r"subjects must be .* received int64 \(2,\)"),
        ({"subjects": np.array([1.0, 2.0, 3.0])}, "received float64"),
        ({"population_logits": LOGITS}, "given together"),
        ({"population_logits": LOGITS[:1], "population_labels": LABELS}, "must have the 2 models"),
        ({"population_logits": LOGITS, "population_labels": np.array([0, 1])}, "population_labels must be"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SignalsError, match=message):
        signals(**changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't read signals"),
        (b"not a zip file", "can't read signals"),
        ({"logits": LOGITS}, "keep, labels missing"),
        ({"logits": LOGITS, "keep": KEEP, "labels": np.array([{}, {}, {}])}, "can't read signals"),
    ],
)
def test_a_file_that_is_not_signals_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "signals.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(SignalsError, match=message):
        Signals.load(path)


def test_take_keeps_models_in_order_and_need_not_balance_rows() -> None:
    part = signals(population_logits=LOGITS, population_labels=LABELS).take(models=[1])
    np.testing.assert_array_equal(part.logits, LOGITS[1:])
    np.testing.assert_array_equal(part.keep, KEEP[1:])
    assert part.population_logits is not None
    assert part.population_logits.shape == (1, 3, 2, 2)
    with pytest.raises(SignalsError, match=r"within 0\.\.1; received \[2\]"):
        signals().take(models=[2])


def test_arrays_are_read_only_and_labels_int64() -> None:
    given = signals(labels=LABELS.astype(np.uint8))
    assert given.labels.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        given.logits[0] = 0
    assert replace(given).labels is not None
