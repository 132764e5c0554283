"""Weights of a training of ours, with the spec beside them that says what network they belong to."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from fer_audit.errors import FerAuditError, ModelFileError
from fer_audit.model_files.archive import open_archive, reason
from fer_audit.model_files.digest import files_digest
from fer_audit.model_files.keras_network import Identity, check_size, opened_network
from fer_audit.model_files.limits import MOST_CONFIG_BYTES, check_bytes
from fer_audit.model_files.opened import Opened
from fer_audit.registry import Registry
from fer_audit.specs import ProgramSpec

WEIGHTS, SPEC = "weights.npz", "spec.json"


def open_stored_weights(content: bytes, path: Path, name: str, registry: Registry) -> Opened:
    """The network of `weights.npz` in the folder of a training; raises ModelFileError."""
    program = _program(path.with_name(SPEC))
    weights = _weights(content)
    from fer_audit.training.trained import created, rebuilt  # imports Keras

    numbers = sum(weight.size for weight in weights.values())
    try:
        check_size(lambda: created(program, registry), numbers)
        network = rebuilt(program, registry, weights)
    except FerAuditError as error:
        raise ModelFileError(
            f"its network can't be made again: {error}; expected weights and {SPEC} of one training, and the model as "
            f"it was then"
        ) from None
    sha256, size = files_digest(path.parent, [path, path.with_name(SPEC)])
    return opened_network(network, "weights", Identity(name, sha256, size))


def _program(path: Path) -> ProgramSpec:
    if not path.is_file():
        raise ModelFileError(
            f"there is no {SPEC} beside it; expected the folder of a training in a store, `trainings/<key>/`; name the "
            f"file in there"
        )
    check_bytes(path.stat().st_size, SPEC, MOST_CONFIG_BYTES)
    try:
        return ProgramSpec.model_validate(json.loads(path.read_text(encoding="utf-8"))["program"])
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(
            f"the {SPEC} beside it describes no training; expected that of a store of this version; run the grid again"
        ) from None


def _weights(content: bytes) -> dict[str, Any]:
    open_archive(content).close()
    weights = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        for name in file.files:
            try:
                weights[name] = file[name]
            except Exception as error:  # noqa: BLE001 - a damaged array fails in many ways
                what = "holds pickled Python objects, whose code would run" if "pickle" in str(error) else reason(error)
                raise ModelFileError(
                    f"array {name!r} in it {what}; expected numbers alone; run the grid again"
                ) from None
    return weights
