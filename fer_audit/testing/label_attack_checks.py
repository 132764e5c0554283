"""What every label attack must do."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fer_audit.attacks.label_attack import Corruption, LabelAttack, realised_matrix
from fer_audit.errors import FerAuditError
from fer_audit.testing.check import CheckFailed, NotApplicable, Rule, Subject, require
from fer_audit.testing.global_chance import global_seed
from fer_audit.testing.toy_labels import ToyLabels, toy_labels

#: Rates that are tried. An attack may refuse the higher ones, as where a matrix can't be scaled so far.
_RATES = (0.2, 0.3, 0.5)
#: States of the generator that a rate is measured with.
_SEEDS = range(5)
#: Share of binomial counts that pass.
_CENTRAL = 0.9999
#: Rows, where their number matters little.
_FEW = 420


def labels_are_valid_in_any_dataset(subject: Subject) -> str:
    """Labels are int64 (N,) within the classes, also where there are few rows or classes.

    Where a dataset is too small for the attack, raise a FerAuditError that says what it needs. Count classes by
    `len(context.classes)`, not by the labels that are there.
    """
    attack, refused = subject.make(), []
    for what, toy in _datasets().items():
        try:
            attack(toy.labels, toy.context(0))
        except FerAuditError as error:
            if what == "all classes" or not _is_refusal(error):
                raise CheckFailed(f"with {what}: {error}") from error
            refused.append(what)
    return f"{len(_datasets())} datasets" + (f", refuses {' and '.join(refused)}" if refused else "")


def the_record_says_what_was_done(subject: Subject) -> str:
    """The recorded rows, rate and matrix are those of the labels, and stay so when the attack is asked again.

    Return a new array from `corrupt`; one that the attack keeps and writes to again changes what was recorded.
    """
    attack, toy = subject.make(), _few()
    found = attack(toy.labels, toy.context(0))
    attack(toy.labels, toy.context(1))
    differs = found.labels != toy.labels
    require(bool(np.array_equal(found.corrupted, differs)), "expected the record to mark the rows whose label changed")
    require(found.rate == differs.mean(), f"expected the rate {differs.mean():.3f} of changed rows, not {found.rate}")
    matrix = realised_matrix(toy.labels, found.labels, len(toy.classes))
    require(bool(np.allclose(found.matrix, matrix)), "expected the matrix P(given | true) of the labels")
    sums = found.matrix.sum(axis=1)
    wanted = np.isin(np.arange(len(toy.classes)), toy.labels)
    require(bool(np.allclose(sums, wanted)), f"expected rows of the matrix that sum to 1, or 0 where empty, not {sums}")
    return f"{differs.sum()} of {_FEW} rows"


def inputs_are_not_mutated(subject: Subject) -> None:
    """Labels, images, subjects and tables of the context are the same afterwards.

    `labels` is a copy that may be changed; copy whatever else you write to.
    """
    toy = _few()
    labels, codes = toy.labels.copy(), {"toy": dict(enumerate(toy.classes))}
    arrays: dict[str, Any] = {name: np.array(getattr(toy, name)) for name in ("images", "subjects")}
    subject.make()(labels, toy.context(0, codes=codes, **arrays))
    require(bool(np.array_equal(labels, toy.labels)), "expected the true labels unchanged, they were written to")
    for name, array in arrays.items():
        require(bool(np.array_equal(array, getattr(toy, name))), f"expected {name} unchanged, they were written to")
    require(codes == {"toy": dict(enumerate(toy.classes))}, "expected the codes unchanged, they were written to")


def no_test_row_is_used(subject: Subject) -> None:
    """The test rows stay as they are, and what they are changes no label of the train split.

    Accuracy is measured on the test rows. They may be compared with a list, for a remark; nothing else.
    """
    attack, toy = subject.make(), _few()
    test_labels = toy.test_labels.copy()
    found = attack(toy.labels, toy.context(0, test_labels=test_labels))
    require(bool(np.array_equal(test_labels, toy.test_labels)), "expected the test labels unchanged, they were not")
    others: Mapping[str, Mapping[str, Any]] = {
        "other test labels": {"test_labels": (toy.test_labels + 1) % len(toy.classes)},
        "unknown test labels": {"test_labels": None},
        "no test rows": {"test_labels": None, "test_names": ()},
    }
    for what, changes in others.items():
        _require_same(found, attack(toy.labels, toy.context(0, **changes)), f"with {what}")


def chance_comes_from_the_generator_alone(subject: Subject) -> None:
    """The same state of `context.rng` gives the same labels, whatever was asked before and whatever else is seeded.

    Draw from `context.rng` only: no generator that is kept, none that is made without a seed, no global one.
    """
    attack, toy = subject.make(), _few()
    with global_seed(1):
        found = attack(toy.labels, toy.context(0))
        attack(toy.labels, toy.context(1))
        _require_same(found, attack(toy.labels, toy.context(0)), "when it had been asked for others before")
    with global_seed(2):
        _require_same(found, attack(toy.labels, toy.context(0)), "with NumPy's and Python's global generators reseeded")
        _require_same(found, subject.make()(toy.labels, toy.context(0)), "from a fresh plug-in")


def another_generator_state_gives_other_labels(subject: Subject) -> str:
    """Other states of `context.rng` corrupt other rows, unless the attack is a rule that knows no chance.

    Draw from `context.rng`, not from a generator with a seed of its own: repetitions would all be the same.
    """
    attack, toy = subject.make(), _few()
    found = [attack(toy.labels, toy.context(seed)) for seed in _SEEDS]
    if not any(each.corrupted.any() for each in found):
        raise NotApplicable("nothing is corrupted with these parameters")
    different = {each.labels.tobytes() for each in found}
    if len(different) == 1:
        _require_a_rule(attack, toy, found[0])
    return f"{len(different)} of {len(found)} differ"


def realised_rate_is_within_its_interval(subject: Subject) -> str:
    """No row is corrupted at rate 0; at .2, .3 and .5 the count lies in the central 99.99 % of its binomial.

    Corrupt the rows whose uniform draw lies below the rate, and never give the true class. Where `rate` means something
    else on purpose, say so in the docstring and expect this failure.
    """
    _needs(subject, "rate")
    toy = toy_labels()
    none = subject.make(rate=0.0)(toy.labels, toy.context(0)).corrupted.sum()
    require(none == 0, f"expected no corrupted row at rate 0, received {none}")
    rates = _possible(subject, toy)
    told = [_measured(subject.make(rate=rate), rate, toy) for rate in rates]
    told += [f"rate {rate} is refused" for rate in _RATES if rate not in rates]
    return f"{', '.join(told)}; {len(_SEEDS)} x {len(toy.labels):,} rows"


def exact_rate_is_hit(subject: Subject) -> str:
    """With `exact` exactly round(rate * N) rows are corrupted.

    Corrupt the rows with the lowest draws (`fer_audit.attacks.flips.flips`); round once, over all rows.
    """
    _needs(subject, "rate", "exact")
    toy = toy_labels()
    rates = _possible(subject, toy, exact=True)
    for rate in rates:
        attack = subject.make(rate=rate, exact=True)
        for seed in _SEEDS:
            count, wanted = attack(toy.labels, toy.context(seed)).corrupted.sum(), round(rate * len(toy.labels))
            require(count == wanted, f"rate {rate}: expected exactly {wanted} corrupted rows, received {count}")
    return f"at {', '.join(map(str, rates))}"


def higher_rates_corrupt_the_same_rows_and_more(subject: Subject) -> str:
    """From one state of `context.rng` the rows that a lower rate corrupts are among those of a higher rate.

    Draw the same numbers in the same order at every rate, and only then compare them with it: the curve over rates is
    then one of more noise, not of other noise, and its differences are paired.
    """
    _needs(subject, "rate")
    toy = _few()
    rates = _possible(subject, toy)
    if len(rates) < 2:
        raise NotApplicable(f"only rate {rates[0]} is possible")
    for seed in _SEEDS:
        found = [subject.make(rate=rate)(toy.labels, toy.context(seed)).corrupted for rate in rates]
        for low, high, some, more in zip(rates, rates[1:], found, found[1:], strict=False):
            lost = int((some & ~more).sum())
            require(lost == 0, f"{lost} of {some.sum()} rows corrupted at rate {low} are clean at rate {high}")
            require(more.sum() > some.sum(), f"expected more corrupted rows at rate {high} than at {low}, not as many")
    return f"{' < '.join(map(str, rates))}"


CHECKS: tuple[Rule, ...] = (
    labels_are_valid_in_any_dataset,
    the_record_says_what_was_done,
    inputs_are_not_mutated,
    no_test_row_is_used,
    chance_comes_from_the_generator_alone,
    another_generator_state_gives_other_labels,
    realised_rate_is_within_its_interval,
    exact_rate_is_hit,
    higher_rates_corrupt_the_same_rows_and_more,
)


def result_digest(plugin: LabelAttack) -> str:
    """SHA-256 (hex) of the labels that `plugin` gives 420 toy rows, and of its remarks."""
    toy = _few()
    found = plugin(toy.labels, toy.context(0))
    digest = hashlib.sha256(np.ascontiguousarray(found.labels, "<i8").data)
    digest.update("\n".join(found.remarks).encode())
    return digest.hexdigest()


def _few() -> ToyLabels:
    return toy_labels().take(np.arange(_FEW))


def _datasets() -> dict[str, ToyLabels]:
    """Datasets that an attack may meet; it may refuse all but the first."""
    toy = _few()
    return {
        "all classes": toy,
        "unknown subjects": replace(toy, subjects=None),
        "a class without rows": toy.take(np.flatnonzero(toy.labels != 4)),
        "2 classes": toy.take(np.flatnonzero(toy.labels < 2), toy.classes[:2]),
        "rows of one class": toy.take(np.flatnonzero(toy.labels == 3)),
        "one row": toy.take(np.arange(1)),
    }


def _is_refusal(error: FerAuditError) -> bool:
    """Whether the author's method raised `error` itself; others are raised around it, about what it did."""
    return any(frame.name == "corrupt" for frame in traceback.extract_tb(error.__traceback__))


