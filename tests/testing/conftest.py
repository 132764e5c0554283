"""What tests of the conformance kit share."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fer_audit.testing.toy_labels import toy_labels


@pytest.fixture(scope="session")
def layouts() -> Mapping[str, Callable[[Path], dict[str, Any]]]:
    """Name of a built-in dataset -> what writes its layout into a folder and returns the parameters that read it."""
    path = Path(__file__).with_name("dataset_layouts.py")
    spec = importlib.util.spec_from_file_location("dataset_layouts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LAYOUTS


@pytest.fixture
def label_list(tmp_path: Path) -> dict[str, Any]:
    """Parameters of the label attack `file`: a list of the toy rows in which every fifth has the next class."""
    toy, path = toy_labels(), tmp_path / "list.txt"
    given = [toy.classes[(label + (row % 5 == 0)) % 7] for row, label in enumerate(toy.labels)]
    lines = [f"{name} {label}" for name, label in zip(toy.names, given, strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    # Most checks take some of the toy rows only.
    return {"path": str(path), "on_unknown": "skip"}
