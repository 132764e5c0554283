"""The kit itself: every way of being wrong is caught by the check that is meant for it, and what is right passes."""

from pathlib import Path

import pytest

from fer_audit.testing import load_subjects, run_checks
from fer_audit.testing.membership_attack_checks import CHECKS

SUBJECTS = {subject.cls.name: subject for subject in load_subjects(Path(__file__).parent / "broken_attacks")}

#: Plug-in -> the check that is meant to catch it, what it says, and whether no other check sees the fault.
CAUGHT = {
    "inverted": ("larger_means_member", "the sign looks inverted", False),
    "peeking": ("target_membership_is_unused", "do not depend on the target's members", False),
    "nan": ("ties_are_kept", "waver between two classes", False),
    "ordered": ("row_order_is_irrelevant", "rows in another order", True),
    "unseeded": ("same_seed_same_result", "asked again", False),
    "tuned": ("target_membership_is_unused", "do not depend on the target's members", False),
    "writing": ("inputs_are_left_alone", "'labels'", False),
    "misshapen": ("scores_are_finite_numbers", "must return float64 scores of shape (200,)", False),
    "overflowing": ("extreme_logits_give_numbers", "logits times 1000", True),
    "deaf": ("needs_are_used", "the population, which `needs` names", True),
    "crowding": ("scores_rows_apart_is_true", "in the same order", True),
    "silent": ("few_of_anything_are_handled", "a note of the fallback", True),
    "counting": ("class_names_are_irrelevant", "classes in another order", True),
    "first": ("reference_order_is_irrelevant", "references in another order", False),
    "hoarding": ("same_seed_same_result", "asked again", False),
    "sourceless": ("docstring_names_its_source", "expected 'Source: ...'", True),
    "whispering": ("chance_where_nothing_leaks", "expected a mean AUC of .5", False),
    "adding": ("references_help", "an AUC that is no lower with references", True),
    "tallying": ("counts_of_references_are_unused", "standard errors above", False),
    "saturated": ("confident_answers_are_told_apart", "different scores of certain models", True),
    "trespassing": ("target_membership_is_unused", "such as the complement", False),
    "straying": ("only_the_chosen_queries_are_seen", "changed with another one", True),
    "stale": ("earlier_targets_leave_no_trace", "the scores of a fresh attack", True),
    "named": ("names_of_subjects_are_irrelevant", "could not convert string to float", False),
    "personal": ("a_subject_has_one_score", "expected one score for each person", True),
    "greedy": ("an_audit_gets_through", "IndexError", False),
    "crashing": ("few_of_anything_are_handled", "a class with one row: expected scores or a SignalsError", True),
}


def failures(name):
    return {verdict.check.name: verdict.said for verdict in run_checks(SUBJECTS[name]) if verdict.status == "failed"}


def test_every_broken_attack_is_in_the_table():
    assert set(CAUGHT) | {"honest"} == set(SUBJECTS)


def test_every_check_catches_something():
    assert {meant for meant, _, _ in CAUGHT.values()} >= {rule.__name__ for rule in CHECKS}


def test_a_right_attack_passes_everything():
    assert failures("honest") == {}


@pytest.mark.parametrize("name", CAUGHT)
def test_a_broken_attack_is_caught_by_the_check_that_is_meant_for_it(name):
    meant, said, alone = CAUGHT[name]
    found = failures(name)
    assert said in found.get(meant, "passed"), found
    assert not alone or list(found) == [meant], found
