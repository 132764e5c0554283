"""Each check of label attacks catches the mistake that it is for, and none a right attack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from fer_audit.attacks.label_attack import LabelAttack, LabelContext, Labels
from fer_audit.errors import PluginError
from fer_audit.plugins import Parameters
from fer_audit.registry import Registry
from fer_audit.testing import Check, CheckFailed, NotApplicable, Subject, load_subjects, run_checks
from fer_audit.testing.label_attack_checks import CHECKS, result_digest


class Right(LabelAttack):
    """The next class, at a rate."""

    name = "right"

    class Params(Parameters):
        """How much."""

        rate: float = Field(0.2, ge=0, le=1)
        exact: bool = False

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        return self.replaced(labels, self.struck(len(labels), context), context)

    def struck(self, count: int, context: LabelContext) -> np.ndarray:
        draws = self.draws(count, context)
        return np.argsort(np.argsort(draws)) < self.most(count) if self.params.exact else draws < self.params.rate

    def most(self, count: int) -> int:
        return round(self.params.rate * count)

    def draws(self, count: int, context: LabelContext) -> np.ndarray:
        return context.rng.random(count)

    def replaced(self, labels: Labels, struck: np.ndarray, context: LabelContext) -> Labels:
        return np.where(struck, (labels + 1) % len(context.classes), labels)


class Rule(LabelAttack):
    """Fear is called surprise where the image is dark: no chance, no rate."""

    name = "rule"

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        if len(context.classes) < 7:
            raise PluginError("expected all expressions")
        dark = context.shown().mean(axis=(1, 2, 3)) < 128
        return np.where(dark & (labels == context.index("fear")), context.index("surprise"), labels)


class Clean(LabelAttack):
    """Nothing is changed."""

    name = "clean"

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        return labels


class SevenClasses(Right):
    """Takes it that there are seven."""

    def replaced(self, labels, struck, context):
        return np.where(struck, (labels + 1) % 7, labels)


class CountsLabels(Right):
    """Takes it that all classes have rows."""

    def replaced(self, labels, struck, context):
        following = np.roll(np.arange(len(np.unique(labels))), -1)
        return np.where(struck, following[labels], labels)


class Narrow(Right):
    """Has another type."""

    def corrupt(self, labels, context):
        return super().corrupt(labels, context).astype(np.int32)


class NeedsSubjects(Right):
    """Takes it that people are known."""

    def draws(self, count, context):
        return context.rng.random(context.subjects.max() + 1)[context.subjects]


class Refuses(Right):
    """Can do nothing."""

    def corrupt(self, labels, context):
        raise PluginError("expected better labels")


class KeepsItsArray(Right):
    """Returns the array that it keeps."""

    def corrupt(self, labels, context):
        self.kept = getattr(self, "kept", np.empty_like(labels))
        self.kept[:] = super().corrupt(labels, context)
        return self.kept


class WritesImages(Right):
    """Makes what is read-only writable."""

    def draws(self, count, context):
        context.images.flags.writeable = True
        context.images[0] = 0
        return super().draws(count, context)


class WritesCodes(Right):
    """Changes a table."""

    def draws(self, count, context):
        context.codes.clear()
        return super().draws(count, context)


class ReadsTestLabels(Right):
    """Looks at the test rows."""

    def draws(self, count, context):
        skipped = 0 if context.test_labels is None else int(context.test_labels[0])
        return context.rng.random(count + skipped)[skipped:]


class CountsTestRows(Right):
    """Looks at how many test rows there are."""

    def draws(self, count, context):
        return context.rng.random(count + len(context.test_names))[-count:]


class WritesTestLabels(Right):
    """Corrupts the test labels too."""

    def draws(self, count, context):
        if context.test_labels is not None:
            context.test_labels.flags.writeable = True
            context.test_labels[:] = 0
        return super().draws(count, context)


class Unseeded(Right):
    """Makes a generator without a seed."""

    def draws(self, count, context):
        return np.random.default_rng().random(count)


class Global(Right):
    """Draws from NumPy's global generator."""

    def draws(self, count, context):
        return np.random.random(count)  # noqa: NPY002


