import numpy as np
import pytest

from fer_audit.export.agreement import agreement
from fer_audit.export.loaded import Loaded
from fer_audit.export.record import Exported
from fer_audit.export.rows import Compared
from fer_audit.results import Estimate

ORIGINAL = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
ROWS = Compared(np.zeros((4, 2, 2, 3), np.uint8), np.array([0, 1, 2, 1]), None)


def answering(logits):
    return Loaded("a runtime", lambda images: logits, lambda images: logits)


def test_differences_and_shares_are_counted_by_hand():
    other = ORIGINAL.copy()
    other[3] = (0, 1.5, 0)  # the one row that the network reads wrongly
    found = agreement(answering(other), ORIGINAL, ROWS)
    assert found.max_difference == 1.5
    assert (found.equal.value, found.equal.n) == (0.75, 4)
    assert (found.accuracy.value, found.original_accuracy.value) == (1.0, 0.75)


def test_what_is_no_number_never_agrees():
    broken = ORIGINAL.copy()
    broken[0, 0] = np.nan
    found = agreement(answering(broken), ORIGINAL, ROWS)
    assert found.max_difference is None
    assert not exported("onnx", found.max_difference, 1.0).agrees


def exported(format, difference, equal):  # noqa: A002
    share = Estimate(value=equal, n=1000)
    return Exported(
        format=format,
        file="model",
        bytes=1,
        sha256="",
        runtime="",
        rows=1000,
        max_difference=difference,
        equal=share,
        accuracy=share,
        original_accuracy=share,
        p50_ms=1,
        p95_ms=1,
        calls=1,
    )


@pytest.mark.parametrize(
    ("format", "difference", "equal", "agrees"),
    [
        ("onnx", 1e-3, 0.999, True),
        ("onnx", 1.1e-3, 1.0, False),
        ("saved-model", 1e-6, 0.998, False),
        ("tflite-int8", 3.0, 0.97, True),
        ("tflite-int8", 0.1, 0.969, False),
    ],
)
def test_floats_must_be_near_and_quantised_files_mostly_alike(format, difference, equal, agrees):  # noqa: A002
    assert exported(format, difference, equal).agrees is agrees
