"""Each check of every plug-in, whatever its kind, catches the fault that it is meant for."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.plugins import Parameters
from fer_audit.testing import Check, CheckFailed, NotApplicable, Subject, load_subjects, plugin_checks
from fer_audit.testing.plugin_checks import CHECKS


class Right(Augmentation):
    """Adds one grey level. Source: this test."""

    name = "right"

    class Params(Parameters):
        """Parameters."""

        strength: int = 1
        names: tuple[str, ...] = ("a", "b")

    params: Params

    def apply(self, images, labels, rng):
        return images + 1, labels.copy()


class Demanding(Right):
    """It must be told. Source: this test."""

    class Params(Parameters):
        """Parameters."""

        strength: int


class Lenient(Right):
    """It takes anything. Source: this test."""

    class Params(BaseModel):
        """Parameters."""

        strength: int = 1


class Soft(Right):
    """Its parameters may be changed. Source: this test."""

    class Params(BaseModel, extra="forbid"):
        """Parameters."""

        strength: int = 1


class Rounded(Right):
    """What it is told is not what it writes. Source: this test."""

    class Params(Parameters):
        """Parameters."""

        strength: int = 1

        def model_dump(self, **how):
            return {"strength": self.strength + 1}


class Silent(Right):
    """Where it comes from nobody knows, and the source of all: nothing is."""


class Undocumented(Right):
    name = "undocumented"


class Overriding(Right):
    """It checks by itself. Source: this test."""

    def __call__(self, images, labels, rng):
        return self.apply(images, labels, rng)


class Counting(Right):
    """It counts its calls. Source: this test."""

    calls: ClassVar[list[int]] = []

    def apply(self, images, labels, rng):
        self.calls.append(1)
        return images + len(self.calls) % 100, labels.copy()


CAUGHT = {
    Demanding: ("parameters_have_defaults", "strength has none"),
    Lenient: ("unknown_parameters_are_refused", "it was accepted"),
    Soft: ("unknown_parameters_are_refused", "expected frozen parameters, 'strength' could be changed"),
    Rounded: ("parameters_survive_json", "from its own JSON, received"),
    Silent: ("docstring_names_its_source", "expected 'Source: ...'"),
    Undocumented: ("docstring_names_its_source", "expected a docstring on Undocumented"),
    Overriding: ("only_the_authors_methods_are_written", "Overriding overrides '__call__' of Augmentation"),
    Counting: ("same_seed_same_result", "when the plug-in is asked again"),
}

HASHING = '''
from fer_audit.augmentations.augmentation import Augmentation

print("told at import")


class Hashing(Augmentation):
    """{about} Source: this test."""

    name = "hashing"

    def apply(self, images, labels, rng):
        print("told in a call")
        return images + {shift}, labels.copy()
'''


def checked(name, subject):
    return Check(getattr(plugin_checks, name), subject)()


@pytest.mark.parametrize("cls", CAUGHT, ids=lambda cls: cls.__name__)
def test_a_fault_is_caught(cls):
    name, said = CAUGHT[cls]
    with pytest.raises(CheckFailed) as caught:
        checked(name, Subject(cls))
    assert said in str(caught.value)


def test_every_check_catches_something():
    meant = {name for name, _ in CAUGHT.values()} | {"rebuilt_in_a_fresh_process"}
    assert meant == {rule.__name__ for rule in CHECKS}


@pytest.mark.parametrize("rule", CHECKS, ids=lambda rule: rule.__name__)
def test_a_right_plugin_passes(rule):
    if rule.__name__ == "rebuilt_in_a_fresh_process":
        with pytest.raises(NotApplicable, match="no plug-in folder"):
            Check(rule, Subject(Right))()
    else:
        Check(rule, Subject(Right))()


@pytest.fixture
def written(tmp_path):
    def write(about, shift):
        (tmp_path / "hashing.py").write_text(HASHING.format(about=about, shift=shift))
        return load_subjects(Path(tmp_path / "hashing.py"))[0]

    return write


def test_a_plugin_that_depends_on_a_hash_is_caught(written):
    with pytest.raises(CheckFailed, match="the same result in a fresh process"):
        checked("rebuilt_in_a_fresh_process", written("Its shift is a hash.", "hash('shift') % 50"))


def test_what_a_plugin_prints_is_no_answer(written, capsys):
    checked("rebuilt_in_a_fresh_process", written("Its shift is one.", "1"))
    assert "told in a call" not in capsys.readouterr().out
