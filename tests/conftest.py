"""Where the reference vectors of independent implementations are found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

# As in a worker: with several threads oneDNN's convolutions, in plain Keras too, write out of bounds where a last batch
# is shorter than the others (TensorFlow 2.21).
os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def golden() -> Path:
    root = os.environ.get("FER_AUDIT_GOLDEN", Path(__file__).resolve().parents[2] / "shared" / "golden")
    folder = Path(root) / "membership"
    if not folder.is_dir():
        pytest.skip(f"no golden vectors in {folder}; set FER_AUDIT_GOLDEN to their folder")
    return folder


@pytest.fixture(scope="session")
def expected(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "expected.json").read_text(encoding="utf-8"))
