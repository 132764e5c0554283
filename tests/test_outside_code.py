"""The files from outside fer-audit that a run imports, and how they are called."""

import hashlib
import sys

import pytest

from fer_audit.outside_code import outside_code
from fer_audit.registry import Registry
from fer_audit.sources import source_digest

PLUGIN = '''
from fer_audit.augmentations.augmentation import Augmentation
{extra}


class Some(Augmentation):
    """Never applied; source: this test."""

    name = "{name}"

    def apply(self, images, labels, rng):
        return images.copy(), labels.copy()
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    place = tmp_path / "somewhere" / "mine"
    place.mkdir(parents=True)
    (place / "used.py").write_text(PLUGIN.format(name="used", extra="import zz_out_helper"))
    (place / "unused.py").write_text(PLUGIN.format(name="unused", extra="def late():\n    import zz_out_late"))
    (place / "zz_out_helper.py").write_text("")
    (place / "zz_out_late.py").write_text("")
    (place / "zz_out_alone.py").write_text("")
    (place / "test_used.py").write_text("")
    (place / "notes").mkdir()
    (place / "notes" / "zz_never.py").write_text("")
    return place


def test_all_that_is_imported_is_told_and_nothing_else(folder):
    registry = Registry.load([folder])
    found = outside_code(registry, [registry.get("augmentation", name) for name in ("used", "mixup")])
    assert {file.path: file.plugins for file in found} == {
        "mine/unused.py": [],
        "mine/used.py": ["augmentation used"],
        "mine/zz_out_alone.py": [],  # it lies in the folder, where plug-ins are looked for
        "mine/zz_out_helper.py": ["augmentation used"],
        "mine/zz_out_late.py": [],
    }
    assert [file.path for file in found] == sorted(file.path for file in found)
    assert all(file.loaded for file in found)
    assert found[0].sha256 == hashlib.sha256((folder / "unused.py").read_bytes()).hexdigest()


def test_a_folder_is_called_as_it_was_named_and_never_by_its_absolute_path(folder):
    registry = Registry.load([folder])
    for named, called in (
        ({}, "mine"),
        ({folder: "../somewhere/mine"}, "../somewhere/mine"),
        ({folder: "./mine/"}, "mine"),
        ({folder: str(folder)}, "mine"),
    ):
        assert {file.path.rpartition("/")[0] for file in outside_code(registry, [], named)} == {called}


def test_without_folders_and_packages_there_is_none():
    registry = Registry.load()
    assert outside_code(registry, [registry.get("model", "ghostface")]) == []


def test_a_package_is_told_once_whatever_is_used_of_it(tmp_path, monkeypatch):
    info = tmp_path / "zz_outside-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zz-outside\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[fer_audit]\none = zz_outside.one\ntwo = zz_outside.two\n")
    package = tmp_path / "zz_outside"
    package.mkdir()
    (package / "__init__.py").write_text('"""Nothing."""\n')
    (package / "one.py").write_text(PLUGIN.format(name="one", extra="def late():\n    from . import later"))
    (package / "two.py").write_text(PLUGIN.format(name="two", extra="from . import shared"))
    (package / "shared.py").write_text("from fer_audit.augmentations import mixup\n")
    (package / "later.py").write_text("")
    (package / "never.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry.load()
    one, two = (registry.get("augmentation", f"zz-outside/{name}") for name in ("one", "two"))
    for used in ([one], [one, one, two]):
        found = {
            file.path.removeprefix("zz-outside 2.0: zz_outside/"): file.plugins for file in outside_code(registry, used)
        }
        assert found == {
            "later.py": ["augmentation zz-outside/one"],
            "one.py": ["augmentation zz-outside/one"],
            "shared.py": ["augmentation zz-outside/two"] * (two in used),
            "two.py": ["augmentation zz-outside/two"] * (two in used),
        }


def test_what_another_folder_and_a_library_of_ones_own_bring_is_part_of_the_code(tmp_path, monkeypatch):
    files = {
        "more/shared_stats_of_two.py": "SCALE = 1\n",
        "lib/own_library_of_two/scale.py": "FACTOR = 1\n",
        "plugins/two.py": PLUGIN.format(
            name="mine",
            extra="from own_library_of_two.scale import FACTOR\nfrom shared_stats_of_two import SCALE",
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib"), *sys.path])
    folders = [tmp_path / "more", tmp_path / "plugins"]

    def code():
        registry = Registry.load(folders)
        cls = registry.get("augmentation", "mine")
        return source_digest(cls), outside_code(registry, [cls], {folder: folder.name for folder in folders})

    first, listed = code()
    used = {file.path: file.plugins for file in listed}
    assert set(used) == {"more/shared_stats_of_two.py", "lib/own_library_of_two/scale.py", "plugins/two.py"}
    assert all(plugins == ["augmentation mine"] for plugins in used.values())
    (tmp_path / "more/shared_stats_of_two.py").write_text("SCALE = -1\n")
    second, _ = code()
    (tmp_path / "lib/own_library_of_two/scale.py").write_text("FACTOR = 2\n")
    assert len({first, second, code()[0]}) == 3