class SeedsGlobal(Right):
    """Seeds NumPy's global generator."""

    def draws(self, count, context):
        np.random.seed(int(context.rng.integers(1000)))  # noqa: NPY002
        return np.random.random(count)  # noqa: NPY002


class KeepsGenerator(Right):
    """Goes on with a generator of its own."""

    def draws(self, count, context):
        self.rng = getattr(self, "rng", context.rng)
        return self.rng.random(count)


class FixedSeed(Right):
    """The same rows, whatever the generator."""

    def draws(self, count, context):
        return np.random.default_rng(0).random(count)


class TrueClassToo(Right):
    """Any class replaces the label, the true one too."""

    def replaced(self, labels, struck, context):
        return np.where(struck, context.rng.integers(0, len(context.classes), len(labels)), labels)


class SomeAtZero(Right):
    """A rate of 0 is not 0."""

    def draws(self, count, context):
        return super().draws(count, context) - 0.001


class Alternates(Right):
    """Right on average only."""

    def draws(self, count, context):
        return super().draws(count, context) + context.rng.choice([-0.1, 0.1]) * (self.params.rate > 0)


class ExactByChance(Right):
    """`exact` changes nothing."""

    def struck(self, count, context):
        return self.draws(count, context) < self.params.rate


class RoundsUp(Right):
    """One row too many."""

    def most(self, count):
        return int(np.ceil(self.params.rate * count))


class RoundsDown(Right):
    """One row too few."""

    def most(self, count):
        return int(self.params.rate * count)


class OtherRows(Right):
    """Other rows at another rate."""

    def draws(self, count, context):
        return np.random.default_rng([context.rng.integers(1000), int(100 * self.params.rate)]).random(count)


class NeverMore(Right):
    """As many rows at any rate but 0."""

    def struck(self, count, context):
        return self.draws(count, context) < 0.2 * (self.params.rate > 0)


#: Broken attack, the check that catches it, and how.
BROKEN = [
    (SevenClasses, "labels_are_valid_in_any_dataset", r"with 2 classes: .*within 0\.\.1, received 2"),
    (CountsLabels, "labels_are_valid_in_any_dataset", "with a class without rows: .*IndexError"),
    (Narrow, "labels_are_valid_in_any_dataset", "with all classes: .*received int32"),
    (NeedsSubjects, "labels_are_valid_in_any_dataset", "with unknown subjects: .*AttributeError"),
    (Refuses, "labels_are_valid_in_any_dataset", "with all classes: expected better labels"),
    (KeepsItsArray, "the_record_says_what_was_done", "expected the record to mark the rows"),
    (WritesImages, "inputs_are_not_mutated", "expected images unchanged"),
    (WritesCodes, "inputs_are_not_mutated", "expected the codes unchanged"),
    (ReadsTestLabels, "no_test_row_is_used", r"with other test labels, received \d+ other ones of 420"),
    (CountsTestRows, "no_test_row_is_used", "with no test rows"),
    (WritesTestLabels, "no_test_row_is_used", "expected the test labels unchanged"),
    (Unseeded, "chance_comes_from_the_generator_alone", "when it had been asked for others before"),
    (Global, "chance_comes_from_the_generator_alone", "when it had been asked for others before"),
    (SeedsGlobal, "chance_comes_from_the_generator_alone", "expected no use of NumPy's global generator"),
    (KeepsGenerator, "chance_comes_from_the_generator_alone", "when it had been asked for others before"),
    (FixedSeed, "another_generator_state_gives_other_labels", "received the same from 5; they follow from the place"),
    (TrueClassToo, "realised_rate_is_within_its_interval", r"rate 0\.2: expected .* rows, received .*\(0\.1\d\d\)"),
    (SomeAtZero, "realised_rate_is_within_its_interval", "no corrupted row at rate 0, received"),
    (Alternates, "realised_rate_is_within_its_interval", r"rate 0\.2: expected \d+ to \d+ corrupted of 2,002 rows"),
    (ExactByChance, "exact_rate_is_hit", r"rate 0\.2: expected exactly 400 corrupted rows"),
    (RoundsUp, "exact_rate_is_hit", "expected exactly 400 corrupted rows, received 401"),
    (RoundsDown, "exact_rate_is_hit", r"rate 0\.3: expected exactly 601 corrupted rows, received 600"),
    (OtherRows, "higher_rates_corrupt_the_same_rows_and_more", r"corrupted at rate 0\.2 are clean at rate 0\.3"),
    (NeverMore, "higher_rates_corrupt_the_same_rows_and_more", r"expected more corrupted rows at rate 0\.3"),
]


