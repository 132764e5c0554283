"""Plain Keras, as a user would write it: build, compile, fit."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from faces import faces
from settings import BATCH, CLASSES, LEARNING_RATE, WEIGHT_DECAY
from side import spawned_at, tell

from baselines.ghostface_keras import ghostface as as_source_reads
from fer_audit.registry import Registry


def trainings(count: int, rows: int, size: int, epochs: int) -> dict[str, Any]:
    """Wall time of `count` trainings in one process, each built, compiled and fitted anew."""
    data = faces(rows, size).pool
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        keras.utils.clear_session()
        keras.utils.set_random_seed(number)
        network = compiled(size, data.images)
        network.fit(data.images, data.labels, batch_size=BATCH, epochs=epochs, verbose=0)
        seconds.append(time.perf_counter() - began)
        tell(f"plain Keras: training {number + 1}/{count}, {seconds[-1]:.0f} s")
    return {"wall": sum(seconds), "seconds": seconds}


def steady(rows: int, size: int, epochs: int, threads: int, as_source: bool = False) -> dict[str, Any]:
    """When each epoch of `fit` ended; `threads` 0 is all cores."""
    _limit(threads)
    data = faces(rows, size).pool
    network = compiled(size, data.images, as_source)
    ends: list[float] = []
    end = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_, **__: ends.append(time.time()))
    network.fit(data.images, data.labels, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[end])
    return {"ends": ends}


def first_step(size: int) -> dict[str, float]:
    """Seconds to the end of the first step of `fit`."""
    data = faces(BATCH, size).pool
    imported = time.perf_counter()
    network = compiled(size, data.images)
    ends: list[tuple[float, float]] = []
    end = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: ends.append((time.perf_counter(), time.time()))
    )
    network.fit(data.images, data.labels, batch_size=BATCH, epochs=1, verbose=0, callbacks=[end])
    return {"after_import": ends[0][0] - imported, "from_start": ends[0][1] - spawned_at()}


def predict(rows: int, size: int, passes: int, threads: int) -> dict[str, Any]:
    """Images/s of `predict(batch_size=128)` in each pass; `threads` 0 is all cores."""
    _limit(threads)
    images = np.random.default_rng(0).integers(0, 256, (rows, size, size, 3), np.uint8)
    network = plug_in(size)
    network.compile(jit_compile=False)
    network.predict(images, batch_size=128, verbose=0)
    rates = []
    for _ in range(passes):
        began = time.perf_counter()
        network.predict(images, batch_size=128, verbose=0)
        rates.append(rows / (time.perf_counter() - began))
    return {"rates": rates}


def compiled(size: int, images: npt.NDArray[np.uint8], as_source: bool = False) -> keras.Model:
    """GhostFace as the plug-in builds it, or as its source reads, adapted to `images` and ready to fit."""
    network = as_source_reads(size, CLASSES) if as_source else plug_in(size)
    network.get_layer("normalization").adapt_to_rows(images)
    network.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return network


def plug_in(size: int) -> keras.Model:
    """The network that fer-audit trains, in the plain layers that its model plug-in is written in."""
    return Registry.load([]).create("model", "ghostface", {}).create((size, size, 3), CLASSES)


def _limit(threads: int) -> None:
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
