from __future__ import annotations

import numpy as np
import pytest

from fer_audit.metrics.accuracy import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    mean_accuracy,
    per_class_recall,
)
from fer_audit.metrics.intervals import wilson

LABELS = np.array([0, 0, 0, 0, 1, 1, 3, 3, 3, 3])
PREDICTIONS = np.array([0, 0, 0, 1, 1, 0, 3, 3, 3, 3])


def test_the_matrix_has_true_rows_and_predicted_columns() -> None:
    matrix = confusion_matrix(LABELS, PREDICTIONS, 4)
    np.testing.assert_array_equal(matrix, [[3, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 4]])
    assert confusion_matrix(LABELS[:0], PREDICTIONS[:0], 4).shape == (4, 4)


def test_accuracy_has_a_wilson_interval() -> None:
    estimate = accuracy(LABELS, PREDICTIONS)
    assert (estimate.value, estimate.n, estimate.method) == (0.8, 10, "Wilson")
    assert (estimate.low, estimate.high) == wilson(8, 10)
    assert accuracy(LABELS[:0], PREDICTIONS[:0]).value is None


def test_accuracy_goes_by_subject_where_subjects_are_known() -> None:
    labels = np.zeros(40, np.int64)
    predictions = np.repeat([0, 1, 0, 0, 0, 1, 1, 0, 0, 0], 4)
    rows, people = accuracy(labels, predictions), accuracy(labels, predictions, np.repeat(np.arange(10), 4))
    assert rows.value == people.value == 0.7
    assert people.high - people.low > 1.5 * (rows.high - rows.low)


def test_recalls_of_empty_classes_are_missing_and_say_so() -> None:
    recalls = per_class_recall(LABELS, PREDICTIONS, 4)
    assert [recall.value for recall in recalls] == [0.75, 0.5, None, 1.0]
    assert [recall.n for recall in recalls] == [4, 2, 0, 4]
    assert recalls[2].note == "no rows of this class"
    assert (recalls[3].low, recalls[3].high) == wilson(4, 4)


def test_balanced_accuracy_is_the_mean_recall_of_present_classes() -> None:
    estimate = balanced_accuracy(LABELS, PREDICTIONS, 4)
    assert estimate.value == pytest.approx(0.75)
    assert estimate.low < 0.75 < estimate.high < 1
    assert estimate.note == "1 of 4 classes have no rows and are left out"
    assert balanced_accuracy(LABELS[:0], PREDICTIONS[:0], 4).value is None


def test_balanced_accuracy_of_one_class_is_its_recall() -> None:
    estimate = balanced_accuracy(LABELS[:4], PREDICTIONS[:4], 4)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(3, 4))


def test_perfect_predictions_are_not_certain() -> None:
    estimate = balanced_accuracy(LABELS, LABELS, 4)
    assert estimate.value == 1
    assert estimate.low < 0.9
    assert estimate.high == 1


def test_balanced_accuracy_covers_at_its_rate() -> None:
    rng = np.random.default_rng(0)
    labels, recalls = np.repeat(np.arange(4), [200, 60, 20, 10]), np.array([0.9, 0.6, 0.5, 0.8])
    hits = 0
    for _ in range(400):
        predictions = np.where(rng.random(len(labels)) < recalls[labels], labels, (labels + 1) % 4)
        estimate = balanced_accuracy(labels, predictions, 4)
        hits += estimate.low <= 0.7 <= estimate.high
    assert hits / 400 > 0.92


def test_mean_accuracy_counts_each_models_rows() -> None:
    correct = np.array([[True, False, True], [True, True, False]])
    counted = np.array([[True, True, False], [True, False, True]])
    estimate = mean_accuracy(correct, counted)
    assert (estimate.value, estimate.n) == (0.5, 4)
    assert "clusters" in estimate.method
