"""Plain Keras on a dataset of fer-audit: the same split and recipe, each seed built, compiled and fitted anew."""

from __future__ import annotations

import math
import time
from typing import Any

import keras
import numpy as np
from ours.engine import planned
from side import tell

from baselines.ghostface_keras import ghostface
from fer_audit.metrics.accuracy import accuracy, balanced_accuracy


def accuracies(grid: dict[str, Any]) -> dict[str, list[float]]:
    """Accuracy and balanced accuracy on the test split, for each seed of `grid`."""
    with planned(grid) as (plan, _):
        data, recipe = plan.data, plan.grid.training
        images, labels = np.asarray(data.pool.images), np.asarray(data.pool.labels)
        test_images, test_labels = np.asarray(data.test.images), np.asarray(data.test.labels)
    found: dict[str, list[float]] = {"accuracy": [], "balanced": []}
    for seed in grid["seeds"]:
        began = time.perf_counter()
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        network = ghostface(recipe.image_size, len(data.classes))
        network.get_layer("normalization").adapt_to_rows(images)
        network.compile(
            optimizer=keras.optimizers.AdamW(
                _learning_rate(recipe, len(images)), weight_decay=recipe.optimizer.weight_decay
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        network.fit(images, labels, batch_size=recipe.batch_size, epochs=recipe.epochs, verbose=0)
        predicted = network.predict(test_images, batch_size=128, verbose=0).argmax(axis=1)
        found["accuracy"].append(_value(accuracy(test_labels, predicted)))
        found["balanced"].append(_value(balanced_accuracy(test_labels, predicted, len(data.classes))))
        tell(f"plain Keras: seed {seed}, {time.perf_counter() - began:.0f} s")
    return found


def _learning_rate(recipe: Any, rows: int) -> Any:
    base = recipe.optimizer.learning_rate
    if recipe.optimizer.schedule == "constant":
        return base
    return keras.optimizers.schedules.CosineDecay(base, recipe.epochs * math.ceil(rows / recipe.batch_size))


def _value(estimate: Any) -> float:
    return float(estimate.value)
