"""Which files the code of a plug-in lies in, and that its digest follows exactly these."""

import hashlib
import importlib
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

import fer_audit
from fer_audit.registry import Registry
from fer_audit.sources import source_digest, source_files

OURS = Path(fer_audit.__file__).parent

PLUGIN = '''
from fer_audit.augmentations.augmentation import Augmentation
{extra}


class Sourced(Augmentation):
    """Never applied; source: this test."""

    name = "sourced"

    def apply(self, images, labels, rng):
        return images.copy(), labels.copy()
'''


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def outside(files, folder):
    """Names of the files that are not ours, below the folder."""
    return {path.relative_to(folder).as_posix() for path in files if OURS not in path.parents}


def plugin(folder):
    return Registry.load([folder]).get("augmentation", "sourced")


EDITS = {
    "the plug-in": ("plugin.py", True),
    "its helper": ("zz_digest_helper.py", True),
    "a helper of its helper": ("zz_digest_nested/scale.py", True),
    "another plug-in": ("other.py", False),
    "a helper that nothing imports": ("zz_digest_unused.py", False),
    "a test": ("test_plugin.py", False),
    "what is no Python": ("weights.json", False),
}


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "mine",
        {
            "plugin.py": PLUGIN.format(extra="from zz_digest_helper import SCALE"),
            "zz_digest_helper.py": "from zz_digest_nested.scale import SCALE\n",
            "zz_digest_nested/scale.py": "SCALE = 1\n",
            "other.py": "",
            "zz_digest_unused.py": "",
            "test_plugin.py": "import zz_digest_unused\n",
            "weights.json": "",
        },
    )


def _forget_modules():
    for name in [name for name in sys.modules if name.startswith("zz_")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """Modules that the tests of this file share by name are imported anew by each, from its own folders."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    _forget_modules()


@pytest.mark.parametrize("what", EDITS)
def test_the_digest_follows_the_code_and_nothing_else(folder, what, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    name, changes = EDITS[what]
    before = source_digest(plugin(folder))
    assert source_digest(plugin(folder)) == before
    (folder / name).write_text((folder / name).read_text() + "\n# edited\n")
    assert (source_digest(plugin(folder)) != before) == changes


def test_the_digest_is_that_of_what_was_imported(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    loaded = plugin(folder)
    before = source_digest(loaded)
    (folder / "zz_digest_nested" / "scale.py").write_text("SCALE = 2\n")
    assert source_digest(loaded) == before
    assert loaded().identity()["source"] == before != source_digest(plugin(folder))


def test_the_place_on_disk_is_not_in_the_digest(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = source_digest(plugin(folder))
    moved = tmp_path / "aa somewhere else"
    shutil.move(folder, moved)
    _forget_modules()
    assert source_digest(plugin(moved)) == before


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Imports a module of files that lie on Python's path."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def made(name, files, place="site-packages"):
        write(tmp_path / place, files)
        sys.path.insert(0, str(tmp_path / place))
        importlib.invalidate_caches()
        return importlib.import_module(name).Sourced, tmp_path / place

    return made


PACKAGE = {
    "zz_pack/__init__.py": "'''A package.'''\nfrom .unused import x\n",
    "zz_pack/parts/plugin.py": PLUGIN.format(extra="import zz_other\nimport zz_pack.shared\nfrom . import near"),
    "zz_pack/parts/near.py": "import numpy, tensorflow, zz_single\n",
    "zz_pack/parts/plain.py": "",
    "zz_pack/shared.py": "",
    "zz_pack/unused.py": "x = 1\n",
    "zz_other.py": "",
    "zz_single.py": "",
}


def test_of_a_package_only_its_own_modules_are_read(imported):
    cls, root = imported("zz_pack.parts.plugin", PACKAGE)
    assert outside(source_files(cls), root) == {
        *("zz_pack/parts/near.py", "zz_pack/parts/plugin.py", "zz_pack/shared.py"),
        *("zz_pack/__init__.py", "zz_pack/unused.py"),  # `import zz_pack.shared` binds the package itself
    }


def test_a_package_that_is_used_where_it_is_written_has_the_same_digest(imported):
    first, _ = imported("zz_pack.parts.plugin", PACKAGE)
    digest = source_digest(first)
    _forget_modules()
    second, root = imported("zz_pack.parts.plugin", PACKAGE, "a checkout/src")
    assert root in Path(sys.modules[second.__module__].__file__).parents
    assert source_digest(second) == digest


def test_a_package_in_a_namespace_ends_where_its_neighbour_begins(imported):
    files = {
        "zz_space/mine/__init__.py": "",
        "zz_space/mine/plugin.py": PLUGIN.format(extra="import zz_space.yours.part\nfrom zz_space.mine import part"),
        "zz_space/mine/part.py": "",
        "zz_space/yours/part.py": "",
    }
    cls, root = imported("zz_space.mine.plugin", files)
    assert outside(source_files(cls), root) == {"zz_space/mine/plugin.py", "zz_space/mine/part.py"}


def test_a_single_module_among_packages_of_others_is_alone(imported):
    cls, root = imported("zz_alone", {"zz_alone.py": PLUGIN.format(extra="import zz_stranger"), "zz_stranger.py": ""})
    assert outside(source_files(cls), root) == {"zz_alone.py"}


def test_a_single_module_among_scripts_is_not(imported):
    files = {"zz_alone.py": PLUGIN.format(extra="import zz_beside_it"), "zz_beside_it.py": ""}
    cls, root = imported("zz_alone", files, "scripts")
    assert outside(source_files(cls), root) == {"zz_alone.py", "zz_beside_it.py"}


def test_a_class_in_an_archive_lies_in_the_archive(tmp_path, monkeypatch):
    archive = tmp_path / "plugins.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zz_zipped.py", PLUGIN.format(extra="import zz_zipped_too"))
        file.writestr("zz_zipped_too.py", "")
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])
    cls = importlib.import_module("zz_zipped").Sourced
    assert source_files(cls) == [archive]
    assert source_digest(cls) == hashlib.sha256(b"plugins.zip\0" + archive.read_bytes() + b"\0").hexdigest()


def test_a_class_in_a_test_lies_in_the_test(tmp_path):
    class Here(Registry.load().get("augmentation", "mixup")):
        """Mixes; source: this test."""

    found = source_files(Here)
    assert Path(__file__) in found
    assert OURS / "augmentations" / "augmentation.py" not in found  # which this file never names


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["script.py"], "the digest has 64 digits"),
        (["-c", "exec(open('script.py').read())"], "can't be read; expected"),
    ],
)
def test_a_class_of_a_script_has_a_digest_and_one_that_was_typed_is_explained(tmp_path, command, said):
    text = PLUGIN.format(extra="import zz_script_part") + textwrap.dedent(
        """
        from fer_audit.errors import PluginError
        from fer_audit.sources import source_files
        try:
            digest = Sourced().identity()["source"]
            assert [path.name for path in source_files(Sourced) if path.name.startswith("zz_")] == ["zz_script_part.py"]
            print(f"the digest has {len(digest)} digits")
        except PluginError as error:
            print(error)
        """
    )
    write(tmp_path, {"script.py": text, "zz_script_part.py": ""})
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
    assert said in done.stdout, done.stdout + done.stderr
