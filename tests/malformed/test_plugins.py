"""Plug-in files that can't be used: a grid that names what is in one is refused with the file and the line."""

from __future__ import annotations

import os

import pytest

GRID = "dataset: synthface\nmodels: [mini-xception]\naugmentations: [mine]\nplugins: [mine]\n"

WHOLE = '''"""Mine."""
from fer_audit.augmentations.augmentation import Augmentation


class Mine(Augmentation):
    """Nothing; source: nobody."""

    name = "mine"

    def apply(self, images, labels, rng):
        return images, labels
'''

#: Contents of `mine/mine.py`, and what the sentence must hold.
BROKEN = {
    "empty": (b"", ["'mine'"]),
    "broken grammar": (WHOLE.replace("def apply", "deff apply").encode(), ["mine.py:10: SyntaxError"]),
    "a name that is none": (WHOLE.replace("(Augmentation)", "(Augmentatio)").encode(), ["mine.py:5: NameError"]),
    "an import that is none": (f"import nowhere_at_all\n{WHOLE}".encode(), ["mine.py:1: ModuleNotFoundError"]),
    "it raises": (f"{WHOLE}\nraise KeyError('no')\n".encode(), ["mine.py:13: KeyError"]),
    "it exits": (f"{WHOLE}\nraise SystemExit(0)\n".encode(), ["mine.py:13: SystemExit"]),
    "it exits by sys": (f"import sys\n{WHOLE}\nsys.exit(5)\n".encode(), ["mine.py:14: SystemExit"]),
    "it raises without end": (f"def f():\n    f()\n{WHOLE}\nf()\n".encode(), ["mine.py:", "RecursionError"]),
    "it raises a text of many lines": (f"{WHOLE}\nraise ValueError('a\\nb\\x1b[2J')\n".encode(), ["mine.py:13: Val"]),
    "an abstract class": (WHOLE.replace("def apply", "def aply").encode(), ["mine.py:5", "apply"]),
    "a name with a slash": (WHOLE.replace('"mine"', '"mine/mine"').encode(), ["'mine'"]),
    "a name of a number": (WHOLE.replace('"mine"', "3").encode(), ["mine.py:5", "received 3"]),
    "no class of ours": (b"class Mine:\n    name = 'mine'\n", ["'mine'"]),
    "zero bytes": (b"\0" * 50, ["'mine'"]),
    "binary": (bytes(range(256)), ["'mine'"]),
    "UTF-16": (WHOLE.encode("utf-16"), ["'mine'"]),
    "latin-1": (WHOLE.replace("Nothing", "Für nichts").encode("latin-1"), ["mine.py", "SyntaxError"]),
    "an unknown coding": (f"# coding: martian\n{WHOLE}".encode(), ["mine.py", "SyntaxError"]),
    "deep brackets": (f"{WHOLE}\nx = {'(' * 3000}{')' * 3000}\n".encode(), ["mine.py", "SyntaxError"]),
    "a number of many digits": (f"{WHOLE}\nx = {'9' * 5000}\n".encode(), ["mine.py", "SyntaxError"]),
    "parameters that are none": (
        WHOLE.replace('name = "mine"', 'name = "mine"\n\n    class Params:\n        pass').encode(),
        ["'mine'"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_plugin_that_cannot_be_used_is_refused(case, place, refused, monkeypatch):
    content, said = BROKEN[case]
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (place / "mine").mkdir()
    (place / "mine" / "mine.py").write_bytes(content)
    (place / "grid.yaml").write_text(GRID)
    refused("plan", "grid.yaml", said=said)


@pytest.mark.parametrize("kind", ["pipe", "device", "dangling", "circle", "folder"])
def test_what_is_no_file_of_python_is_passed_over(kind, place, refused):
    (place / "mine").mkdir()
    path = place / "mine" / "mine.py"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "dangling": "nowhere", "circle": "mine.py"}[kind])
    (place / "grid.yaml").write_text(GRID)
    refused("plan", "grid.yaml", said=["'mine'"])


def test_two_plugins_of_one_name_are_refused(place, refused, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (place / "mine").mkdir()
    for name in ("one.py", "two.py"):
        (place / "mine" / name).write_text(WHOLE)
    (place / "grid.yaml").write_text(GRID)
    refused("plan", "grid.yaml", said=["one.py", "two.py", "rename"])


def test_one_called_as_ours_is_refused(place, refused, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (place / "mine").mkdir()
    (place / "mine" / "mine.py").write_text(WHOLE.replace('"mine"', '"mixup"'))
    (place / "grid.yaml").write_text(GRID.replace("[mine]\nplug", "[mixup]\nplug"))
    refused("plan", "grid.yaml", said=["'mixup'", "mine.py", "rename"])
