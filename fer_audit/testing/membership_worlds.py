"""Worlds that an attack is checked in: toy signals that have what it needs, and changes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import references_of
from fer_audit.attacks.membership_attack import Floats, MembershipAttack, Needs, Scored
from fer_audit.attacks.signals import Signals
from fer_audit.testing.toy_signals import toy_signals


@dataclass(frozen=True)
class _Size:
    """What an attack needs of a world, at least."""

    models: int
    queries: int


def _size(attack: MembershipAttack) -> _Size:
    """Target, complement and enough references in pairs; the queries that it needs or names, and one more."""
    needed, chosen = attack.needed(), attack.params.queries
    named = 0 if chosen == "all" else max(chosen) + 1
    return _Size(2 + 2 * math.ceil((needed.references + 2) / 2), max(3, needed.queries, named))


def world(attack: MembershipAttack, seed: int, *, models: int, rows: int, **how: float) -> Signals:
    """Toy signals with at least so many models, and with what the attack needs; `how` as `toy_signals` takes it."""
    size = _size(attack)
    return _drawn(seed, max(models, size.models), rows, tuple(sorted({"queries": size.queries, **how}.items())))


def writable_world(attack: MembershipAttack, seed: int, *, models: int, rows: int, **how: float) -> Signals:
    """Like `world`, in arrays that an attack that means to can write into."""
    size = _size(attack)
    return _draw(seed, max(models, size.models), rows, tuple(sorted({"queries": size.queries, **how}.items())))


def _draw(seed: int, models: int, rows: int, how: tuple[tuple[str, float], ...]) -> Signals:
    return toy_signals(seed, models=models, rows=rows, **{"classes": 4, "population": 60, **dict[str, Any](how)})


@cache
def _drawn(seed: int, models: int, rows: int, how: tuple[tuple[str, float], ...]) -> Signals:
    """Signals that serve many checks: their arrays lie in bytes, so that nothing can make them writable."""
    signals = _draw(seed, models, rows, how)
    for each in fields(signals):
        array = getattr(signals, each.name)
        object.__setattr__(signals, each.name, np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape))
    return signals


def ordinary(attack: MembershipAttack) -> Signals:
    """A world with a leak that is neither hidden nor plain."""
    return world(attack, 3, models=8, rows=200, leak=1.0)


def scores_of(attack: MembershipAttack, signals: Signals) -> Floats:
    """Scores (N,) of the first model, attacked as an audit does: its complement is no reference."""
    return attack.score(signals, 0, references=references_of(signals.keep, 0))


def take_rows(signals: Signals, index: npt.NDArray[np.intp]) -> Signals:
    """The signals of some rows, in that order."""
    return replace(
        signals,
        logits=signals.logits[:, index],
        keep=signals.keep[:, index],
        labels=signals.labels[index],
        subjects=_if(signals.subjects, lambda subjects: subjects[index]),
        loss_trace=_if(signals.loss_trace, lambda trace: trace[:, index]),
    )


def with_logits(signals: Signals, change: Callable[[Any], Any]) -> Signals:
    """The same `change` of all logits, as float64."""
    population = _if(signals.population_logits, lambda logits: change(logits.astype(np.float64)))
    return replace(signals, logits=change(signals.logits.astype(np.float64)), population_logits=population)


def with_ties(signals: Signals) -> Iterator[tuple[str, Signals]]:
    """The same rows where answers are alike: all of them, exactly and but for rounding, or many."""
    yield "logits that are all 0", with_logits(signals, np.zeros_like)
    # Where one other class is as likely as the label and no third one is, every confidence is exactly 0.
    population = _if(signals.population_labels, lambda labels: _undecided(signals.population_logits, labels))
    undecided = _undecided(signals.logits, signals.labels)
    yield "models that all waver between two classes", replace(signals, logits=undecided, population_logits=population)
    yield "logits that are whole numbers", with_logits(signals, np.round)


def _undecided(logits: Any, labels: npt.NDArray[np.int64]) -> Floats:
    """Logits of the shape of `logits` (M, K, Q, C): 0 for the label and for the class after it, else far below."""
    found = np.full(logits.shape, -1e30)
    rows = np.arange(len(labels))
    for label in (labels, (labels + 1) % logits.shape[3]):
        found[:, rows, :, label] = 0.0
    return found


def shuffled_references(signals: Signals) -> Signals:
    """The same target, with references that say of each row what they say of another one with its label.

    Whether they trained on a row goes with what they say, so that a member still looks like one.
    """
    rng = np.random.default_rng(0)
    order = np.arange(signals.rows)
    for label in np.unique(signals.labels):
        rows = np.flatnonzero(signals.labels == label)
        order[rows] = rng.permutation(rows)
    logits, keep = signals.logits.copy(), signals.keep.copy()
    others = list(references_of(signals.keep, 0))
    logits[others], keep[others] = logits[others][:, order], keep[others][:, order]
    return replace(signals, logits=logits, keep=keep)


def turned_population(signals: Signals) -> Signals:
    """The same signals, the population in another order."""
    return replace(
        signals,
        population_logits=_if(signals.population_logits, lambda logits: logits[:, ::-1]),
        population_labels=_if(signals.population_labels, lambda labels: labels[::-1]),
    )


def renamed_classes(signals: Signals) -> Signals:
    """The same signals with classes in another order, and labels to match."""
    order = np.roll(np.arange(signals.classes), 1)
    place = np.argsort(order)
    return replace(
        signals,
        logits=signals.logits[..., order],
        labels=place[signals.labels],
        population_logits=_if(signals.population_logits, lambda logits: logits[..., order]),
        population_labels=_if(signals.population_labels, lambda labels: place[labels]),
    )


def _if(value: Any, change: Callable[[Any], Any]) -> Any:
    return None if value is None else change(value)


def with_few(attack: MembershipAttack) -> Iterator[tuple[str, Callable[[], Scored]]]:
    """Worlds in which there is little of something, and the attack on each."""
    signals = ordinary(attack)
    references = references_of(signals.keep, 0)

    def scored(changed: Signals, chosen: tuple[int, ...] = references) -> Callable[[], Scored]:
        return lambda: attack.scored(changed, 0, references=chosen)

    yield "a class without rows", scored(with_logits(signals, _one_class_more))
    lonely = signals.labels.copy()
    lonely[lonely == 0] = 1
    lonely[0] = 0
    yield "a class with one row", scored(replace(signals, labels=lonely))
    keep = signals.keep.copy()
    keep[2::2] = False
    # Pairs of one member and of all others, each with another member.
    keep[np.arange(2, len(keep), 2), np.arange(2, len(keep), 2)] = True
    keep[3::2] = ~keep[2::2]
    yield "references with one member", scored(replace(signals, keep=keep))
    yield "one reference", scored(signals, references[:1])
    yield "five rows", scored(take_rows(signals, _mixed_rows(signals)))
    yield "no subjects", scored(replace(signals, subjects=None))
    yield "no population", scored(replace(signals, population_logits=None, population_labels=None))


def _one_class_more(logits: Floats) -> Floats:
    return np.concatenate([logits, logits[..., :1]], axis=-1)


def _mixed_rows(signals: Signals) -> npt.NDArray[np.intp]:
    """Five rows of different people, among which every model has members and non-members."""
    rng = np.random.default_rng(0)
    first = np.unique(np.asarray(signals.subjects), return_index=True)[1]
    while True:
        index = rng.choice(first, 5, replace=False)
        members = signals.keep[:, index].sum(axis=1)
        if members.min() > 0 and members.max() < len(index):
            return index


def replaced(needed: Needs, signals: Signals, other: Signals) -> Iterator[tuple[str, Signals]]:
    """The signals with one thing that is needed as it is in `other`."""
    if needed.references:
        references = replace(signals, logits=np.concatenate([signals.logits[:1], other.logits[1:]]))
        if signals.loss_trace is not None and other.loss_trace is not None:
            trace = np.concatenate([signals.loss_trace[:1], other.loss_trace[1:]])
            references = replace(references, loss_trace=trace)
        yield "references", references
    if needed.population:
        population = other.population_logits, other.population_labels
        yield "the population", replace(signals, population_logits=population[0], population_labels=population[1])
    if needed.queries > 1:
        logits = signals.logits.copy()
        logits[:, :, 1:] = other.logits[:, :, 1:]
        yield "further queries", replace(signals, logits=logits)
    if needed.loss_trace:
        trace = np.concatenate([np.asarray(other.loss_trace)[:1], np.asarray(signals.loss_trace)[1:]])
        yield "the losses of every epoch", replace(signals, loss_trace=trace)
    if needed.subjects:
        subjects = np.random.default_rng(0).permutation(np.asarray(signals.subjects))
        yield "subjects", replace(signals, subjects=subjects)
