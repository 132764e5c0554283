"""What membership attacks cost, and what few references leave of their power.

Run it with: python experiments/benchmarks/attacks.py [--golden DIR]
Every figure is measured in a process of its own on signals made up at random; the last one needs the frozen world of
reference vectors (FER_AUDIT_GOLDEN, or --golden) and is left out without it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from side import Side, tell
from table import Measured, at_least, below, heading, note, show

from fer_audit.attacks import MembershipAttack, Signals, create
from fer_audit.metrics.membership import auc

REFERENCES = (1, 2, 4, 8, 16)
CONTENDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("empirical-bayes", {"statistic": "phi"}),
    ("empirical-bayes", {"statistic": "centred-logit"}),
    ("lira-online", {}),
    ("lira-offline", {}),
    ("calibration", {}),
    ("attack-r", {}),
    ("rmia", {"mode": "online"}),
    ("rmia", {"mode": "offline"}),
    ("base", {"mode": "online"}),
    ("base", {"mode": "offline"}),
)


def main() -> None:
    """Prints all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, default=os.environ.get("FER_AUDIT_GOLDEN"), help="the reference vectors")
    options = parser.parse_args()
    rmia()
    everything()
    streamed()
    if options.golden is None:
        tell("no reference vectors: set FER_AUDIT_GOLDEN for the power at few references")
    else:
        power(options.golden / "membership")


def rmia() -> None:
    """RMIA against all pairs."""
    heading("RMIA, 20,000 rows, 10,000 population rows, 16 references; confidences known")
    found = Side("ours.attacks:rmia", rows=20_000, population=10_000, references=16, repeats=5).result()
    ours, pairs = Measured(found["seconds"], "s", 3), Measured(found["pairs"], "s", 3)
    show(
        [
            ["by sorting", ours, below(ours.median, 0.1, "s")],
            ["memory beyond the inputs", f"{found['megabytes']:.0f} MB", below(found["megabytes"], 200, "MB")],
            ["all pairs", pairs, f"{pairs.median / ours.median:.0f}x slower", at_least(pairs.median / ours.median, 50)],
            ["memory of all pairs", f"{found['pairs_megabytes']:.0f} MB"],
            ["rows with equal counts", f"{100 * found['agree']:.2f} %"],
        ]
    )


def everything() -> None:
    """All attacks on large signals."""
    heading("All attacks on one target: 50,000 rows, 64 references, 2 queries, 7 classes, 10,000 population rows")
    found = Side("ours.attacks:everything", rows=50_000, references=64, queries=2, population=10_000).result()
    total = sum(found["seconds"].values())
    show([[name, f"{seconds:.2f} s"] for name, seconds in found["seconds"].items()])
    show(
        [
            ["all of them", f"{total:.1f} s", below(total, 60, "s")],
            ["memory", f"{found['megabytes'] / 1024:.2f} GiB", below(found["megabytes"] / 1024, 6, "GiB")],
            ["of which the signals", f"{found['inputs'] / 1024:.2f} GiB"],
        ]
    )


def streamed() -> None:
    """LiRA on signals that exceed the memory it may use."""
    heading("LiRA from a file: 50,000 rows, 256 models, 18 queries, 7 classes")
    found = Side("ours.attacks:streamed", rows=50_000, models=256, queries=18).result()
    total = found["load"] + found["score"]
    show(
        [
            ["file", f"{found['gigabytes']:.2f} GB"],
            ["reading and checking", f"{found['load']:.1f} s"],
            ["scores of the first target", f"{found['score']:.1f} s"],
            ["both", f"{total:.1f} s", below(total, 60, "s")],
            ["scores of another target", f"{found['again']:.1f} s"],
            ["memory", f"{found['megabytes'] / 1024:.2f} GiB", below(found["megabytes"] / 1024, 4, "GiB")],
        ]
    )
    note("the file was written just before, so the system may have kept part of it in memory")


def power(folder: Path) -> None:
    """AUC with few references on the frozen world."""
    heading("AUC on the frozen world by number of references (one reference: mean of all 16 choices)")
    with np.load(folder / "world.npz") as world:
        signals = Signals(
            world["logits"],
            world["keep"],
            world["labels"],
            world["subjects"],
            world["population_logits"][:, :, None],
            world["population_labels"],
        )
    table = {
        " ".join((name, *map(str, params.values()))): powers(create(name, **params), signals)
        for name, params in CONTENDERS
    }
    show([["references", *map(str, REFERENCES)], *([name, *(f"{v:.4f}" for v in row)] for name, row in table.items())])
    best = [max(row[place] for row in table.values()) for place in range(len(REFERENCES))]
    rivals = max(row[REFERENCES.index(4)] for name, row in table.items() if name.startswith(("rmia", "base")))
    gain, loss = best[REFERENCES.index(4)] - rivals, best[-1] - best[0]
    note(
        f"4 references: the best is {gain:+.4f} against RMIA and BASE: target >= 0: {'met' if gain >= 0 else 'missed'}"
    )
    note(f"1 reference: {100 * loss:.1f} points below 16: target <= 3: {'met' if loss <= 0.03 else 'missed'}")


def powers(attack: MembershipAttack, signals: Signals) -> list[float]:
    """AUC for each of `REFERENCES`."""
    return [float(np.mean([_auc(attack, signals, chosen) for chosen in _choices(count)])) for count in REFERENCES]


def _choices(count: int) -> list[list[int]]:
    return [[model] for model in range(1, 17)] if count == 1 else [list(range(1, count + 1))]


def _auc(attack: MembershipAttack, signals: Signals, references: list[int]) -> float:
    scores, keep = attack.score(signals, references=references), signals.keep[0]
    return auc(scores[keep], scores[~keep])


if __name__ == "__main__":
    main()
