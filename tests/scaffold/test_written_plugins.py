"""What `fer-audit new` writes, under short and long names, passes our own rules, the kit and its own tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from fer_audit.scaffold.new_files import write_new
from fer_audit.scaffold.plugin_name import PluginName
from fer_audit.scaffold.template import TEMPLATES

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "pyproject.toml"
LONGEST = 40


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders `short` and `long` with a plug-in of every kind, the names as short and as long as they may be."""
    root = tmp_path_factory.mktemp("written")
    for letter, template in zip("abcde", TEMPLATES, strict=True):
        for folder, name in (("short", letter), ("long", f"{template.word}-{'x' * LONGEST}"[:LONGEST])):
            write_new(root / folder, template.files(PluginName(name)))
    return root


def run(*arguments):
    """Exit code 0, or everything that was said."""
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    return done.returncode and f"{done.stdout}{done.stderr}"


def test_ruff_has_nothing_to_say(written):
    assert run("ruff", "check", "--no-cache", "--config", SETTINGS, written) == 0
    assert run("ruff", "format", "--no-cache", "--config", SETTINGS, "--diff", written) == 0


def test_mypy_has_nothing_to_say(written):
    assert run("mypy", "--strict", "--config-file", SETTINGS, *sorted(written.glob("*/*.py"))) == 0


@pytest.mark.release
def test_their_own_tests_pass_with_the_kit(written):
    """Warnings are errors, as in our own tests; `parametrize_checks` in each file runs the kit."""
    tests = sorted(written.glob("long/test_*.py"))
    assert len(tests) == len(TEMPLATES)
    assert run("pytest", "-q", "-c", SETTINGS, "-p", "no:cacheprovider", *tests) == 0
