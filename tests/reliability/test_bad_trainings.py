"""Trainings and attacks that go wrong in every way that a plug-in can: their cells fail, with the reason, alone.

What can't be isolated: attacks on labels and on membership run in the driver's own process, so that one of them that
ends the process (`os._exit`, a segmentation fault) ends the run, as a killed driver does; what was finished is kept.
"""

from __future__ import annotations

import os

import psutil
import pytest

BAD = '''
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.plugins import Parameters


class Bad(Augmentation):
    """Goes wrong, or does what a guest should not, in the second epoch; source: this test."""

    name = "bad"

    class Params(Parameters):
        how: str

    batches = 0  #: four an epoch

    def apply(self, images, labels, rng):
        self.batches += 1
        if self.batches == 5:
            return getattr(self, self.params.how)(images, labels) or (images, labels)
        return images, labels

    def raises(self, images, labels):
        raise ValueError("on purpose")

    def says_little(self, images, labels):
        raise ValueError

    def has_shapes(self, images, labels):
        return images[:-1], labels[:-1]

    def has_types(self, images, labels):
        return images / 255, labels

    def returns_text(self, images, labels):
        return "images", "labels"

    def diverges(self, images, labels):
        with np.errstate(all="ignore"):
            return images, labels / np.float32(0)

    def exits(self, images, labels):
        sys.exit(0)

    def raises_base(self, images, labels):
        raise BaseException("no exception, and yet")

    def interrupts(self, images, labels):
        raise KeyboardInterrupt

    def asks(self, images, labels):
        input("what now? ")

    def recurses(self, images, labels):
        self.recurses(images, labels)

    def allocates(self, images, labels):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (256 << 20), hard))
        try:
            kept = []
            while True:
                kept.append(np.ones(1 << 22))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    def vanishes(self, images, labels):
        os._exit(0)

    def segfaults(self, images, labels):
        os.kill(os.getpid(), signal.SIGSEGV)

    def forks_and_dies(self, images, labels):
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(3600)
        os._exit(0)

    def hangs(self, images, labels):
        time.sleep(3600)

    def prints(self, images, labels):
        for stream in (sys.stdout, sys.stderr):
            for _ in range(10 << 10):
                stream.write('{"event": "failed", "error": "not so"}'.ljust(1023) + "\\n")
            stream.flush()
        os.write(1, b'{"event": "done"}\\n')

    def closes(self, images, labels):
        os.close(0)
        os.close(1)

    def wanders(self, images, labels):
        os.chdir("/")

    def changes_environment(self, images, labels):
        os.environ.clear()
        os.environ.update(HOME="/nowhere", TMPDIR="/nowhere", PATH="/nowhere")

    def has_a_child(self, images, labels):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", "child of fer-audit tests"])
'''

#: What fails, and the words that its cell and the terminal say.
FAILING = {
    "raises": "ValueError: on purpose",
    "says_little": "ValueError",
    "has_shapes": "must return uint8 images of shape (30, 16, 16, 3), received uint8 (29, 16, 16, 3)",
    "has_types": "must return uint8 images of shape (30, 16, 16, 3), received float64 (30, 16, 16, 3)",
    "returns_text": "AttributeError: 'str' object has no attribute 'shape'",
    "diverges": "the loss became",
    "exits": "SystemExit: 0",
    "raises_base": "BaseException: no exception, and yet",
    "interrupts": "KeyboardInterrupt",
    "asks": "EOFError",
    "recurses": "RecursionError: maximum recursion depth exceeded",
    "allocates": "MemoryError",
}

#: What takes its worker with it, or has to be ended: it is tried again, or takes as long as the timeout.
DEADLY = {
    "vanishes": "its worker died with status 0",
    "segfaults": "its worker died with status -11",
    "forks_and_dies": "its worker died with status -9",
    "hangs": "no sign of its worker for",
}

#: What a guest should not do, and does not harm anyone.
HARMLESS = ("prints", "closes", "wanders", "changes_environment", "has_a_child")

GOOD = ("randaug", "mixup", "none")


def bad(*ways):
    return [{"name": "bad", "params": {"how": how}} for how in ways]


@pytest.fixture
def alone(grid):
    """The grid with one training a cell; what should fail at once and hangs does not take half an hour."""
    attacks, resources = {"labels": ["none"], "membership": []}, {"timeout_minutes": 2}
    return grid | {"seeds": [0], "attacks": attacks, "resources": resources, "plugins": ["plugins"]}


