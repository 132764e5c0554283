"""Tests of my-dataset: the conformance kit, and what it makes of names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_audit.data.dataset import EXPRESSIONS
from fer_audit.errors import DataError
from fer_audit.testing import Check, load_subjects, parametrize_checks

_FILE = Path(__file__).with_name("my_dataset.py")


@parametrize_checks(_FILE)
def test_my_dataset_conforms(check: Check) -> None:
    """What every dataset must do, as `fer-audit check` has it."""
    check()


def test_names_say_person_and_expression(tmp_path: Path) -> None:
    """Labels and people are those of the names, and nobody is on both sides of the split."""
    subject = load_subjects(_FILE)[0]
    data = subject.make(**subject.make().example(tmp_path)).load(32, tmp_path)
    for rows in (data.pool, data.test):
        np.testing.assert_equal([EXPRESSIONS[label] for label in rows.labels], [_parts(name)[1] for name in rows.names])
    people = [{_parts(name)[0] for name in rows.names} for rows in (data.pool, data.test)]
    np.testing.assert_equal([len(people[0] | people[1]), len(people[0] & people[1])], [8, 0])


def _parts(name: str) -> list[str]:
    return name.split("_")


def test_other_names_are_refused(tmp_path: Path) -> None:
    """An image that does not say what it shows is no silent loss."""
    subject = load_subjects(_FILE)[0]
    params = subject.make().example(tmp_path)
    (tmp_path / "portrait.png").touch()
    with pytest.raises(DataError, match=r"portrait\.png"):
        subject.make(**params).listing(tmp_path)