def check(cls: type[LabelAttack], name: str, params: Mapping[str, Any] | None = None) -> Check:
    found = {rule.__name__: rule for rule in CHECKS}
    return Check(found[name], Subject(cls, params or {}))


@pytest.mark.parametrize(("cls", "name", "reason"), BROKEN, ids=[cls.__name__ for cls, *_ in BROKEN])
def test_a_broken_attack_is_caught(cls: type[LabelAttack], name: str, reason: str) -> None:
    with pytest.raises(CheckFailed, match=reason):
        check(cls, name)()


def test_every_check_catches_something() -> None:
    assert {name for _, name, _ in BROKEN} == {rule.__name__ for rule in CHECKS}


@pytest.mark.parametrize("rule", CHECKS)
def test_a_right_attack_passes(rule: Any) -> None:
    assert Check(rule, Subject(Right))() is not None


@pytest.mark.parametrize("rule", CHECKS)
def test_checks_say_what_must_hold_and_where_to_look(rule: Any) -> None:
    found = Check(rule, Subject(Right))
    assert found.about.endswith(".")
    assert found.advice.endswith(".")


def test_a_rule_without_chance_or_rate_skips_what_is_about_them() -> None:
    skipped = {}
    for rule in CHECKS:
        try:
            Check(rule, Subject(Rule))()
        except NotApplicable as reason:
            skipped[rule.__name__] = str(reason)
    assert skipped == {
        "another_generator_state_gives_other_labels": "the attack knows no chance: a row's label follows from the row",
        "realised_rate_is_within_its_interval": "the attack has no parameter 'rate'",
        "exact_rate_is_hit": "the attack has no parameter 'rate'",
        "higher_rates_corrupt_the_same_rows_and_more": "the attack has no parameter 'rate'",
    }


def test_what_a_small_dataset_can_not_give_may_be_refused() -> None:
    assert check(Rule, "labels_are_valid_in_any_dataset")() == "6 datasets, refuses 2 classes"


def test_nothing_corrupted_tells_nothing_of_chance() -> None:
    with pytest.raises(NotApplicable, match="nothing is corrupted"):
        check(Clean, "another_generator_state_gives_other_labels")()


def test_rates_that_can_not_be_reached_are_told() -> None:
    transition = Registry.load().get("label-attack", "transition")
    said = check(transition, "realised_rate_is_within_its_interval", {"preset": "resup-us"})()
    assert said.endswith("rate 0.5 is refused; 5 x 2,002 rows")
    assert "rate 0.3: 0." in said


def test_the_digest_is_that_of_the_labels() -> None:
    assert result_digest(Right()) == result_digest(Right()) != result_digest(Right(rate=0.3))


def test_a_list_conforms(label_list: dict[str, Any]) -> None:
    subject = Subject(Registry.load().get("label-attack", "file"), label_list)
    for rule in CHECKS:
        try:
            Check(rule, subject)()
        except NotApplicable as reason:
            assert rule.__name__.startswith(("another", "realised", "exact", "higher")), reason  # noqa: PT017


def test_an_attack_in_a_folder_passes_the_whole_kit(tmp_path: Path) -> None:
    (tmp_path / "swap.py").write_text(
        '''
import numpy as np
from fer_audit.attacks.label_attack import LabelAttack
from fer_audit.plugins import Parameters

class Swap(LabelAttack):
    """The class before, at a rate. Source: none."""

    name = "swap"

    class Params(Parameters):
        """How much."""

        rate: float = 0.2

    def corrupt(self, labels, context):
        return np.where(context.rng.random(len(labels)) < self.params.rate, (labels - 1) % len(context.classes), labels)
'''
    )
    verdicts = list(run_checks(load_subjects(tmp_path / "swap.py")[0]))
    assert {verdict.check.name: verdict.said for verdict in verdicts if verdict.status != "ok"} == {
        "exact_rate_is_hit": "the attack has no parameter 'exact'"
    }
