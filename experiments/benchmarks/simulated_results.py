"""Results as a large grid would leave them, with made-up numbers: for measuring the report, and nothing else.

    python experiments/benchmarks/simulated_results.py CELLS FOLDER [--seed SEED] [--defences]

writes `results.json` and `run.json`; with `--defences` the grid has defences too, private training and audits of what
it promises among them. Counts add up and estimates lie in their intervals, as in real results; shapes,
digits and texts are those of the main grid, so that sizes are real too. The same cells and seed give the same results.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtr, ndtri

from fer_audit.metrics.intervals import wilson
from fer_audit.metrics.multiplicity import holm
from fer_audit.results import Cell, Results, RunRecord, write_results, write_run

CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
POOL, TEST = (99, 144, 85, 66, 26, 46, 46), (77, 113, 66, 51, 21, 36, 36)  #: rows of each class
GROUPS = {"low": 151, "medium": 217, "high": 144}  #: rows of an attribute's values
POOL_SUBJECTS, TEST_SUBJECTS = 128, 100
TARGETS, HALF = 8, sum(POOL) // 2  #: members of each target, and as many that are not
EPOCHS, EXPOSED, LEAST_ROWS = 15, 10, 40
FAILED_OF, MISSING_OF = 400, 500  #: one cell in so many

_Plugin = tuple[str, dict[str, Any]]
MODELS: tuple[_Plugin, ...] = (
    ("ghostface", {}),
    ("mini-xception", {}),
    ("efficientface", {}),
    ("efficientnet-b0", {}),
    ("ghostface-origin", {}),
    ("mobilenet-v2", {}),
    ("mobilenet-v3-small", {}),
    ("resnet-18", {}),
    ("ghostface", {"norm_momentum": 0.99}),
    ("ghostface", {"scaled_depthwise": False}),
)
_MILD: _Plugin = ("randaug", {"m": 6, "n": 1})
_USUAL: _Plugin = ("randaug", {"m": 9, "n": 2})
_MIXUP: _Plugin = ("mixup", {})
_STRONG_MIXUP: _Plugin = ("mixup", {"alpha": 0.4})
AUGMENTATIONS: tuple[tuple[_Plugin, ...], ...] = (
    (),
    (_MIXUP,),
    (_STRONG_MIXUP,),
    (_MILD,),
    (_USUAL,),
    (_MILD, _MIXUP),
    (_USUAL, _MIXUP),
    (_MILD, _STRONG_MIXUP),
    (_USUAL, _STRONG_MIXUP),
    (("randaug", {"m": 14, "n": 3}),),
)
LABEL_ATTACKS: tuple[_Plugin | None, ...] = (
    None,
    ("symmetric", {"rate": 0.1}),
    ("symmetric", {"rate": 0.3}),
    ("pair-flip", {"rate": 0.3}),
)
#: Of a grid with defences.
DEFENCES: tuple[_Plugin | None, ...] = (
    None,
    ("dp-sgd", {"epsilon": 2.0}),
    ("dp-sgd", {"epsilon": 8.0}),
    ("dp-sgd", {"epsilon": 32.0}),
    ("early-stopping", {"patience": 3}),
)
CANARIES, DELTA, BATCH = 256, 1e-5, 64
MOST_IMAGES = 8  #: of one person
#: Membership attacks, what they must know, and how much further than the first they get, in AUC.
ATTACKS: tuple[tuple[_Plugin, str, float], ...] = (
    (("shadow-mia", {"queries": "all", "features": "sorted-probabilities"}), "black-box outputs and labels", 0.0),
    (("loss-threshold", {"queries": "all", "per_class": False}), "references only for the threshold", 0.02),
    (("lira-online", {"queries": "all", "variance": "auto"}), "reference models with and without each row", 0.05),
    (("rmia", {"queries": "all", "mode": "online"}), "black-box outputs, also of a population", 0.06),
)

_BY_CLUSTER = "Clopper-Pearson at the effective size of {} clusters (Korn-Graubard)"
_BOOTSTRAP = "bootstrap over subjects, 1000 resamples, expanded percentiles, stretched by sqrt(2)"
_LINEARISED = "linearised by cluster, t quantile, stretched by sqrt(2)"
_UNRESOLVED = f"not resolvable (needs at least 1,000 non-members a target, has {HALF})"
_DESIGN_EFFECT = 2.0
_FPR = np.unique(np.concatenate([np.arange(64), np.linspace(64, HALF, 87).round()])) / HALF
_IMPOSSIBLE = "MixUp puts each row into several gradients, which private training can't account for"
_LOG = "".join(
    f'  File "fer_audit/training/program.py", line {line}, in step\n    loss = self._loss(batch, labels, weights)\n'
    for line in range(300, 316)
)

_Made = dict[str, Any]
_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Line:
    """A cell before anything was trained."""

    model: _Plugin
    chain: tuple[_Plugin, ...]
    labels: _Plugin | None
    seed: int
    defence: _Plugin | None = None

    @cached_property
    def id(self) -> str:
        """As the runner names it."""
        defended = f"{_label(self.defence)}/" if self.defence else ""
        return f"{_label(self.model)}/{self.augmentation}/{defended}{self.label_attack}/seed{self.seed}"

    @property
    def epsilon(self) -> float | None:
        """What private training promises; None where there is no promise."""
        return float(self.defence[1]["epsilon"]) if self.defence and self.defence[0] == "dp-sgd" else None

    @property
    def possible(self) -> bool:
        """MixUp lets each row be in several gradients, so that private training can't have it."""
        return self.epsilon is None or all(name != _MIXUP[0] for name, _ in self.chain)

    @property
    def augmentation(self) -> str:
        """Label of the chain."""
        return "+".join(map(_label, self.chain)) or "none"

    @property
    def label_attack(self) -> str:
        """Label of the label attack."""
        return _label(self.labels) if self.labels else "none"

    @property
    def rate(self) -> float:
        """Wanted rate of corrupted labels."""
        return float(self.labels[1]["rate"]) if self.labels else 0.0


