"""What a step of differentially private SGD costs, against the plain step of the same network in the same run.

    python experiments/benchmarks/private_step.py [--only ratio first-step memory] [--quick]

At 48 px and batch 64, on one thread as in a worker, networks group-normalised. Targets: at most 2 times the plain step
for a small network (mini-Xception), at most 7 times for GhostFace, below 3 times with ghost clipping, and the first
step in under 20 s. The baseline is a loop over the examples, in plain Keras and TensorFlow. Steps of all kinds take
turns in one process, and ratios are of pairs, so that a noisy minute hits both sides; figures are medians, with their
range.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from figures.worker import WORKER_ENVIRONMENT
from settings import BATCH
from side import interleaved, run
from table import Measured, at_most, below, heading, note, show

MODELS = {"mini-xception": 2, "ghostface": 7}  #: and the target of their steps
GHOST_TARGET, FIRST_TARGET = 3, 20
PHYSICAL = (8, 16, 32, 64)
WAYS = ("ghost", "per-example")
MIB = 1 << 20


def main() -> None:
    """Prints the figures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), help="these figures only")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works, not to quote")
    options = parser.parse_args()
    for name in options.only:
        FIGURES[name](options.quick)


def _ratio(quick: bool) -> None:
    rounds = 5 if quick else 25
    for model, target in MODELS.items():
        found = run("ours.private_step:ratios", WORKER_ENVIRONMENT, model=model, rounds=rounds)
        heading(f"A step of {model}, {found['weights']:,} trained weights, batch {BATCH}: {rounds} rounds")
        seconds = found["seconds"]
        targets = {"ghost": below(_against(seconds, "ghost", "plain").median, GHOST_TARGET, "x")}
        rows: list[tuple[object, ...]] = [("", "ms", "over the plain step", "over plain Keras")]
        rows += [_row(seconds, name, text, target, targets.get(name, "")) for name, text in _KINDS.items()]
        show(rows)
    note("plain Keras computes group normalisation by its own layer, which fer-audit's programs have in closed form")


_KINDS = {
    "plain": "plain step, fer-audit",
    "ghost": "private step, ghost clipping (the choice of auto)",
    "per-example": "private step, gradients by vectorized_map",
    "keras": "plain step, Keras",
    "loop": "private step, loop over examples in plain Keras",
}


def _row(seconds: dict[str, list[float]], name: str, text: str, target: int, more: str) -> tuple[object, ...]:
    own = Measured([1000 * one for one in seconds[name]], digits=0)
    ratios = [_against(seconds, name, other) for other in ("plain", "keras")]
    verdict = at_most(ratios[0].median, target, "x") if name in WAYS else ""
    return (text, own, *ratios, verdict, more)


def _against(seconds: dict[str, list[float]], name: str, other: str) -> Measured:
    pairs = zip(seconds[name], seconds[other], strict=True)
    return Measured([one / another for one, another in pairs], "x", digits=2)


def _first_step(quick: bool) -> None:
    heading(f"Seconds to the end of the first private step, batch {BATCH}")
    rows: list[tuple[object, ...]] = [("", "from TensorFlow imported", "from the start of the process")]
    for model in MODELS:
        results = interleaved(1 if quick else 3, *(_side("first_step", model, way) for way in WAYS))
        for way, found in zip(WAYS, results, strict=True):
            imported, started = (Measured([one[n] for one in found]) for n in ("after_import", "from_start"))
            rows.append((f"{model}, {way}", imported, started, below(imported.median, FIRST_TARGET, "s")))
    show(rows)


def _side(function: str, model: str, way: str, **options: Any) -> Callable[[], dict[str, Any]]:
    def measured() -> dict[str, Any]:
        return run(f"ours.private_step:{function}", WORKER_ENVIRONMENT, model=model, clipping=way, **options)

    return measured


def _memory(quick: bool) -> None:
    heading(f"MiB by which steps of {BATCH} rows raise the peak, against the physical batch")
    rows: list[tuple[object, ...]] = [("", *(f"{physical} rows" for physical in PHYSICAL))]
    for model in MODELS:
        for way in WAYS[:1] if quick else WAYS:
            found = [_side("peak", model, way, physical_batch=physical)() for physical in PHYSICAL]
            for name, text in (("raised", "measured"), ("estimate", "as estimated"), ("held", "held before")):
                rows.append((f"{model}, {way}: {text}", *(f"{one[name] / MIB:,.0f}" for one in found)))
    show(rows)
    note("held before is the process with the program traced: TensorFlow, the graph and the weights")


FIGURES: dict[str, Callable[[bool], None]] = {"ratio": _ratio, "first-step": _first_step, "memory": _memory}


if __name__ == "__main__":
    main()
