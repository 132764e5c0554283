"""How attacks are run that learn from reference models where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Parameters with which attacks that learn from references by default do without.
WITHOUT_REFERENCES: Mapping[str, dict[str, Any]] = {
    "quantile": {"features": "label"},
    "label-only": {"classifier": "count"},
}
