"""The kit in pytest, with expected failures."""

import re
import subprocess
import sys

import pytest

PLUGIN = '''
from fer_audit.augmentations.augmentation import Augmentation


class Quiet(Augmentation):
    """Does nothing. Source: this test."""

    name = "quiet"

    def apply(self, images, labels, rng):
        return images.copy(), labels.copy()
'''
TEST = """
from pathlib import Path

from fer_audit.testing import Check, parametrize_checks

@parametrize_checks(Path(__file__).with_name("quiet.py"), expected_failures={expected})
def test_quiet_conforms(check: Check) -> None:
    check()
"""
NOTHING_TO_DRAW = {"another_generator_state_gives_another_batch": "it draws nothing"}


@pytest.fixture
def run(tmp_path):
    def run(expected):
        (tmp_path / "quiet.py").write_text(PLUGIN)
        (tmp_path / "test_quiet.py").write_text(TEST.format(expected=expected))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rA",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "test_quiet.py",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stdout

    return run


def outcome(text, check):
    [found] = re.findall(rf"^(PASSED|FAILED|XFAIL) .*\[{check}\]", text, re.MULTILINE)
    return found


def test_an_expected_failure_is_none(run):
    code, text = run(NOTHING_TO_DRAW)
    assert code == 0, text
    assert outcome(text, "another_generator_state_gives_another_batch") == "XFAIL"
    assert outcome(text, "labels_stay_probabilities") == "PASSED"
    assert "no parameter can be 0" in text  # strength_zero_changes_nothing is skipped, with its reason
    assert "1 skipped, 1 xfailed" in text


def test_without_a_reason_it_fails_and_says_where_to_look(run):
    code, text = run({})
    assert code == 1
    assert outcome(text, "another_generator_state_gives_another_batch") == "FAILED"
    assert "Draw from `rng`, not from a generator with a seed of its own" in text


def test_a_reason_for_what_passes_fails(run):
    code, text = run({**NOTHING_TO_DRAW, "labels_stay_probabilities": "outdated"})
    assert code == 1
    assert outcome(text, "labels_stay_probabilities") == "FAILED"
    assert "[XPASS(strict)] outdated" in text


def test_a_reason_for_no_check_is_refused(run):
    code, text = run({"labels_stay_probabilitys": "misspelt"})
    assert code == 2
    assert "did you mean 'labels_stay_probabilities'?" in text


def test_a_reason_that_says_nothing_is_refused(run):
    code, text = run({"another_generator_state_gives_another_batch": " "})
    assert code == 2
    assert "needs a reason" in text
