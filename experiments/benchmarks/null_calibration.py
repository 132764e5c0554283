"""How often each interval and bound cries wolf where nothing leaks.

Run it with: python experiments/benchmarks/null_calibration.py [--seeds 1000] [--workers 2] [--attacks rmia,gap]

Every seed draws signals whose members and non-members are exchangeable: rows differ in difficulty, subjects share noise
within a model, membership is drawn by subject in complementary pairs, and nothing depends on it. All built-in attacks
are audited on them with the defaults of a grid. A nominal 95 % interval may miss the truth in 5 % of the seeds, a bound
may exceed it in 5 %. Where nothing leaks, the TPR at an FPR of at most k / n0 is (k + 1) / (n0 + 1) on average, since
the threshold lies right above the next non-member; an interval above that is a false alarm. The second table is on
plain scores without an audit, beside what is common practice.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import numpy.typing as npt
from side import tell
from table import heading, note, show

from fer_audit.attacks import Signals, audit, create
from fer_audit.metrics import epsilon, intervals, membership
from fer_audit.registry import Registry
from fer_audit.results import AttackResult, Estimate, Roc

MODELS, PEOPLE, ROWS_EACH, POPULATION, QUERIES, CLASSES, EPOCHS = 6, 100, 5, 100, 2, 3, 6
NOMINAL = 0.05
_NONMEMBERS = PEOPLE * ROWS_EACH // 2
#: Expected TPR at an FPR of at most 1 % of a score that knows nothing.
_TPR_BY_CHANCE = (int(0.01 * _NONMEMBERS) + 1) / (_NONMEMBERS + 1)
SCORES = 300  # members, and non-members, of the plain scores

Alarms = dict[str, float]
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Prints the realised rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000, help="independent worlds (default: 1000)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--attacks", help="names with commas between them (default: all)")
    options = parser.parse_args()
    names = options.attacks.split(",") if options.attacks else Registry.load().names("membership-attack")
    audits, plain = [], []
    with ProcessPoolExecutor(options.workers) as pool:
        for done, (alarms, others) in enumerate(pool.map(partial(one_seed, names), range(options.seeds)), 1):
            audits.append(alarms)
            plain.append(others)
            if done % 50 == 0:
                tell(f"{done} of {options.seeds} seeds")
    limit = NOMINAL + 1.96 * math.sqrt(NOMINAL * (1 - NOMINAL) / options.seeds)
    heading(
        f"False alarms in {options.seeds} audits of {MODELS} models, {PEOPLE * ROWS_EACH} rows, {PEOPLE} subjects, %"
    )
    columns = list(audits[0][next(iter(audits[0]))])
    rates = {name: [_rate([alarms[name][column] for alarms in audits]) for column in columns] for name in audits[0]}
    show([["attack", *columns], *([name, *(_percent(rate) for rate in row)] for name, row in rates.items())])
    worst = max(rate for row in rates.values() for rate in row if not math.isnan(rate))
    note(f"target: at most {100 * NOMINAL:.0f} % plus Monte-Carlo error = {100 * limit:.1f} %")
    note(f"the highest is {100 * worst:.1f} %")
    heading(f"False alarms of bounds and intervals on {SCORES} + {SCORES} scores, %")
    cases = list(plain[0][next(iter(plain[0]))])
    heard = {name: [_rate([alarms[name][case] for alarms in plain]) for case in cases] for name in plain[0]}
    show([["", *cases], *([name, *map(_percent, row)] for name, row in heard.items())])


def _rate(alarms: Sequence[float]) -> float:
    """Mean of what could be told; NaN where nothing could."""
    known = [alarm for alarm in alarms if not math.isnan(alarm)]
    return sum(known) / len(known) if known else math.nan


def _percent(rate: float) -> str:
    return "-" if math.isnan(rate) else f"{100 * rate:.1f}"


def one_seed(names: Sequence[str], seed: int) -> tuple[dict[str, Alarms], dict[str, Alarms]]:
    """What went off."""
    signals = world(seed)
    found = audit(signals, [create(name) for name in names], seed=seed)
    return {result.attack.name: dict(audit_alarms(result)) for result in found}, dict(plain_alarms(seed))


def world(seed: int) -> Signals:
    """Signals without any leak."""
    rng = np.random.default_rng(seed)
    rows = PEOPLE * ROWS_EACH
    total = rows + POPULATION
    subjects, labels = np.arange(total) // ROWS_EACH, rng.integers(0, CLASSES, total)
    halves = np.stack([rng.permutation(PEOPLE) < PEOPLE // 2 for _ in range(MODELS // 2)])
    keep = np.repeat(halves, 2, axis=0)[:, subjects[:rows]]
    keep[1::2] = ~keep[1::2]
    logits = rng.normal(0, 1, (1, total, 1, CLASSES)) + rng.normal(0, 0.7, (MODELS, total, QUERIES, CLASSES))
    own = 2 + rng.normal(0, 2, total) + rng.normal(0, 0.5, (MODELS, subjects.max() + 1))[:, subjects]
    logits[:, np.arange(total), :, labels] += own.T[:, :, None]
    trace = rng.gamma(2, 0.5, (MODELS, rows, EPOCHS)) * np.exp(-logits[:, :rows, 0].max(axis=-1))[..., None]
    return Signals(
        logits[:, :rows].astype(np.float32),
        keep,
        labels[:rows],
        subjects[:rows],
        logits[:, rows:].astype(np.float32),
        labels[rows:],
        trace,
    )


def audit_alarms(result: AttackResult) -> Iterator[tuple[str, float]]:
    """1.0 for each statistic of an attack's result that misses the truth."""
    yield "AUC", _misses(result.auc, 0.5)
    yield "AUC of a target", float(np.mean([_misses(target.auc, 0.5) for target in result.targets]))
    yield "advantage", _misses(result.advantage, 0.0)
    yield "TPR at 1 % FPR", _above(result.tpr_at_fpr["0.01"], _TPR_BY_CHANCE)
    yield "ROC band at 30 % FPR", _outside(result.roc, 0.3)
    yield "epsilon > 0", float(result.epsilon.lower_bound > 0)
    sliced = [one.p_adjusted for one in result.slices if one.p_adjusted is not None]
    yield "any slice differs", float(min(sliced, default=1.0) < NOMINAL)
    inside = [_misses(one.auc, 0.5) for one in result.slices if one.auc.value is not None]
    yield "AUC of a slice", float(np.mean(inside)) if inside else math.nan