@pytest.fixture
def made(study, tmp_path):
    """Makes a study with the plug-ins of this test, and ends what they started."""
    yield lambda name, grid, plugins=BAD: study(tmp_path / name, grid, plugins=plugins)
    for process in psutil.process_iter(["cmdline"]):
        if "child of fer-audit tests" in (process.info["cmdline"] or []):
            process.kill()


def cells(results):
    """The cells by what tells them apart."""
    return {cell["augmentation"].removeprefix("bad(how=").removesuffix(")"): cell for cell in results["cells"]}


def numbers(cell):
    """What was measured of a cell, without the key of its training."""
    return {name: value for name, value in cell["utility"].items() if name != "training"}


def check_failed(how, words, results, end):
    """Its cell failed with the reason, and one line on the terminal said so when it did."""
    cell = cells(results)[how]
    assert cell["status"] == "failed", how
    assert words in cell["error"], cell["error"]
    [line] = [line for line in end.out.splitlines() if "] failed: " in line and f"(how={how})" in line]
    assert words in line, line


def test_what_goes_wrong_in_a_worker_fails_its_cell_only(made, alone):
    """Nothing here ends the one worker, which good and bad trainings share."""
    ways = [*bad(*FAILING, *HARMLESS)]
    study = made("bad", alone | {"augmentations": [ways[0], "randaug", *ways[1:], "mixup", "none"]})
    end = study.run("--workers=1")
    assert end.code == 3, end.said
    assert not end.err
    assert f"{len(FAILING)} of {len(FAILING) + len(HARMLESS) + 3} cells failed" in end.out
    for how, words in FAILING.items():
        check_failed(how, words, study.results, end)
    found = cells(study.results)
    assert all(found[name]["status"] == "done" for name in (*HARMLESS, *GOOD))
    for how in HARMLESS:
        assert numbers(found[how]) == numbers(found["none"]), how
    assert not orphans()
    study.check_undamaged()


@pytest.mark.release
def test_what_ends_its_worker_or_hangs_fails_its_cell_only_and_is_tried_again_by_the_next_run(made, alone):
    good = made("good", alone | {"augmentations": list(GOOD)})
    assert good.run("--workers=2").code == 0
    deadly, harmless = bad(*DEADLY), bad("prints", "closes", "wanders", "changes_environment", "has_a_child")
    mixed = [*deadly[:2], "randaug", *harmless[:3], *deadly[2:], "mixup", *harmless[3:], *bad("raises"), "none"]
    study = made("bad", alone | {"augmentations": mixed, "resources": {"timeout_minutes": 0.75}})
    end = study.run("--workers=2")
    assert end.code == 3, end.said
    assert not end.err
    for how, words in (DEADLY | {"raises": FAILING["raises"]}).items():
        check_failed(how, words, study.results, end)
    found, expected = cells(study.results), cells(good.results)
    assert len(found) == len(GOOD) + len(HARMLESS) + len(DEADLY) + 1
    for name in GOOD:
        assert found[name] == expected[name], name
    for how in HARMLESS:
        assert numbers(found[how]) == numbers(expected["none"]), how
    # Three attempts at each that took its worker with it, and one at all others.
    assert not any("not so" in cell["error"] for cell in found.values()), "the log of another training"
    lost = [line["title"] for line in study.attempts("lost")]
    assert {how for how in DEADLY if any(f"(how={how})" in title for title in lost)} == DEADLY.keys() - {"hangs"}
    assert not orphans()
    study.check_undamaged()
    # Of those that failed, the quick ones.
    study.write(alone | {"augmentations": [*bad("vanishes", "raises", *HARMLESS), *GOOD]})
    again = study.run("--workers=2")
    assert again.code == 3
    assert not again.err
    assert f"0 trained, {len(GOOD) + len(HARMLESS)} taken from the store, 2 failed" in again.out
    for how in ("vanishes", "raises"):
        check_failed(how, (DEADLY | FAILING)[how], study.results, again)
    assert all(found[name] == cell for name, cell in cells(study.results).items() if cell["status"] == "done")


def orphans():
    """Workers and their children that live after the run; those of other runs work elsewhere."""
    here = os.getpid()
    found = []
    for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
        words = process.info["cmdline"] or []
        if "child of fer-audit tests" in words and process.info["pid"] != here:
            found.append(process)
    return found