def _require_same(found: Corruption, again: Corruption, when: str) -> None:
    changed = int((found.labels != again.labels).sum())
    require(changed == 0, f"expected the same labels {when}, received {changed} other ones of {len(found.labels)}")


def _require_a_rule(attack: LabelAttack, toy: ToyLabels, found: Corruption) -> None:
    """Raises NotApplicable where a row's label follows from the row, CheckFailed where it follows from its place."""
    order = np.random.default_rng(1).permutation(len(toy.labels))
    mixed = toy.take(order)
    again = attack(mixed.labels, mixed.context(0)).labels
    require(
        bool(np.array_equal(again, found.labels[order])),
        f"expected other labels from other states of the generator, received the same from {len(_SEEDS)}; they follow "
        "from the place of a row in the dataset, as those of a generator with a fixed seed do",
    )
    raise NotApplicable("the attack knows no chance: a row's label follows from the row")


def _needs(subject: Subject, *names: str) -> None:
    """Raises NotApplicable unless the attack has parameters of these names."""
    missing = [name for name in names if name not in subject.cls.Params.model_fields]
    if missing:
        raise NotApplicable(f"the attack has no parameter {missing[0]!r}")


def _possible(subject: Subject, toy: ToyLabels, **changes: Any) -> list[float]:
    """The rates that the attack does not refuse; the lowest is not up to it; raises FerAuditError."""
    found = []
    for rate in _RATES:
        attack = subject.make(rate=rate, **changes)
        try:
            attack(toy.labels, toy.context(0))
        except FerAuditError as error:
            if rate == _RATES[0] or not _is_refusal(error):
                raise
        else:
            found.append(rate)
    return found


def _measured(attack: LabelAttack, rate: float, toy: ToyLabels) -> str:
    """Rate and realised rate; raises CheckFailed where one of the counts, or their sum, is not binomial."""
    counts = [int(attack(toy.labels, toy.context(seed)).corrupted.sum()) for seed in _SEEDS]
    for count in counts:
        _require_binomial(count, len(toy.labels), rate)
    _require_binomial(sum(counts), len(counts) * len(toy.labels), rate)
    return f"rate {rate}: {sum(counts) / (len(counts) * len(toy.labels)):.3f}"


def _require_binomial(count: int, rows: int, rate: float) -> None:
    from scipy.stats import binom

    low, high = (int(end) for end in binom.interval(_CENTRAL, rows, rate))
    received = f"{count:,} ({count / rows:.3f})"
    require(
        low <= count <= high,
        f"rate {rate}: expected {low:,} to {high:,} corrupted of {rows:,} rows, received {received}",
    )