def _misses(estimate: Estimate, truth: float) -> float:
    if estimate.low is None or estimate.high is None:
        return math.nan
    return float(not estimate.low <= truth <= estimate.high)


def _above(estimate: Estimate, truth: float) -> float:
    return math.nan if estimate.low is None else float(estimate.low > truth)


def _outside(roc: Roc, fpr: float) -> float:
    """Whether chance is outside the band of the point that is nearest to `fpr`."""
    place = min(range(len(roc.fpr)), key=lambda at: abs(roc.fpr[at] - fpr))
    return float(not roc.low[place] <= roc.fpr[place] <= roc.high[place])


def plain_alarms(seed: int) -> Iterator[tuple[str, Alarms]]:
    """Bounds and intervals on independent scores, continuous and rounded so that many are equal."""
    rng = np.random.default_rng([seed, 1])
    scores = rng.normal(0, 1, (2, SCORES))
    cases = {"continuous": scores, "with ties": np.round(scores * 2) / 2}
    for name, statistic in _STATISTICS.items():
        yield name, {case: float(statistic(*pair, seed)) for case, pair in cases.items()}


def _bound(threshold: Any, **options: Any) -> Callable[[Floats, Floats, int], bool]:
    return lambda x, y, seed: epsilon.lower_bound(x, y, threshold=threshold, seed=seed, **options) > 0


def _one_run(threshold: Any) -> Callable[[Floats, Floats, int], bool]:
    return lambda x, y, seed: epsilon.one_run_lower_bound(x, y, 1e-5, threshold=threshold, seed=seed) > 0


def _auc(method: Any) -> Callable[[Floats, Floats, int], bool]:
    return lambda x, y, seed: bool(_misses(intervals.auc_interval(x, y, method=method, seed=seed), 0.5))


def _uncorrected(x: Floats, y: Floats, seed: int) -> bool:
    """The best threshold's bound as if it had been the only one."""
    curve = membership.roc(x, y)
    limits = curve.thresholds[1:]
    return max(epsilon.lower_bound(x, y, threshold=float(limit)) for limit in limits[:: max(1, len(limits) // 100)]) > 0


def _raw(x: Floats, y: Floats, seed: int) -> bool:
    """The largest log(TPR / FPR) with ten false positives or more, without any confidence."""
    curve = membership.roc(x, y)
    enough = curve.fp >= 10
    return bool(np.max(np.log(curve.tpr[enough] / curve.fpr[enough])) > 0)


_STATISTICS: dict[str, Callable[[Floats, Floats, int], bool]] = {
    "AUC interval, DeLong": _auc("delong"),
    "AUC interval, bootstrap": _auc("bootstrap"),
    "epsilon > 0, bonferroni": _bound("bonferroni"),
    "epsilon > 0, bonferroni, reversed rule too": _bound("bonferroni", one_sided=False),
    "epsilon > 0, bonferroni over the hull's vertices": _bound("bonferroni", candidates="hull"),
    "epsilon > 0, split": _bound("split"),
    "epsilon > 0, multisplit": _bound("multisplit"),
    "epsilon > 0, explicit": _bound(0.5),
    "epsilon > 0, one run, bonferroni": _one_run("bonferroni"),
    "epsilon > 0, one run, explicit": _one_run(0.5),
    "common practice: best threshold, not corrected": _uncorrected,
    "common practice: best ratio of rates, no confidence": _raw,
}


if __name__ == "__main__":
    main()