ATTACKS = '''
import os
import sys

import numpy as np

from fer_audit.attacks.label_attack import LabelAttack
from fer_audit.attacks.membership_attack import AttackParameters, MembershipAttack
from fer_audit.plugins import Parameters


def go_wrong(how):
    """What both kinds of attack do."""
    if how == "raises":
        raise ValueError("on purpose")
    if how == "exits":
        sys.exit(0)
    if how == "raises_base":
        raise BaseException("no exception, and yet")
    if how == "recurses":
        go_wrong(how)
    if how == "runs_out_of_memory":
        np.ones(1 << 50)
    if how == "wanders":
        os.chdir("/")
    if how == "prints":
        print("a line of an attack\\n" * 1000)
        print("a line of an attack\\n" * 1000, file=sys.stderr)


class BadAttack(MembershipAttack):
    """Goes wrong, or does what a guest should not; source: this test."""

    name = "bad-attack"
    threat_model = "none"

    class Params(AttackParameters):
        how: str

    def infer(self, view):
        go_wrong(self.params.how)
        scores = view.log_probability[:, 0].copy() if view.log_probability.ndim == 2 else view.log_probability.copy()
        if self.params.how == "has_shapes":
            return scores[:-1]
        if self.params.how == "has_nan":
            scores[3] = np.nan
        if self.params.how == "overwrites":
            view.log_probability[:] = 0
        return scores


class BadLabels(LabelAttack):
    """Goes wrong, or does what a guest should not; source: this test."""

    name = "bad-labels"

    class Params(Parameters):
        how: str

    def corrupt(self, labels, context):
        go_wrong(self.params.how)
        if self.params.how == "has_shapes":
            return labels[:-1]
        if self.params.how == "has_values":
            labels[0] = 7
        if self.params.how == "overwrites":
            context.images[:] = 0
        return labels
'''

WORDS = {
    "raises": "ValueError: on purpose",
    "exits": "SystemExit: 0",
    "raises_base": "BaseException: no exception, and yet",
    "recurses": "RecursionError: maximum recursion depth exceeded",
    "runs_out_of_memory": "MemoryError",
}


@pytest.mark.release
def test_a_membership_attack_that_goes_wrong_fails_its_cells_and_not_the_run(made, grid):
    grid = grid | {"seeds": [0], "plugins": ["plugins"]}
    study = made("attacks", grid, ATTACKS)
    assert study.run("--workers=2").code == 0
    calm = study.results["cells"][0]
    words = WORDS | {
        "has_shapes": "must return float64 scores of shape (120,), received float64 (119,)",
        "has_nan": "must not return NaN, received 1 in 120 rows",
        "overwrites": "read-only",
    }
    for how, expected in words.items():
        study.write(with_attack(grid, how))
        end = study.run("--workers=1")
        assert end.code == 3, end.said
        assert not end.err, how
        [cell] = study.results["cells"]
        assert cell["status"] == "failed"
        assert expected in cell["error"], cell["error"]
        assert cell["utility"] == calm["utility"]
        assert f"failed: {cell['id']}: " in end.out
        assert "0 trained, 5 taken from the store, 0 failed" in end.out
    for how in ("prints", "wanders"):
        study.write(with_attack(grid, how))
        end = study.run("--workers=1")
        assert end.code == 0, end.said
        [cell] = study.results["cells"]
        assert cell["privacy"]["attacks"][0] == calm["privacy"]["attacks"][0]
        assert len(cell["privacy"]["attacks"]) == 2
    study.check_undamaged()


def with_attack(grid, how):
    attacks = ["loss-threshold", {"name": "bad-attack", "params": {"how": how}}]
    return grid | {"attacks": {"labels": ["none"], "membership": attacks}}


@pytest.mark.release
def test_a_label_attack_that_goes_wrong_refuses_the_grid_before_anything_is_trained(made, alone):
    study = made("labels", alone, ATTACKS)
    words = WORDS | {
        "has_shapes": "must return int64 labels of shape (120,) within 0..6, received int64 (119,)",
        "has_values": "received 7 and 0 more outside",
        "overwrites": "read-only",
    }
    for how, expected in words.items():
        study.write(with_labels(alone, how))
        end = study.run("--workers=1")
        assert end.code == 2, end.said
        assert expected in end.err
        assert end.err.startswith("fer-audit: ")
        assert len(end.err.splitlines()) == 1
        assert not (study.folder / "reports").exists()
        assert not (study.store_folder / "trainings").exists()
    study.write(with_labels(alone, "prints", "wanders"))
    end = study.run("--workers=2")
    assert end.code == 0, end.said
    plain, *others = [numbers(cell) for cell in study.results["cells"]]
    assert all(other == plain for other in others)


def with_labels(grid, *ways):
    labels = ["none", *({"name": "bad-labels", "params": {"how": how}} for how in ways)]
    return grid | {"attacks": {"labels": labels, "membership": []}}
