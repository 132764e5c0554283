"""What engines cost: Ray against the local engine on real trainings, and the scheduling of trainings that cost nothing.

    python experiments/benchmarks/engines.py trainings [--rounds 3]
    python experiments/benchmarks/engines.py scheduling [--trainings 100000] [--engine local|ray]

`trainings`: the trainings of one grid (two augmentations, 14 trainings of one program) on new stores, by turns on two
local Ray nodes of one core each and on two workers of the local engine. Time runs from opening the engine to the last
event; the cluster is up before. Target: at most 15 % slower.

`scheduling`: seconds a training of engines whose workers do nothing, with two workers. Targets: under 5 ms for the
local engine, under 10 ms for Ray.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from table import show

from fer_audit.grid import Resources, read_grid
from fer_audit.plan import Plan, make_plan
from fer_audit.runner.engines.choice import open_engine
from fer_audit.runner.engines.engine import Engine
from fer_audit.runner.engines.events import Failed, Finished
from fer_audit.runner.engines.local import LocalEngine
from fer_audit.specs import PluginIdentity, ProgramSpec, Training, TrainingJob, TrainingSpec
from fer_audit.store import Store

#: Ray says nothing to anyone, and nothing between our lines.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 1200, "test_rows": 200, "population_rows": 0}},
    "models": ["mini-xception"],
    "augmentations": ["none", "randaug"],
    "attacks": {"membership": ["loss-threshold"]},
    "training": {"image_size": 32, "epochs": 8, "batch_size": 32},
    "privacy": {"references": 6},
}

#: Milliseconds a training.
TARGETS = {"local": 5.0, "ray": 10.0}


def main() -> None:
    """Prints one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("trainings", "scheduling"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trainings", type=int, default=100_000)
    parser.add_argument("--engine", choices=("local", "ray"), action="append")
    options = parser.parse_args()
    if options.what == "trainings":
        compare(options.rounds)
    else:
        schedule(options.trainings, options.engine or ["local", "ray"])


def compare(rounds: int) -> None:
    """Both engines by turns on the same trainings."""
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as folder, two_nodes():
        grid = Path(folder) / "engines.yaml"
        grid.write_text(yaml.safe_dump(GRID), encoding="utf-8")
        for number in range(rounds):
            for name in seconds if number % 2 == 0 else reversed(seconds):
                store = Store(Path(folder) / f"{name}-{number}")
                plan = make_plan(read_grid(grid), store)
                seconds[name].append(timed(plan, open_engine(name, store, [], Resources(workers=2))))
                print(f"round {number + 1}: {name} {seconds[name][-1]:.1f} s", flush=True)
    ratios = [ray / local for ray, local in zip(seconds["ray"], seconds["local"], strict=True)]
    rows = [[name, f"{statistics.median(found):.1f} s"] for name, found in seconds.items()]
    show([["engine", f"{len(plan.trainings)} trainings, median of {rounds}"], *rows])
    print(
        f"ray / local, paired: median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); "
        f"target 1.15: {'met' if statistics.median(ratios) <= 1.15 else 'missed'}"
    )


def timed(plan: Plan, opened: Engine) -> float:
    """Seconds in which an engine trains all of a plan."""
    began = time.perf_counter()
    with opened as engine:
        events = list(engine.run(plan.missing))
    failed = [event.error for event in events if isinstance(event, Failed)]
    if failed:
        raise SystemExit(failed[0])
    return time.perf_counter() - began


def schedule(count: int, names: list[str]) -> None:
    """Trainings that cost nothing, on each engine."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    trainings = [nothing(number) for number in range(count)]
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder, two_nodes() if name == "ray" else contextlib.nullcontext():
            engine = idle(name, Store(Path(folder)))
            began = time.perf_counter()
            with engine:
                done = sum(isinstance(event, Finished) for event in engine.run(trainings))
            each = 1000 * (time.perf_counter() - began) / count
        if done != count:
            raise SystemExit(f"{name}: {done} of {count} trainings were done")
        met = "met" if each < TARGETS[name] else "missed"
        rows.append([name, f"{each:.2f} ms", f"{TARGETS[name]:g} ms: {met}"])
    show([["engine", f"a training, of {count:,}", "target"], *rows])


def idle(name: str, store: Store) -> Engine:
    """An engine whose workers do nothing."""
    if name == "local":
        return LocalEngine(store, [], 2, worker_module="idle_worker")
    from fer_audit.runner.engines.ray import RayEngine

    return RayEngine(store, [], Resources(), 2, worker_module="idle_worker")


def nothing(number: int) -> Training:
    """A training that nobody makes: one of ten programs."""
    model = PluginIdentity(kind="model", name=f"model-{number % 10}", params={}, source="")
    program = ProgramSpec(
        model=model, input_shape=(8, 8, 3), classes=7, batch_size=8, optimizer="sgd", weight_decay=0, momentum=0
    )
    spec = TrainingSpec(
        program=program,
        augmentations=(),
        epochs=1,
        learning_rate=0.1,
        schedule="constant",
        seed=number,
        pixels="",
        labels="",
        test_pixels="",
        test_labels=None,
        versions={},
        rows="",
        data="",
    )
    job = TrainingJob(training=spec, queries=("identity",), pool="", population="")
    return Training(job, spec.key, f"training {number}", rows=1, asked=0)


@contextlib.contextmanager
def two_nodes() -> Iterator[None]:
    """A Ray cluster of two nodes with one core each, to which this process is connected."""
    os.environ |= SETTINGS
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