def simulate(cells: int, seed: int = 0, defences: Sequence[_Plugin | None] = (None,)) -> tuple[Results, RunRecord]:
    """Results and record of a grid with so many cells (at least 1); raises ValueError."""
    if cells < 1:
        raise ValueError(f"expected at least 1 cell, got {cells}")
    named = grid_lines(cells, defences)
    lines = [line for line in named if line.possible]
    models = list(dict.fromkeys(_label(line.model) for line in lines))
    rng = np.random.default_rng([seed, cells])
    failed, missing = _unfinished(rng, cells)
    with _uncollected():
        made = [_cell(line, seed, failed=at in failed, missing=at in missing) for at, line in enumerate(lines)]
    results: _Made = {
        "grid": f"simulated-{cells}",
        "include_images": False,
        "dataset": _dataset(),
        "costs": [_cost(np.random.default_rng([seed, place]), model) for place, model in enumerate(models)],
        "cells": made,
        "noise_curves": _noise_curves(made),
        "comparisons": _comparisons(rng, made),
        "matched": _matched(made),
        "left_out": [{"id": line.id, "reason": _IMPOSSIBLE} for line in named if not line.possible],
        "gates": [
            {"metric": "mia_auc", "max": 0.75},
            {"metric": "accuracy", "min": 0.5, "level": "warn", "certain": True, "where": {"labels": ["none"]}},
        ],
        "provenance": _provenance(sorted({line.seed for line in lines})),
    }
    return Results.model_validate(results), RunRecord.model_validate(_record(rng, made, models))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which would walk through millions of kept objects again and again."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def grid_lines(cells: int, defences: Sequence[_Plugin | None] = (None,)) -> list[Line]:
    """The first lines, `cells` of them possible, of a grid that grows evenly in models, augmentations and labels.

    It grows in seeds once it has all of these.
    """
    most = (len(MODELS), len(AUGMENTATIONS), len(LABEL_ATTACKS))
    size = [1, 1, 1]
    while math.prod(size) * len(defences) < min(cells, math.prod(most) * len(defences)):
        size[min(range(3), key=lambda axis: size[axis] / most[axis])] += 1
    axes = LABEL_ATTACKS[: size[2]], MODELS[: size[0]], AUGMENTATIONS[: size[1]], defences
    every = ((seed, *line) for seed in itertools.count() for line in itertools.product(*axes))
    lines: list[Line] = []
    while cells > 0:
        seed, labels, model, chain, defence = next(every)
        lines.append(Line(model, chain, labels, seed, defence))
        cells -= lines[-1].possible
    return lines


