"""What a membership attack must do, checked on signals whose truth is known.

Everything is drawn from fixed seeds, so a verdict never changes. The bounds of `chance_where_nothing_leaks` are those
of a test that a right attack fails once in more than ten thousand plug-ins.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import audit, references_of
from fer_audit.attacks.membership_attack import Floats, MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.errors import FerAuditError, SignalsError
from fer_audit.testing.check import CheckFailed, NotApplicable, Rule, Subject, raised, require
from fer_audit.testing.membership_comparisons import auc_of, require_same, standardised, swapped
from fer_audit.testing.membership_worlds import (
    ordinary,
    renamed_classes,
    replaced,
    scores_of,
    shuffled_references,
    take_rows,
    turned_population,
    with_few,
    with_logits,
    with_ties,
    world,
    writable_world,
)

#: A leak that nobody could miss: members are nearly always classified as their label says, others nearly never.
#: Members' answers to different queries agree, too.
_PLANTED: dict[str, Any] = {
    "models": 16,
    "rows": 300,
    "leak": 10.0,
    "confidence": -4.0,
    "spread": 0.5,
    "steady": 0.9,
}
_LEAST_AUC = 0.9

#: Rows that differ in difficulty far more than membership changes, which is what references are for.
_DIFFICULT: dict[str, Any] = {"models": 8, "rows": 600, "leak": 2.0, "spread": 3.0}
_SLACK = 0.03

#: The negative control: draws, and where its two tests alarm.
_DRAWS = 24
_ALARM_DEVIATIONS = 4.0  # two-sided p = 6e-5
_ALARM_P = 5e-5


def result_digest(plugin: MembershipAttack) -> str:
    """SHA-256 (hex) of the scores of a small leaky world."""
    return hashlib.sha256(scores_of(plugin, ordinary(plugin)).tobytes()).hexdigest()


def scores_are_finite_numbers(subject: Subject) -> None:
    """Scores are float64, one a row, and finite on ordinary answers.

    Return `np.asarray(..., np.float64)` of shape (view.rows,) from `infer`.
    """
    attack = subject.make()
    scores = scores_of(attack, ordinary(attack))
    infinite = int(np.isinf(scores).sum())
    require(not infinite, f"expected finite scores on ordinary answers, received {infinite} infinite of {len(scores)}")
    for classes in (2, 7):
        scores_of(attack, world(attack, 4, models=6, rows=100, leak=1.0, classes=classes))
    if attack.needed().queries == 1 and attack.params.queries == "all":
        scores_of(attack, world(attack, 4, models=6, rows=100, leak=1.0, queries=1))


def larger_means_member(subject: Subject) -> str:
    """A leak that nobody could miss is found: the AUC is above .9.

    Look at the sign of what `infer` returns: larger must mean more likely a member, so a loss has to be negated. An
    attack on something that does not leak in the toy world is what `expected_failures` is for.
    """
    attack = subject.make()
    signals = world(attack, 0, **_PLANTED)
    found = auc_of(attack, scores_of(attack, signals), signals)
    hint = "; the sign looks inverted" if found < 0.5 else ""
    require(
        found > _LEAST_AUC, f"expected an AUC above {_LEAST_AUC} where members stand out, received {found:.3f}{hint}"
    )
    return f"AUC {found:.3f}"


def chance_where_nothing_leaks(subject: Subject) -> str:
    """Over many draws in which nothing leaks, the AUC is one half on average and scatters as chance does.

    The score knows something of membership that no model said: look for what depends on the target's members.
    """
    from scipy.stats import chi2

    attack = subject.make()
    aucs, deviations = _nothing_leaks(attack, _DRAWS, paired=True)
    mean, shift = float(aucs.mean()), float(deviations.sum() / math.sqrt(_DRAWS))
    scatter = float((deviations**2).sum())
    require(
        abs(shift) < _ALARM_DEVIATIONS,
        f"expected a mean AUC of .5 over {_DRAWS} draws, received {mean:.3f}, {abs(shift):.1f} standard errors away",
    )
    require(
        chi2.sf(scatter, _DRAWS) > _ALARM_P,
        f"expected AUCs that scatter as chance does over {_DRAWS} draws, received {scatter / _DRAWS:.1f} times the "
        "variance",
    )
    return f"mean AUC {mean:.3f} over {_DRAWS} draws"


def references_help(subject: Subject) -> str:
    """Where rows differ in difficulty, what references say of a row does not make the attack worse.

    A reference that is sure of a row makes it easy, not a member: subtract what references say, never add it.
    """
    attack = subject.make()
    if not attack.needed().references:
        raise NotApplicable("it needs no reference models")
    matched, shuffled = [], []
    for seed in (1, 2):
        signals = world(attack, seed, **_DIFFICULT)
        matched.append(auc_of(attack, scores_of(attack, signals), signals))
        mixed = shuffled_references(signals)
        shuffled.append(auc_of(attack, scores_of(attack, mixed), mixed))
    one, other = float(np.mean(matched)), float(np.mean(shuffled))
    require(
        one > other - _SLACK,
        f"expected an AUC that is no lower with references than with what they say of other rows, received {one:.3f} "
        f"and {other:.3f}",
    )
    return f"AUC {one:.3f}, {other:.3f} with what they say of other rows"


def confident_answers_are_told_apart(subject: Subject) -> str:
    """Models that are nearly certain of every label still give rows different scores.

    Stay on a log scale, in float64: 1 - 1e-9 is 1 in float32, and all rows tie.
    """
    attack = subject.make()
    usual = ordinary(attack)
    several = len(np.unique(scores_of(attack, usual)))
    units = usual.rows if attack.unit == "row" else len(np.unique(np.asarray(usual.subjects)))
    if several < units / 2:
        raise NotApplicable("it gives few different scores")
    certain = len(np.unique(scores_of(attack, world(attack, 3, models=8, rows=200, leak=1.0, confidence=20.0))))
    require(2 * certain > several, f"expected about {several} different scores of certain models, received {certain}")
    return f"{certain} scores of {units}"


def counts_of_references_are_unused(subject: Subject) -> str:
    """Where every row is in half of the models and nothing leaks, the attack does no better than chance.

    How many references trained on a row tells, in such data, whether the target did: compare means, never counts.
    """
    attack = subject.make()
    if not attack.needed().references:
        raise NotApplicable("it is shown no reference models")
    aucs, deviations = _nothing_leaks(attack, _DRAWS // 2, paired=False)
    mean, shift = float(aucs.mean()), float(deviations.sum() / math.sqrt(len(aucs)))
    # Below one half is known: a target's members are what its references lack, and a classifier learns the opposite.
    require(
        shift < _ALARM_DEVIATIONS,
        f"expected a mean AUC of at most .5 over {len(aucs)} draws, received {mean:.3f}, {shift:.1f} standard errors "
        "above",
    )
    return f"mean AUC {mean:.3f} over {len(aucs)} draws"


def target_membership_is_unused(subject: Subject) -> None:
    """Scores stay what they are when the rows that the target trained on are others.

    Score from the view alone: which rows the target trained on, and any threshold that depends on it, is the answer
    that the attack is tested on.
    """
    attack = subject.make()
    signals = ordinary(attack)
    references = references_of(signals.keep, 0)
    expected = attack.score(signals, 0, references=references)
    rng = np.random.default_rng(0)
    others = [~signals.keep[0], *(rng.permutation(signals.keep[0]) for _ in range(3))]
    for members in others:
        part = signals.take(range(signals.models))
        keep = signals.keep.copy()
        keep[0] = members
        # Checked signals would not take it: the complement of the target stays what it is.
        object.__setattr__(part, "keep", keep)
        changed = int((attack.score(part, 0, references=references) != expected).sum())
        require(
            not changed, f"expected scores that do not depend on the target's members, {changed} of {len(keep[0])} did"
        )
    left_out = [model for model in range(1, signals.models) if model not in references]
    logits = signals.logits.copy()
    logits[left_out] = 0
    same = np.array_equal(attack.score(replace(signals, logits=logits), 0, references=references), expected)
    require(same, "expected scores that do not depend on models that are no references, such as the complement")


def row_order_is_irrelevant(subject: Subject) -> None:
    """Rows in another order get the same scores.

    Let nothing depend on a row's place; what samples or fits rows sorts them first, as `attacks.attack_model.fit` does.
    """
    attack = subject.make()
    signals = ordinary(attack)
    order = np.random.default_rng(0).permutation(signals.rows)
    expected = scores_of(attack, signals)
    require_same(expected[order], scores_of(attack, take_rows(signals, order)), "rows in another order")
    require_same(expected, scores_of(attack, turned_population(signals)), "a population in another order")


def reference_order_is_irrelevant(subject: Subject) -> None:
    """Reference models in another order give the same scores.

    Put what references say together by a sum, a mean, a median or a rank.
    """
    attack = subject.make()
    if not attack.needed().references:
        raise NotApplicable("it needs no reference models")
    signals = ordinary(attack)
    references = list(references_of(signals.keep, 0))
    moved = attack.score(signals, 0, references=references[::-1])
    require_same(attack.score(signals, 0, references=references), moved, "references in another order")


def class_names_are_irrelevant(subject: Subject) -> None:
    """Classes in another order, with labels to match, give the same scores.

    Use labels only to pick the label's logit or to group rows, never as numbers.
    """
    attack = subject.make()
    signals = ordinary(attack)
    require_same(scores_of(attack, signals), scores_of(attack, renamed_classes(signals)), "classes in another order")


def ties_are_kept(subject: Subject) -> None:
    """Equal answers give equal scores, and answers that are all alike give numbers.

    Guard divisions by a spread that may be 0, and break no tie by a row's place or by chance.
    """
    attack = subject.make()
    signals = ordinary(attack)
    twice = np.tile(np.arange(signals.rows), 2)
    first, second = np.split(scores_of(attack, take_rows(signals, twice)), 2)
    require_same(first, second, "equal rows")
    for said, changed in with_ties(signals):
        _without_nan(attack, changed, said)


def extreme_logits_give_numbers(subject: Subject) -> None:
    """Logits of a thousand or of 1e30 give no NaN.

    Work in float64 and on a log scale: `view.phi` and `view.log_probability` do; exp(800) is infinite.
    """
    attack = subject.make()
    signals = ordinary(attack)
    for scale in (1e3, 1e30):
        _without_nan(attack, with_logits(signals, partial(np.multiply, scale)), f"logits times {scale:g}")


def few_of_anything_are_handled(subject: Subject) -> str:
    """An empty class, one member, one reference or no population give scores, or an error that says what is missing.

    Declare what the attack can't do without in `needs`, and `view.note` what it does instead of what is missing.
    """
    attack = subject.make()
    refused = []
    for said, scored in with_few(attack):
        try:
            found = scored()
        except SignalsError as error:
            require("\n" not in str(error), f"{said}: expected an error of one sentence, received {str(error)!r}")
            refused.append(said)
        except Exception as error:  # the author must learn which case it was
            told = raised(error, subject.file)
            raise CheckFailed(f"{said}: expected scores or a SignalsError, received {told}") from error
        else:
            require(not np.isnan(found.scores).any(), f"{said}: expected numbers, received NaN")
    _population_fallback_is_declared(attack)
    return f"refuses {', '.join(refused)}" if refused else "all are scored"


def needs_are_used(subject: Subject) -> str:
    """What the attack declares to need changes its scores.

    Take out of `needs` what `infer` does not use, or use it: a need that is not used keeps the attack from grids that
    could run it.
    """
    attack = subject.make()
    needed = attack.needed()
    signals = ordinary(attack)
    other = world(attack, 77, models=signals.models, rows=signals.rows, leak=1.0)
    changes = dict(replaced(needed, signals, other))
    if not changes:
        raise NotApplicable("it needs nothing but the target's answers")
    expected = scores_of(attack, signals)
    for what, changed in changes.items():
        require(
            not np.array_equal(scores_of(attack, changed), expected),
            f"expected scores that change with {what}, which `needs` names; they did not",
        )
    return ", ".join(changes)


def scores_rows_apart_is_true(subject: Subject) -> None:
    """An attack that says that it scores rows apart does: without half of the rows the others keep their order.

    Leave `scores_rows_apart` False where an attack learns from other rows: intervals then are as wide as they must be.
    One factor for all rows is no harm, as it leaves their order.
    """
    attack = subject.make()
    if not attack.scores_rows_apart:
        raise NotApplicable("it declares that scores may depend on other rows")
    # Of several queries a common factor would weigh each anew.
    one = attack if attack.needed().queries > 1 else subject.make(queries=[0])
    signals = ordinary(one)
    half = np.arange(0, signals.rows, 2)
    together, alone = scores_of(one, signals)[half], scores_of(one, take_rows(signals, half))
    moved = swapped(together, alone) + swapped(alone, together)
    require(not moved, f"expected half of the rows alone in the same order, {moved} of {len(half)} were not")


def a_subject_has_one_score(subject: Subject) -> None:
    """An attack on people gives all rows of a person one score.

    Set `unit = "subject"` only where each row gets the score of its person.
    """
    attack = subject.make()
    if attack.unit != "subject":
        raise NotApplicable("it scores rows")
    signals = ordinary(attack)
    scores, subjects = scores_of(attack, signals), np.asarray(signals.subjects)
    for person in np.unique(subjects):
        found = np.unique(scores[subjects == person])
        require(len(found) == 1, f"expected one score for each person, person {person} has {len(found)}")


def names_of_subjects_are_irrelevant(subject: Subject) -> None:
    """Subjects that are called by words get the scores that those called by numbers get.

    Use subjects to group rows (`np.unique`), never as numbers; without `needs.subjects` there may be none.
    """
    attack = subject.make()
    signals = ordinary(attack)
    words = replace(signals, subjects=np.char.add("person ", np.asarray(signals.subjects).astype(np.str_)))
    require_same(scores_of(attack, signals), scores_of(attack, words), "subjects with other names")


def earlier_targets_leave_no_trace(subject: Subject) -> None:
    """One attack object scores each target as a fresh one does, whatever it scored before.

    Keep nothing between two calls of `infer`; what one target taught must not help with the next.
    """
    attack = subject.make()
    first, other = ordinary(attack), world(attack, 78, models=8, rows=150, leak=1.0)
    for signals, target in ((first, 0), (other, 1), (first, 2), (first, 0)):
        references = references_of(signals.keep, target)
        expected = subject.make().score(signals, target, references=references)
        found = attack.score(signals, target, references=references)
        require(
            np.array_equal(found, expected), "expected the scores of a fresh attack, received others after a target"
        )


def only_the_chosen_queries_are_seen(subject: Subject) -> None:
    """With the parameter `queries` set to one query, answers to the others change nothing.

    Read answers from the view, which holds the chosen queries alone.
    """
    attack = subject.make()
    if attack.needed().queries > 1:
        raise NotApplicable("it needs several queries")
    one = subject.make(queries=[1])
    signals = ordinary(attack)
    logits = signals.logits.copy()
    logits[:, :, 0] = logits[:, ::-1, 0]
    same = np.array_equal(scores_of(one, signals), scores_of(one, replace(signals, logits=logits)))
    require(same, "expected scores that depend on the chosen query alone, they changed with another one")


def inputs_are_left_alone(subject: Subject) -> None:
    """Nothing is written into the signals.

    Copy what you change (`view.logits.copy()`); the arrays of a view are shared by all attacks.
    """
    attack = subject.make()
    signals = writable_world(attack, 5, models=6, rows=100, leak=1.0)
    names = [each.name for each in fields(signals)]
    before = {name: _bytes(getattr(signals, name)) for name in names}
    scores_of(attack, signals)
    for name, content in before.items():
        require(_bytes(getattr(signals, name)) == content, f"expected {name!r} as it was, the attack has changed it")


def an_audit_gets_through(subject: Subject) -> str:
    """A whole audit with thresholds, intervals and slices gets through.

    An audit attacks reference models too, to set the threshold, with fewer references than the target has.
    """
    attack = subject.make()
    signals = world(attack, 9, models=8, rows=200, leak=2.0)
    [result] = audit(signals, [attack], targets=[0, 3], resamples=50)
    require(result.auc.value is not None, f"expected an AUC, received none: {result.auc.note}")
    return f"AUC {result.auc.value:.2f}"


CHECKS: tuple[Rule, ...] = (
    scores_are_finite_numbers,
    larger_means_member,
    chance_where_nothing_leaks,
    counts_of_references_are_unused,
    references_help,
    confident_answers_are_told_apart,
    target_membership_is_unused,
    row_order_is_irrelevant,
    reference_order_is_irrelevant,
    class_names_are_irrelevant,
    ties_are_kept,
    extreme_logits_give_numbers,
    few_of_anything_are_handled,
    needs_are_used,
    scores_rows_apart_is_true,
    a_subject_has_one_score,
    names_of_subjects_are_irrelevant,
    earlier_targets_leave_no_trace,
    only_the_chosen_queries_are_seen,
    inputs_are_left_alone,
    an_audit_gets_through,
)


def _nothing_leaks(attack: MembershipAttack, draws: int, *, paired: bool) -> tuple[Floats, Floats]:
    """AUCs (D,) of draws without a leak, and how many standard deviations each is from one half."""
    found: list[tuple[float, float]] = []
    for seed in range(draws):
        signals = world(attack, 1000 + seed, models=8, rows=200, together=1, paired=paired)
        found.append(standardised(scores_of(attack, signals), signals.keep[0]))
    aucs, deviations = np.array(found).T
    return aucs, deviations


def _without_nan(attack: MembershipAttack, signals: Signals, what: str) -> None:
    try:
        scores_of(attack, signals)
    except FerAuditError as error:
        raise CheckFailed(f"{what}: {error}") from error


def _population_fallback_is_declared(attack: MembershipAttack) -> None:
    if attack.needed().population:
        return
    signals = ordinary(attack)
    references = references_of(signals.keep, 0)
    without = replace(signals, population_logits=None, population_labels=None)
    found = [attack.scored(each, 0, references=references) for each in (signals, without)]
    same = np.array_equal(found[0].scores, found[1].scores)
    require(
        same or len(found[1].notes) > len(found[0].notes),
        "no population: expected the same scores or a note of the fallback (`view.note`), received other scores alone",
    )


def _bytes(array: npt.NDArray[Any] | None) -> bytes:
    return b"" if array is None else np.ascontiguousarray(array).tobytes()
