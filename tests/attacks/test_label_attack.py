"""What the framework does for every label attack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_audit.attacks.label_attack import Corruption, LabelAttack, LabelContext
from fer_audit.errors import PluginError
from fer_audit.plugins import parameter_table
from fer_audit.registry import Registry

LABELS = np.array([0, 0, 1, 1])


class Given(LabelAttack):
    """Returns what it is told to."""

    name = "given"

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found

    def corrupt(self, labels: np.ndarray, context: LabelContext) -> np.ndarray:
        return self.found(labels, context)


def context(**changes: Any) -> LabelContext:
    return LabelContext(("anger", "fear"), np.random.default_rng(0), **changes)


def done(found: Any, **changes: Any) -> Corruption:
    return Given(found)(LABELS, context(**changes))


def test_what_was_done_is_recorded() -> None:
    found = done(lambda labels, _: np.array([0, 1, 1, 1]))
    assert found.corrupted.tolist() == [False, True, False, False]
    assert found.rate == 0.25
    assert found.matrix.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_labels_may_be_changed_in_place_but_images_may_not() -> None:
    def in_place(labels: np.ndarray, context: LabelContext) -> np.ndarray:
        labels[0] = 1
        return labels

    assert done(in_place).corrupted[0]
    assert LABELS.tolist() == [0, 0, 1, 1]
    images = np.zeros((4, 2, 2, 3), np.uint8)
    with pytest.raises(PluginError, match="read-only"):
        done(lambda _, context: context.images.fill(1), images=images)
    images[0] = 1  # the owner still may


@pytest.mark.parametrize("which", ["subjects", "test_labels"])
def test_other_arrays_are_read_only_too(which: str) -> None:
    with pytest.raises(PluginError, match="read-only"):
        done(lambda _, context: getattr(context, which).fill(1), **{which: LABELS})


def test_remarks_are_those_of_one_attack() -> None:
    shared = context()

    def speaks(labels: np.ndarray, context: LabelContext) -> np.ndarray:
        context.remark("mind the gap")
        return labels

    assert Given(speaks)(LABELS, shared).remarks == ("mind the gap",)
    assert Given(lambda labels, _: labels)(LABELS, shared).remarks == ()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([0, 0, 1, 1], "received a list"),
        (None, "received a NoneType"),
        (LABELS[:3], r"received int64 \(3,\)"),
        (LABELS.astype(np.int32), "received int32"),
        (LABELS + 0.5, "received float64"),
        (np.array([0, 2, -1, 1]), r"within 0\.\.1, received 2 and 1 more outside"),
    ],
)
def test_what_is_no_labels_is_refused(found: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        done(lambda *_: found)


def test_a_failure_is_told_with_its_place() -> None:
    with pytest.raises(PluginError, match=r"'given' failed at .*test_label_attack\.py:\d+: ZeroDivisionError"):
        done(lambda *_: 1 / 0)


def test_classes_are_found_by_name() -> None:
    assert context().index("fear") == 1
    with pytest.raises(PluginError, match="did you mean 'fear'"):
        context().index("feer")
    with pytest.raises(PluginError, match="depends on the images"):
        context().shown()


def test_every_label_attack_is_found_and_explains_its_parameters() -> None:
    registry = Registry.load()
    names = {"symmetric", "pair-flip", "transition", "instance-dependent", "model-confusion", "file"}
    assert names <= set(registry.names("label-attack"))
    for name in names:
        assert all(description for *_, description in parameter_table(registry.get("label-attack", name)))