def _unfinished(rng: np.random.Generator, cells: int) -> tuple[set[int], set[int]]:
    """Places of failed and of missing cells; the first cell, which others are compared with, is done."""
    failed, missing = -(-cells // FAILED_OF), -(-cells // MISSING_OF)
    if cells <= failed + missing:
        return set(), set()
    drawn = (1 + rng.permutation(cells - 1)[: failed + missing]).tolist()
    return set(drawn[:failed]), set(drawn[failed:])


def _cell(line: Line, seed: int, failed: bool, missing: bool) -> Cell:
    rng = np.random.default_rng([seed, *hashlib.sha256(line.id.encode()).digest()[:8]])
    given = _given(line.label_attack.partition("(")[0], line.rate, line.seed, seed)
    wrong = given != _true_labels()
    keys = [_key(seed, line.id, place) for place in range(TARGETS + 1)]
    accuracy, auc = _truth(line, seed)
    made: _Made = {
        "id": line.id,
        "model": _label(line.model),
        "augmentation": line.augmentation,
        "label_attack": line.label_attack,
        "noise_rate": float(wrong.mean()),
        "seed": line.seed,
        "model_plugin": _plugin(line.model),
        "augmentation_plugins": [_plugin(one) for one in line.chain],
        "label_attack_plugin": _plugin(line.labels) if line.labels else None,
        "defence": _label(line.defence) if line.defence else "none",
        "defence_plugin": _plugin(line.defence) if line.defence else None,
        "corruption": _corruption(given) if line.labels else None,
        "status": "failed" if failed else "missing" if missing else "done",
        "error": f"its worker died with status -9\n{_LOG[-2000:]}" if failed else "not trained yet" if missing else "",
    }
    if not missing:
        made["utility"] = _utility(rng, keys[0], accuracy, held_out=(line.defence or ("",))[0] == "early-stopping")
        made["memorisation"] = _memorisation(rng, wrong) if line.labels else None
    if not (failed or missing):
        made["privacy"] = _privacy(rng, keys[1:], accuracy, auc, given, seed)
    if line.defence and not (failed or missing):
        made |= _promises(rng, _key(seed, line.id, TARGETS + 1), line.epsilon)
    return Cell.model_validate(made)


def _truth(line: Line, seed: int) -> tuple[float, float]:
    """Accuracy and AUC that the numbers of a cell scatter around; models, augmentations and noise each have effects."""
    model, chain = _effect(seed, _label(line.model)), _effect(seed, line.augmentation)
    accuracy = 0.68 + 0.04 * model + 0.03 * chain - 0.5 * line.rate
    auc = 0.66 + 0.03 * model - (0.05 + 0.02 * chain) * len(line.chain) + 0.25 * line.rate
    if line.epsilon:
        accuracy, auc = accuracy - 0.3 / (1 + line.epsilon / 4), 0.5 + (auc - 0.5) * line.epsilon / (30 + line.epsilon)
    return min(max(accuracy, 0.2), 0.95), min(max(auc, 0.5), 0.9)


@cache
def _effect(seed: int, label: str) -> float:
    """Standard normal, but for its tails."""
    digest = hashlib.sha256(f"{seed} {label}".encode()).digest()
    return float(np.clip(np.random.default_rng(list(digest[:8])).normal(), -2, 2))


def _promises(rng: np.random.Generator, key: str, epsilon: float | None) -> _Made:
    """Canaries of one training; of private training also what it promises, and what many trainings show."""
    canaries = _canary_audit(rng, key, epsilon)
    if epsilon is None:
        return {"canaries": canaries}
    return {"guarantee": _guarantee(epsilon, sum(POOL)), "canaries": canaries, "many_runs": _many_runs(epsilon)}


def _guarantee(epsilon: float, rows: int) -> _Made:
    """The same noise for all; the accounts are made up."""
    return {
        "epsilon": epsilon,
        "delta": DELTA,
        "accountant": "PLD, Poisson sampling",
        "epsilon_pld": epsilon,
        "epsilon_rdp": 1.06 * epsilon,
        "epsilon_shuffled": 2.4 * epsilon,
        "noise_multiplier": 0.4 + 4 / epsilon,
        "clip_norm": 1.0,
        "sampling": "poisson",
        "sampling_rate": BATCH / rows,
        "batch_size": BATCH,
        "steps": EPOCHS * rows // BATCH,
        "epochs": EPOCHS,
        "rows": rows,
        "group": {"images": MOST_IMAGES, "epsilon": MOST_IMAGES * epsilon if epsilon < 10 else None},
    }


def _canary_audit(rng: np.random.Generator, key: str, epsilon: float | None) -> _Made:
    """Guesses that a mechanism with that epsilon lets be right, and a bound that its promise keeps."""
    guesses = 48
    correct = int(rng.binomial(guesses, expit(min(epsilon or 3.0, 3.0) / 2)))
    bound = max(0.0, float(logit(min(wilson(correct, guesses)[0], 0.99))))
    promised = None if epsilon is None else 1.05 * epsilon
    return {
        "training": key,
        "kind": "mislabelled",
        "count": CANARIES,
        "included": int(rng.binomial(CANARIES, 0.5)),
        "copies": 1,
        "auc": _around(0.5 + correct / guesses / 10, 0.05, CANARIES, "DeLong", 0.0),
        "guesses": guesses,
        "correct": correct,
        "lower_bound": bound if promised is None else min(bound, promised),
        "cap": 4.2,
        "delta": DELTA,
        "confidence": 0.95,
        "unit": "image",
        "promised": promised,
        "broken": False,
        "guarantee": None if promised is None else _guarantee(promised, sum(POOL) - CANARIES // 2),
        "method": "Steinke, Nasr and Jagielski 2023",
        "file": f"canaries/{key[:8]}.csv",
    }


def _many_runs(epsilon: float) -> _Made:
    found = _guarantee(0.95 * epsilon, HALF)
    return {
        "attack": _plugin(ATTACKS[-1][0]),
        "lower_bound": 0.0,
        "cap": 2.5,
        "delta": DELTA,
        "confidence": 0.95,
        "unit": "subject",
        "decisions": POOL_SUBJECTS,
        "promised": found["group"]["epsilon"],
        "broken": False,
        "guarantee": found,
        "method": "Clopper-Pearson, one decision a cluster, corrected for 4 attacks",
    }


def _utility(rng: np.random.Generator, key: str, accuracy: float, held_out: bool = False) -> _Made:
    wanted = expit(logit(accuracy) + 0.6 * np.cos(2.1 * np.arange(len(TEST))) + rng.normal(0, 0.15, len(TEST)))
    confusion = _confusion_rows(rng, wanted)
    hits = confusion.diagonal().tolist()
    recalls = [_share(k, n, "Wilson", 1.0) for k, n in zip(hits, TEST, strict=True)]
    balanced = sum(recall["value"] for recall in recalls) / len(recalls)
    found = _share(sum(hits), sum(TEST), _BY_CLUSTER.format(TEST_SUBJECTS))
    return {
        "training": key,
        "accuracy": found,
        "balanced_accuracy": _around(balanced, 0.05, sum(TEST), "MOVER from Wilson limits of the recalls", 0.0),
        "per_class": recalls,
        "confusion": confusion.tolist(),
        "train_accuracy": int(rng.binomial(sum(POOL), 0.5 + accuracy / 2)) / sum(POOL),
        "history": _history(rng, found["value"], held_out),
    }


def _confusion_rows(rng: np.random.Generator, recalls: _Floats) -> _Ints:
    """Counts (C, C); what is not recognised goes to the other classes, more often to the frequent ones."""
    others = np.array(TEST, np.float64) * (1 - np.eye(len(TEST)))
    chances = (1 - recalls)[:, None] * others / others.sum(axis=1, keepdims=True)
    return rng.multinomial(np.array(TEST), chances + np.diag(recalls))


def _history(rng: np.random.Generator, accuracy: float, held_out: bool) -> list[_Made]:
    done = 1 - np.exp(-0.3 * np.arange(1, EPOCHS + 1))
    noise = rng.normal(0, 0.01, (4, EPOCHS))
    columns = {
        "train_loss": 2 - 1.7 * done + np.abs(noise[0]),
        "train_accuracy": np.rint(sum(POOL) * (0.14 + 0.8 * done + noise[1]).clip(0, 1)) / sum(POOL),
        "test_loss": 2 - 1.1 * done + np.abs(noise[2]),
        "test_accuracy": np.rint(sum(TEST) * (0.14 + (accuracy - 0.14) * done / done[-1])) / sum(TEST),
    }
    if held_out:
        columns["held_out_loss"] = columns["test_loss"] + 0.02 * np.arange(EPOCHS)
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


@cache
def _true_labels() -> _Ints:
    """Labels (N,) of the pool."""
    return np.repeat(np.arange(len(POOL)), POOL)


@cache
def _given(attack: str, rate: float, grid_seed: int, seed: int) -> _Ints:
    """Labels (N,) as they are trained on; the same for all cells of a label attack and a seed."""
    true = _true_labels()
    rng = np.random.default_rng([seed, grid_seed, len(attack), round(100 * rate)])
    step = rng.integers(1, len(POOL), len(true)) if attack == "symmetric" else 1
    return np.where(rng.random(len(true)) < rate, (true + step) % len(POOL), true)


def _corruption(given: _Ints) -> _Made:
    true = _true_labels()
    counts = np.zeros((len(POOL), len(POOL)))
    np.add.at(counts, (true, given), 1)
    wrong = int((given != true).sum())
    return {
        "rate": wrong / len(true),
        "corrupted_rows": wrong,
        "matrix": (counts / np.array(POOL)[:, None]).tolist(),
        "labels_sha256": hashlib.sha256(given.tobytes()).hexdigest(),
    }


def _memorisation(rng: np.random.Generator, wrong: npt.NDArray[np.bool_]) -> _Made:
    corrupted = int(wrong.sum())
    clean = len(wrong) - corrupted
    heart = rng.uniform(0.2, 0.7)
    counts = rng.multinomial(corrupted, [heart, 0.7 * (1 - heart), 0.3 * (1 - heart)]).tolist()
    method = _BY_CLUSTER.format(min(corrupted, POOL_SUBJECTS))
    names = ("memorised", "recovered", "neither")
    known = int(rng.binomial(clean, 0.9))
    shares = {name: _share(count, corrupted, method) for name, count in zip(names, counts, strict=True)}
    return {
        "corrupted_rows": corrupted,
        **shares,
        "clean_accuracy": _share(known, clean, _BY_CLUSTER.format(POOL_SUBJECTS)),
        "epochs": _memorised_by_epoch(counts, corrupted, known, clean),
    }


def _memorised_by_epoch(counts: Sequence[int], corrupted: int, known: int, clean: int) -> list[_Made]:
    """Memorised and recovered rows grow to their last counts, the latter sooner; the last epoch is those counts."""
    late, soon = (np.expm1(-speed * np.arange(1, EPOCHS + 1)) / np.expm1(-speed * EPOCHS) for speed in (0.15, 0.6))
    memorised, recovered = np.rint(counts[0] * late), np.rint(counts[1] * soon)
    columns = {
        "memorised": memorised / corrupted,
        "recovered": recovered / corrupted,
        "neither": (corrupted - memorised - recovered) / corrupted,
        "clean_accuracy": np.rint(known * soon) / clean,
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _privacy(rng: np.random.Generator, keys: list[str], accuracy: float, auc: float, given: _Ints, seed: int) -> _Made:
    rows = TARGETS * HALF
    by_row = _BY_CLUSTER.format(POOL_SUBJECTS)
    outside = max(0.15, accuracy - 0.1)
    member = int(rng.binomial(rows, min(0.99, outside + 1.5 * (auc - 0.45))))
    tested = TARGETS * sum(TEST)
    return {
        "trainings": keys,
        "references": TARGETS - 2,
        "queries": ["identity"],
        "member_accuracy": _share(member, rows, by_row),
        "nonmember_accuracy": _share(int(rng.binomial(rows, outside)), rows, by_row),
        "test_accuracy": _share(int(rng.binomial(tested, outside)), tested, _BY_CLUSTER.format(TEST_SUBJECTS)),
        "attacks": [_attack(rng, plugin, knows, min(0.95, auc + further), given) for plugin, knows, further in ATTACKS],
        "records": f"records/{keys[0][:8]}.csv",
        "exposed": [
            {"attack": _plugin(plugin), "unit": "row", "records": _exposed(rng, given, seed)}
            for plugin, _, _ in ATTACKS
        ],
    }


def _attack(rng: np.random.Generator, plugin: _Plugin, knows: str, auc: float, given: _Ints) -> _Made:
    aucs = rng.normal(auc, 0.03, TARGETS).clip(0.45, 0.98)
    accused = rng.uniform(0.2, 0.5, TARGETS)
    fp, tp = rng.binomial(HALF, accused), rng.binomial(HALF, _power(accused, aucs))
    rows, found, alarms = TARGETS * HALF, int(tp.sum()), int(fp.sum())
    method = _BY_CLUSTER.format(POOL_SUBJECTS)
    mean, roc = float(aucs.mean()), _roc(rng, float(aucs.mean()))
    strict = {name: _transferred(rng, mean, float(name)) for name in ("0.01", "0.001")}
    return {
        "attack": _plugin(plugin),
        "threat_model": knows,
        "auc": _around(mean, 0.03, 2 * rows, _BOOTSTRAP, 0.0),
        "auc_spread": float(aucs.std(ddof=1)),
        "tpr_at_fpr": {
            "0.01": _around(roc["tpr"][int(0.01 * HALF)], 0.02, rows, _BOOTSTRAP, 0.0),
            "0.001": _unknown(HALF, _UNRESOLVED),
        },
        "confusion": _counts(found, alarms, rows),
        "fpr": _share(alarms, rows, method),
        "fnr": _share(rows - found, rows, method),
        "tpr": _share(found, rows, method),
        "advantage": _around((found - alarms) / rows, 0.06, 2 * rows, _LINEARISED, -1.0),
        "transferred": strict,
        "epsilon": _epsilon(strict["0.01"]),
        "roc": roc,
        "targets": [
            _target(rng, place, *one)
            for place, one in enumerate(zip(aucs.tolist(), tp.tolist(), fp.tolist(), strict=True))
        ],
        "slices": _slices(rng, mean, given),
        "record_stability": float(rng.uniform(-0.2, 0.6)),
    }


def _power(fpr: _Floats, auc: _Floats | float) -> _Floats:
    """TPR at each FPR where scores are normal with one variance (binormal ROC)."""
    power: _Floats = ndtr(ndtri(fpr) + math.sqrt(2) * ndtri(auc))
    return power


def _roc(rng: np.random.Generator, auc: float) -> _Made:
    members = TARGETS * HALF
    drawn = np.rint(members * _power(_FPR, auc) + rng.normal(0, 6, len(_FPR))).clip(0, members)
    drawn[-1] = members
    tpr = np.maximum.accumulate(drawn) / members
    half = 0.01 + 1.96 * np.sqrt(_DESIGN_EFFECT * tpr * (1 - tpr) / members)
    return {
        "fpr": _FPR.tolist(),
        "tpr": tpr.tolist(),
        "low": (tpr - half).clip(0, 1).tolist(),
        "high": (tpr + half).clip(0, 1).tolist(),
        "confidence": 0.95,
        "method": _BOOTSTRAP,
    }


def _transferred(rng: np.random.Generator, auc: float, wanted: float) -> _Made:
    rows, method = TARGETS * HALF, _BY_CLUSTER.format(POOL_SUBJECTS)
    found, alarms = (int(rng.binomial(rows, chance)) for chance in (_power(np.array(wanted), auc), wanted))
    return {
        "confusion": _counts(found, alarms, rows),
        "fpr": _share(alarms, rows, method),
        "tpr": _share(found, rows, method),
    }


def _epsilon(strict: _Made) -> _Made:
    """Of pure differential privacy, from limits of the rates: TPR <= exp(epsilon) FPR."""
    low, high = strict["tpr"]["low"], strict["fpr"]["high"]
    return {
        "lower_bound": max(0.0, math.log(low / high)) if low > 0 else 0.0,
        "cap": 2.6878575171946353,
        "delta": 1e-5,
        "confidence": 0.95,
        "unit": "subject",
        "members": POOL_SUBJECTS // 2,
        "nonmembers": POOL_SUBJECTS // 2,
        "method": "Clopper-Pearson, one decision a cluster, 2 thresholds set on references",
    }


def _target(rng: np.random.Generator, place: int, auc: float, tp: int, fp: int) -> _Made:
    return {
        "target": place,
        "auc": _around(auc, 0.05, 2 * HALF, _BOOTSTRAP.partition(", stretched")[0], 0.0),
        "threshold": float(rng.normal(0.5, 0.1)),
        "confusion": _counts(tp, fp, HALF),
    }


def _slices(rng: np.random.Generator, auc: float, given: _Ints) -> list[_Made]:
    wrong = int((given != _true_labels()).sum())
    families: dict[str, dict[str, int]] = {
        "class": {str(label): int((given == label).sum()) for label in range(len(POOL))},
        "intensity": GROUPS,
        "labels": {"clean": len(given) - wrong, "corrupted": wrong} if wrong else {},
    }
    groups = [(family, group, rows) for family, found in families.items() for group, rows in found.items()]
    shifts = rng.normal(0, 0.04, len(groups))
    errors = 0.5 / np.sqrt(np.array([rows for *_, rows in groups]))
    p_values = 2 * ndtr(-np.abs(shifts) / errors)
    known = np.array([rows >= LEAST_ROWS for *_, rows in groups])
    adjusted = iter(holm(p_values[known]).tolist())
    return [
        _slice(rng, *group, auc, shift, (p, next(adjusted)) if told else None)
        for group, shift, p, told in zip(groups, shifts.tolist(), p_values.tolist(), known.tolist(), strict=True)
    ]


def _slice(
    rng: np.random.Generator,
    family: str,
    group: str,
    rows: int,
    auc: float,
    shift: float,
    p: tuple[float, float] | None,
) -> _Made:
    decisions, method = rows * TARGETS // 2, _BY_CLUSTER.format(min(rows, POOL_SUBJECTS))
    inside = min(max(auc + shift, 0.4), 0.98)
    unknown = _unknown(rows, f"not resolvable (needs at least {LEAST_ROWS // 2} members, has {rows // 2})")
    return {
        "family": family,
        "group": group,
        "rows": rows,
        "auc": _around(inside, 0.07, rows, _LINEARISED, 0.0) if p else unknown,
        "tpr": _share(int(rng.binomial(decisions, inside)), decisions, method),
        "fpr": _share(int(rng.binomial(decisions, 1 - inside)), decisions, method),
        "difference": _around(inside - auc, 0.07, sum(POOL), _LINEARISED, -1.0) if p else unknown,
        "p_value": p[0] if p else None,
        "p_adjusted": p[1] if p else None,
    }


def _exposed(rng: np.random.Generator, given: _Ints, seed: int) -> list[_Made]:
    """The most exposed rows; much the same in all cells, as what makes a row stand out lies in its picture."""
    rows = np.argsort(_standing_out(seed) + rng.normal(0, 0.5, len(given)))[-EXPOSED:]
    exposures = 1 - np.sort(rng.exponential(0.02, EXPOSED)).clip(0, 0.4)
    targets = TARGETS // 2
    wrong = given != _true_labels()
    return [
        {
            "id": _key(seed, "row", row)[:10],
            "label": int(given[row]),
            "corrupted": bool(wrong[row]),
            "member_targets": targets,
            "true_positives": int(rng.integers(targets // 2, targets + 1)),
            "exposure": exposure,
            "exposure_sd": float(rng.uniform(0, 0.05)),
            "nonmember_exposure": float(rng.uniform(0.3, 0.8)),
        }
        for row, exposure in zip(rows.tolist(), exposures.tolist(), strict=True)
    ]


@cache
def _standing_out(seed: int) -> _Floats:
    return np.random.default_rng([seed, 7]).normal(0, 1, sum(POOL))


def _comparisons(rng: np.random.Generator, cells: Sequence[Cell]) -> list[_Made]:
    """Each cell less the first, and less its twins without augmentation, with clean labels and without a defence."""
    done = {cell.id: cell for cell in cells if cell.status == "done"}
    found: list[_Made] = []
    for cell in done.values():
        defended = "" if cell.defence == "none" else f"{cell.defence}/"
        plain = f"{cell.model}/none/{defended}{cell.label_attack}/seed{cell.seed}"
        clean = f"{cell.model}/{cell.augmentation}/{defended}none/seed{cell.seed}"
        undefended = f"{cell.model}/{cell.augmentation}/{cell.label_attack}/seed{cell.seed}"
        for other in dict.fromkeys((cells[0].id, plain, clean, undefended)):
            if other in done and other != cell.id:
                found += _differences(rng, cell, done[other])
    return found


def _differences(rng: np.random.Generator, cell: Cell, other: Cell) -> list[_Made]:
    one, two = cell.utility, other.utility
    if one is None or two is None or cell.privacy is None or other.privacy is None:
        return []
    pairs: list[tuple[str, Any, Any, Any]] = [
        ("accuracy", None, one.accuracy, two.accuracy),
        ("balanced_accuracy", None, one.balanced_accuracy, two.balanced_accuracy),
    ]
    attacks = zip(cell.privacy.attacks, other.privacy.attacks, strict=True)
    pairs += [("auc", mine.attack, mine.auc, theirs.auc) for mine, theirs in attacks]
    halves = rng.uniform(0.02, 0.06, len(pairs)).tolist()
    return [
        {
            "metric": metric,
            "attack": attack,
            "cell": cell.id,
            "baseline": other.id,
            "difference": _around(mine.value - theirs.value, half, mine.n, f"paired {_BOOTSTRAP}", -1.0),
        }
        for (metric, attack, mine, theirs), half in zip(pairs, halves, strict=True)
    ]


def _matched(cells: Sequence[Cell]) -> list[_Made]:
    """Cells against the two private ones without augmentation between whose accuracies they lie."""
    known = [cell for cell in cells if cell.utility and cell.privacy]
    lines: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in known:
        if cell.guarantee and cell.augmentation == "none":
            lines.setdefault((cell.model, cell.label_attack, cell.seed), []).append(cell)
    found: list[_Made] = []
    for cell in known:
        line = sorted(lines.get((cell.model, cell.label_attack, cell.seed), []), key=_balanced)
        for below, above in itertools.pairwise(line):
            if not cell.guarantee and _balanced(below) <= _balanced(cell) < _balanced(above):
                found += _matched_pair(cell, below, above)
    return found


def _balanced(cell: Cell) -> float:
    return (cell.utility.balanced_accuracy.value or 0.0) if cell.utility else 0.0


def _matched_pair(cell: Cell, below: Cell, above: Cell) -> list[_Made]:
    share = (_balanced(cell) - _balanced(below)) / (_balanced(above) - _balanced(below))
    trios = zip(*(one.privacy.attacks if one.privacy else [] for one in (cell, below, above)), strict=True)
    values = [(mine.attack, *((one.auc.value or 0.0) for one in (mine, low, high))) for mine, low, high in trios]
    return [
        {
            "metric": "auc",
            "attack": attack,
            "cell": cell.id,
            "accuracy": _balanced(cell),
            "below": below.id,
            "above": above.id,
            "share": share,
            "reference": (reference := (1 - share) * low + share * high),
            "difference": _around(mine - reference, 0.05, sum(POOL), f"paired {_BOOTSTRAP}", -1.0),
        }
        for attack, mine, low, high in values
    ]


def _noise_curves(cells: Sequence[Cell]) -> list[_Made]:
    chains: dict[tuple[str, str, str], dict[str, list[Cell]]] = {}
    for cell in cells:
        treated = cell.model, cell.augmentation, cell.defence
        chains.setdefault(treated, {}).setdefault(cell.label_attack, []).append(cell)
    kinds: dict[str, list[str]] = {}
    for plugin in filter(None, LABEL_ATTACKS):
        kinds.setdefault(plugin[0], []).append(_label(plugin))
    curves = []
    for (model, augmentation, defence), by_labels in chains.items():
        for kind, names in kinds.items():
            points = [by_labels[name] for name in ("none", *names) if name in by_labels]
            if len(points) > 1 and "none" in by_labels:
                named = {"model": model, "augmentation": augmentation, "defence": defence, "kind": kind}
                curves.append({**named, **_curve(points)})
    return [curve for curve in curves if curve["points"]]


def _curve(points: Sequence[Sequence[Cell]]) -> _Made:
    """Points of the seeds that have them all."""
    measured = [{cell.seed: cell for cell in cells if cell.utility} for cells in points]
    seeds = sorted(set.intersection(*(set(found) for found in measured)))
    left_out = sorted({cell.seed for cells in points for cell in cells} - set(seeds))
    whole = [[found[seed] for seed in seeds] for found in measured] if seeds else []
    made = [_point(cells, whole[0]) for cells in whole]
    width = made[-1]["rate"] if made else 0.0
    return {
        "points": made,
        "area": _area(made, "accuracy", width),
        "balanced_area": _area(made, "balanced_accuracy", width),
        "note": f"without seeds {', '.join(map(str, left_out))}, which lack a point" if left_out else "",
    }


def _point(cells: Sequence[Cell], clean: Sequence[Cell]) -> _Made:
    found = {}
    for name, drop in (("accuracy", "drop"), ("balanced_accuracy", "balanced_drop")):
        value, before = (_mean([getattr(cell.utility, name).value for cell in some]) for some in (cells, clean))
        found[name] = _around(value, 0.05 / math.sqrt(len(cells)), sum(TEST), _BOOTSTRAP, 0.0)
        found[drop] = (
            {"value": 0.0, "note": "clean labels are what the others are compared with"}
            if cells is clean
            else _around(before - value, 0.06 / math.sqrt(len(cells)), sum(TEST), _BOOTSTRAP, -1.0)
        )
    rate = _mean([cell.noise_rate for cell in cells])
    return {"rate": rate, "label_attack": cells[0].label_attack, "seeds": len(cells), **found}


def _area(points: Sequence[_Made], name: str, width: float) -> _Made:
    """Of the trapezoids between points."""
    if not points:
        return _unknown(0, "no seed has all points")
    area = sum(
        (right["rate"] - left["rate"]) * (left[name]["value"] + right[name]["value"]) / 2
        for left, right in itertools.pairwise(points)
    )
    return _around(area / width, 0.04, sum(TEST), _BOOTSTRAP, 0.0)


def _cost(rng: np.random.Generator, model: str) -> _Made:
    """Blocks of convolution, batch norm and activation; as many as models of the package have."""
    side, layers = 48, []
    for block in range(int(rng.integers(15, 176))):
        side = max(3, side - block % 12 // 11)
        layers += _block(block, side, int(rng.integers(8, 128)))
    total = {key: sum(layer[key] for layer in layers) for key in ("params_total", "params_trainable", "macs", "flops")}
    scale = (224 // 48) ** 2
    return {
        "model": model,
        "image_size": 48,
        **total,
        "reference_size": 224,
        "reference_macs": scale * total["macs"],
        "reference_flops": scale * total["flops"],
        "tf_profiler": round(1.01 * total["flops"]),
        "keras_flops": round(1.03 * total["flops"]),
        "fvcore": round(1.02 * total["macs"]),
        "activation_peak_bytes": 2 * max(layer["activation_bytes"] for layer in layers),
        "activation_output_bytes": sum(layer["activation_bytes"] for layer in layers),
        "keras_file_bytes": 5 * total["params_total"],
        "layers": layers,
    }


def _block(block: int, side: int, channels: int) -> list[_Made]:
    weights = 9 * channels
    kinds = (
        ("conv", "Conv2D", weights, weights, weights * side * side),
        ("bn", "BatchNormalization", 4 * channels, 2 * channels, 0),
        ("relu", "Activation", 0, 0, 0),
    )
    return [
        {
            "name": f"block{block}_{name}",
            "kind": kind,
            "output_shape": [side, side, channels],
            "params_total": total,
            "params_trainable": trainable,
            "macs": macs,
            "flops": 2 * macs,
            "activation_bytes": 4 * side * side * channels,
        }
        for name, kind, total, trainable, macs in kinds
    ]


def _dataset() -> _Made:
    sizes = (("train", POOL, POOL_SUBJECTS), ("test", TEST, TEST_SUBJECTS), ("population", POOL, POOL_SUBJECTS))
    pool, test, population = (
        {"rows": sum(rows), "per_class": list(rows), "subjects": subjects} for _, rows, subjects in sizes
    )
    pairs = list(itertools.combinations((name for name, *_ in sizes), 2))
    no_copies: _Made = {"groups": 0, "rows": 0, "conflicting_groups": 0, "across": {}}
    blind = {"seed": None, "telling": "brightness of tile 8", "telling_auc": 0.55, "found": False}
    return {
        "plugin": _plugin(("synthface", {"rows": sum(POOL), "test_rows": sum(TEST)})),
        "classes": list(CLASSES),
        "image_size": 48,
        "digest": hashlib.sha256(b"synthface").hexdigest(),
        "drawn": True,
        "pool": pool,
        "test": test,
        "population": population,
        "hygiene": {
            "exact": no_copies,
            "near": no_copies,
            "shared_subjects": {f"{one} and {other}": 0 for one, other in pairs},
            "blind": [
                {**blind, "one": one, "other": other, "auc": _around(0.52, 0.08, 912, "DeLong by unit", 0.0)}
                for one, other in pairs
            ],
            "remarks": [],
        },
    }


def _provenance(seeds: list[int]) -> _Made:
    optimizer = {"name": "adamw", "learning_rate": 0.005, "weight_decay": 0.0001, "schedule": "cosine"}
    text = "# Made-up numbers: nothing was trained.\nname: simulated\n"
    return {
        "fer_audit": "0.1.0",
        "python": "3.11.7",
        "packages": {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "1.26.4"},
        "platform": "Linux x86_64",
        "grid_text": text,
        "grid_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "recipe": {"image_size": 48, "epochs": EPOCHS, "batch_size": 32, "optimizer": optimizer},
        "seeds": seeds,
    }


def _record(rng: np.random.Generator, cells: Sequence[Cell], models: Sequence[str]) -> _Made:
    keys = [cell.utility.training for cell in cells if cell.utility]
    keys += [key for cell in cells if cell.privacy for key in cell.privacy.trainings]
    seconds = dict(zip(keys, rng.uniform(10, 60, len(keys)).round(3).tolist(), strict=True))
    return {
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-08T00:00:00+00:00",
        "seconds": round(sum(seconds.values()) / 2, 1),
        "command": "fer-audit run experiments/simulated.yaml",
        "machine": "2 cores, Linux",
        "workers": 2,
        "trained": len(keys),
        "failed": sum(cell.status == "failed" for cell in cells),
        "training_seconds": seconds,
        "latencies": [_latency(rng, model, batch) for model in models for batch in (1, 32)],
    }


def _latency(rng: np.random.Generator, model: str, batch: int) -> _Made:
    p50 = float(rng.uniform(2, 12)) * (1 + batch / 16)
    return {
        "model": model,
        "image_size": 48,
        "batch": batch,
        "p50_ms": p50,
        "p95_ms": 1.6 * p50,
        "images_per_s": 900 * batch / p50,
        "runs": 50 if batch == 1 else 20,
    }


def _label(plugin: _Plugin) -> str:
    name, params = plugin
    return f"{name}({', '.join(f'{key}={value}' for key, value in sorted(params.items()))})" if params else name


def _plugin(plugin: _Plugin) -> _Made:
    name, params = plugin
    return {"name": name, "params": params, "source": hashlib.sha256(name.encode()).hexdigest()}


def _key(seed: int, name: str, place: int) -> str:
    return hashlib.sha256(f"{seed} {name} {place}".encode()).hexdigest()


def _counts(tp: int, fp: int, rows: int) -> _Made:
    """Of as many members as non-members."""
    return {"tp": tp, "fp": fp, "fn": rows - tp, "tn": rows - fp}


def _share(hits: int, of: int, method: str, design_effect: float = _DESIGN_EFFECT) -> _Made:
    """A share with Wilson's limits at the effective size; `method` is what real results name."""
    low, high = wilson(hits / design_effect, of / design_effect)
    return {"value": hits / of, "low": low, "high": high, "n": of, "method": method}


def _around(value: float, half: float, n: int, method: str, least: float) -> _Made:
    """A number whose interval has that half width, within `least` and 1."""
    return {"value": value, "low": max(least, value - half), "high": min(1.0, value + half), "n": n, "method": method}


def _unknown(n: int, note: str) -> _Made:
    return {"value": None, "n": n, "note": note}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def main() -> None:
    """Writes the results of a simulated run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--defences", action="store_true", help="with defences, private training among them")
    options = parser.parse_args()
    results, record = simulate(options.cells, options.seed, DEFENCES if options.defences else (None,))
    options.folder.mkdir(parents=True, exist_ok=True)
    write_results(results, options.folder / "results.json")
    write_run(record, options.folder / "run.json")


if __name__ == "__main__":
    main()
