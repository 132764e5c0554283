"""What is measured on a program alone, in a process with the settings of a worker."""

from __future__ import annotations

import time
from typing import Any, cast

import numpy as np
from faces import faces
from settings import BATCH, LEARNING_RATE
from side import spawned_at

from fer_audit.models.model import Model
from fer_audit.registry import Registry
from fer_audit.specs import ProgramSpec
from fer_audit.training.program import Program
from fer_audit.training.worker import _prepare_tensorflow as prepare_as_worker


def program_of(spec: dict[str, Any]) -> Program:
    """A program that is built and not yet traced."""
    wanted = ProgramSpec.model_validate(spec)
    model = Registry.load([]).create("model", wanted.model.name, wanted.model.params)
    return Program(wanted, cast("Model", model))


def first_step(spec: dict[str, Any]) -> dict[str, float]:
    """Seconds to the end of the first step: built, traced, reset from a seed."""
    prepare_as_worker()
    pool = faces(BATCH, spec["input_shape"][0]).pool
    labels = np.eye(spec["classes"], dtype=np.float32)[pool.labels]
    imported = time.perf_counter()
    program = program_of(spec)
    program.warm_up()
    program.reset(0, pool.images)
    program.step(pool.images, labels, 1, LEARNING_RATE)
    return {"after_import": time.perf_counter() - imported, "from_start": time.time() - spawned_at()}


def logits(spec: dict[str, Any], rows: int, passes: int) -> dict[str, Any]:
    """When the first of `passes` over `rows` random images began and when each ended, by the clock of all processes."""
    prepare_as_worker()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (rows, *spec["input_shape"]), np.uint8)
    program = program_of(spec)
    program.warm_up()
    program.reset(0, images[:BATCH])
    program.logits(images)
    ends = [time.time()]
    for _ in range(passes):
        program.logits(images)
        ends.append(time.time())
    return {"ends": ends}
