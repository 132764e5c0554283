"""fer-audit: what a facial-expression model leaks, and what it withstands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# ONNX Runtime would look for a server of its maker's as soon as it is imported, wherever that is.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from pathlib import Path

    from fer_audit.report.frames import LoadedResults

__version__ = "0.1.0"


def load_results(path: str | Path) -> LoadedResults:
    """What a finished run found, as tidy pandas frames.

    Args:
        path: the folder of a run, such as `reports/grid`, or its results.json.

    Raises ResultsError where there are no results, or none of this schema.
    """
    from fer_audit.report import frames

    return frames.load_results(path)
