"""What is measured on private steps, in a process with the settings of a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from baselines.dp_sgd_loop import PlainKeras
from settings import BATCH, CLASSES
from side import spawned_at, tell

from fer_audit.metrics.activations import activation_bytes
from fer_audit.metrics.private_memory import private_step_bytes
from fer_audit.models.model import Model
from fer_audit.registry import Registry
from fer_audit.specs import PluginIdentity, PrivateStep, PrivateTraining, ProgramSpec
from fer_audit.training.group_norm import without_batch_statistics
from fer_audit.training.program import Program
from fer_audit.training.worker import _prepare_tensorflow as prepare_as_worker

_SIZE = 48
_RATE = 0.0  #: of the steps; a network that stays as it is costs the same
_MECHANISM = PrivateTraining(
    clip_norm=1.0, noise_multiplier=1.0, sampling="poisson", nominal_rows=10 * BATCH, source=""
)
_STATUS, _REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _batch() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, _SIZE, _SIZE, 3), np.uint8)
    return images, np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, BATCH)]


def _model(name: str) -> Model:
    return cast("Model", Registry.load([]).create("model", name, {}))


def _program(model: str, clipping: str, physical_batch: int = BATCH) -> Program:
    settings = PrivateStep.model_validate({"physical_batch": physical_batch, "clipping": clipping})
    spec = ProgramSpec(
        model=PluginIdentity(kind="model", name=model, params={}, source=""),
        input_shape=(_SIZE, _SIZE, 3),
        classes=CLASSES,
        batch_size=BATCH,
        optimizer="sgd",
        weight_decay=0.0,
        momentum=0.9,
        private=settings,
    )
    return Program(spec, _model(model))


def ratios(model: str, rounds: int) -> dict[str, Any]:
    """Seconds of steps of every kind, which take turns in one process."""
    prepare_as_worker()
    images, labels = _batch()
    ghost, made = _program(model, "ghost"), _program(model, "per-example")
    for program in (ghost, made):
        program.reset(0, images)
    keras = PlainKeras(without_batch_statistics(_model(model).create((_SIZE, _SIZE, 3), CLASSES)), BATCH)
    kinds: dict[str, Callable[[], object]] = {
        "plain": lambda: ghost.step(images, labels, 1, _RATE),
        "ghost": lambda: ghost.private_step(images, labels, 1, _RATE, _MECHANISM),
        "per-example": lambda: made.private_step(images, labels, 1, _RATE, _MECHANISM),
        "keras": lambda: keras.step(images, labels, _RATE),
        "loop": lambda: keras.private_step(images, labels, _RATE, _MECHANISM),
    }
    for name, step in kinds.items():
        began = time.perf_counter()
        step()
        step()
        tell(f"{model}, {name}: two steps with tracing in {time.perf_counter() - began:.0f} s")
    taken = [{name: _timed(step) for name, step in kinds.items()} for _ in range(rounds)]
    weights = sum(int(np.prod(weight.shape)) for weight in ghost.network.trainable_variables)
    return {"seconds": {name: [one[name] for one in taken] for name in kinds}, "weights": weights}


def _timed(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def first_step(model: str, clipping: str) -> dict[str, float]:
    """Seconds to the end of the first private step: built, traced, reset from a seed."""
    prepare_as_worker()
    images, labels = _batch()
    imported = time.perf_counter()
    program = _program(model, clipping)
    program.warm_up()
    program.reset(0, images)
    program.private_step(images, labels, 1, _RATE, _MECHANISM)
    return {"after_import": time.perf_counter() - imported, "from_start": time.time() - spawned_at()}


def peak(model: str, clipping: str, physical_batch: int) -> dict[str, int]:
    """Bytes by which steps raise the peak of resident memory over what a traced program holds; and the estimate."""
    prepare_as_worker()
    images, labels = _batch()
    program = _program(model, clipping, physical_batch)
    program.warm_up()
    program.reset(0, images)
    program.private_step(images[:2], labels[:2], 1, _RATE, _MECHANISM)
    _REFERENCES.write_text("5", encoding="utf-8")  # the high-water mark starts anew
    held = _resident("VmRSS")
    for _ in range(3):
        program.private_step(images, labels, 1, _RATE, _MECHANISM)
    estimate = private_step_bytes(
        "ghost" if clipping == "ghost" else "per-example",
        physical_batch,
        params_trainable=sum(int(np.prod(weight.shape)) for weight in program.network.trainable_variables),
        activation_output_bytes=activation_bytes(program.network).outputs,
    )
    return {"raised": _resident("VmHWM") - held, "held": held, "estimate": estimate}


def _resident(name: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
