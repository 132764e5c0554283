"""Models that are a function in a Python file of the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fer_audit.broken_plugin import reason_of
from fer_audit.errors import ModelFileError, did_you_mean
from fer_audit.imported_files import Scope, imported_files
from fer_audit.model_files.digest import file_digest, files_digest
from fer_audit.model_files.opened import Inputs, Opened, Outputs
from fer_audit.plugin_folder import import_file, open_folder
from fer_audit.registry import Registry


def open_callable(path: Path, function: str, name: str, registry: Registry) -> Opened:
    """`function(images uint8 (B, H, W, 3)) -> (B, C)` of a file that is imported, as the user who names it asks.

    The digest is of the file and of those of its folder that it imports; what the function reads is not in it. Raises
    ModelFileError.
    """
    path = path.resolve()
    found = _imported(path, function, registry)
    files = [file for file in imported_files([path], Scope(path.parent)) if file.is_relative_to(path.parent)]
    sha256, size = file_digest(path.read_bytes()) if len(files) < 2 else files_digest(path.parent, files)
    return Opened(
        format="callable",
        sha256=sha256,
        bytes=size,
        input_shape=None,
        outputs=None,
        ask=_asking(found),
        name=name,
    )


def _imported(path: Path, function: str, registry: Registry) -> Callable[..., Any]:
    try:
        open_folder(path.parent, registry.folders)
        module = import_file(path)
    except Exception as error:  # noqa: BLE001 - a user's file fails in any way
        raise ModelFileError(
            f"the file can't be imported: {reason_of(error)}; expected a Python file with {function}(images)"
        ) from None
    found = getattr(module, function, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ModelFileError(f"the file has no function {function!r}: {did_you_mean(function, names)}")
    return found  # type: ignore[no-any-return]


def _asking(function: Callable[..., Any]) -> Callable[[Inputs], Outputs]:
    def ask(images: Inputs) -> Outputs:
        answers = np.asarray(function(np.rint(images).astype(np.uint8)))
        if answers.ndim != 2 or len(answers) != len(images):
            raise ModelFileError(
                f"the function answers {len(images)} images with an array of shape {answers.shape}; expected "
                f"({len(images)}, classes); return one row for each image"
            )
        return answers.astype(np.float32)

    return ask
