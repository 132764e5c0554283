"""Which files a file of code imports."""

import importlib
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fer_audit
from fer_audit.imported_files import Scope, imported_files, misled
from fer_audit.registry import Registry
from fer_audit.sources import source_files

OURS = Path(fer_audit.__file__).parent


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    return folder


def outside(files, folder):
    """Names of the files that are not ours, below the folder."""
    return {path.relative_to(folder).as_posix() for path in files if OURS not in path.parents}


#: A module that is no Python text.
FAST = f"zz_fast{importlib.machinery.EXTENSION_SUFFIXES[0]}"

LATIN = "# coding: latin-1\nx = 'é'\nimport zz_two".encode("latin-1")

#: What the file `first.py` holds, the other files, and which of them its code lies in.
REACHED = {
    "a sibling": (
        "import zz_one",
        {"zz_one.py": "import zz_two", "zz_two.py": "", "zz_no.py": ""},
        {"zz_one.py", "zz_two.py"},
    ),
    "a name of a sibling": ("from zz_one import thing", {"zz_one.py": "thing = 1"}, {"zz_one.py"}),
    "all names of a sibling": ("from zz_one import *", {"zz_one.py": "thing = 1"}, {"zz_one.py"}),
    "another name for a sibling": ("import zz_one as two", {"zz_one.py": "", "two.py": ""}, {"zz_one.py"}),
    "inside a function": ("def late():\n    from zz_one import thing", {"zz_one.py": ""}, {"zz_one.py"}),
    "where it may fail": (
        "try:\n    import zz_one\nexcept ImportError:\n    zz_one = None",
        {"zz_one.py": ""},
        {"zz_one.py"},
    ),
    "a cycle": (
        "import zz_one",
        {"zz_one.py": "import zz_two", "zz_two.py": "import zz_one, first"},
        {"zz_one.py", "zz_two.py"},
    ),
    "a package": ("import pkg", {"pkg/__init__.py": "x = 1", "pkg/no.py": ""}, {"pkg/__init__.py"}),
    "a package of packages": (
        "import pkg.sub.mod",
        {"pkg/__init__.py": "x = 1", "pkg/sub/__init__.py": "'''Nothing.'''", "pkg/sub/mod.py": ""},
        {"pkg/__init__.py", "pkg/sub/mod.py"},
    ),
    "a name that a package passes on": (
        "from pkg import thing",
        {"pkg/__init__.py": "from .one import thing", "pkg/one.py": "thing = 1", "pkg/no.py": ""},
        {"pkg/__init__.py", "pkg/one.py"},
    ),
    "a module of a package, whose other modules are only passed on": (
        "from pkg.one import thing",
        {
            "pkg/__init__.py": "'''A.'''\nfrom .one import thing\nfrom .no import x\n__all__ = ['thing']",
            "pkg/one.py": "",
            "pkg/no.py": "",
        },
        {"pkg/one.py"},
    ),
    "a module from a package": (
        "from pkg import one",
        {"pkg/__init__.py": "", "pkg/one.py": "", "pkg/no.py": ""},
        {"pkg/one.py"},
    ),
    "a package that acts when it is imported": (
        "from pkg.one import thing",
        {"pkg/__init__.py": "from .two import act\nact()", "pkg/one.py": "", "pkg/two.py": ""},
        {"pkg/__init__.py", "pkg/one.py", "pkg/two.py"},
    ),
    "relative imports": (
        "import pkg.sub.mod",
        {
            "pkg/sub/mod.py": "from . import one\nfrom .two import x\nfrom .. import three\nfrom ..four import y",
            "pkg/sub/one.py": "",
            "pkg/sub/two.py": "",
            "pkg/three.py": "",
            "pkg/four.py": "",
            "pkg/one.py": "",
        },
        {"pkg/sub/mod.py", "pkg/sub/one.py", "pkg/sub/two.py", "pkg/three.py", "pkg/four.py"},
    ),
    "a name from the package around": (
        "import pkg.mod",
        {
            "pkg/mod.py": "from . import SCALE",
            "pkg/__init__.py": "from .scale import SCALE",
            "pkg/scale.py": "SCALE = 1",
        },
        {"pkg/__init__.py", "pkg/mod.py", "pkg/scale.py"},
    ),
    "a folder without __init__": (
        "from nested.scale import x",
        {"nested/scale.py": "import zz_one", "zz_one.py": ""},
        {"nested/scale.py", "zz_one.py"},
    ),
    "a name of Python's own": (
        "import random, json.decoder",
        {"random.py": "", "json/decoder.py": "", "decoder.py": ""},
        set(),
    ),
    "a name of an installed package": (
        "import numpy.random\nfrom numpy import linalg",
        {"numpy.py": "", "linalg.py": ""},
        set(),
    ),
    "a neighbour of no one": ("import pkg.mod", {"pkg/mod.py": "import other", "pkg/other.py": ""}, {"pkg/mod.py"}),
    "broken grammar": ("import zz_one", {"zz_one.py": "import zz_two\n(", "zz_two.py": ""}, {"zz_one.py"}),
    "a package of broken grammar": ("import pkg", {"pkg/__init__.py": "("}, {"pkg/__init__.py"}),
    "no text": ("import zz_one", {"zz_one.py": b"\xff\xfe\x00import zz_two", "zz_two.py": ""}, {"zz_one.py"}),
    "another encoding": ("import zz_one", {"zz_one.py": LATIN, "zz_two.py": ""}, {"zz_one.py", "zz_two.py"}),
    "compiled code": ("import zz_fast", {FAST: b"\x7fELF"}, {FAST}),
    "more levels than there are": ("from " + "." * 60 + "x import y", {"x.py": ""}, set()),
    "out of the folder": ("import pkg.mod", {"pkg/mod.py": "from ... import stranger"}, {"pkg/mod.py"}),
    "nothing at all": ("import zz_nowhere.at_all\nfrom . import nothing", {}, set()),
}


@pytest.mark.parametrize("what", REACHED)
def test_exactly_the_files_that_imports_lead_to_are_reached(what, tmp_path):
    text, others, expected = REACHED[what]
    folder = write(tmp_path / "folder", {"first.py": text, **others})
    write(tmp_path, {"stranger.py": ""})
    found = imported_files([folder / "first.py"], Scope(folder))
    assert outside(found, folder) == {"first.py", *expected}
    assert found == sorted(found)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sets(st.integers(0, 7)), min_size=8, max_size=8))
def test_the_closure_is_that_of_the_graph_of_imports(tmp_path_factory, graph):
    folder = tmp_path_factory.mktemp("graph")
    for number, others in enumerate(graph):
        (folder / f"zz_node{number}.py").write_text("\n".join(f"import zz_node{other}" for other in others))
    reached, before = {0}, set()
    while reached != before:
        before = reached
        reached = reached | {other for number in reached for other in graph[number]}
    found = imported_files([folder / "zz_node0.py"], Scope(folder))
    assert outside(found, folder) == {f"zz_node{number}.py" for number in reached}


def test_links_that_lead_in_circles_end(tmp_path):
    folder = write(tmp_path, {"first.py": "import pkg.mod", "pkg/mod.py": "from .again.mod import x"})
    (folder / "pkg" / "again").symlink_to(folder / "pkg")
    assert outside(imported_files([folder / "first.py"], Scope(folder)), folder) == {"first.py", "pkg/mod.py"}


def test_a_link_is_read_where_it_stands(tmp_path):
    write(
        tmp_path,
        {"common/zz_shared.py": "import zz_beside", "common/zz_beside.py": "", "mine/first.py": "import zz_shared"},
    )
    folder = write(tmp_path / "mine", {"zz_beside.py": ""})
    (folder / "zz_shared.py").symlink_to(tmp_path / "common" / "zz_shared.py")
    found = imported_files([folder / "first.py"], Scope(folder))
    assert outside(found, folder) == {"first.py", "zz_shared.py", "zz_beside.py"}


def test_our_own_layers_count_and_what_all_plugins_share_does_not(tmp_path):
    text = "from fer_audit.models.resnet_18 import ResNet18\nfrom fer_audit.plugins import Parameters\n"
    folder = write(tmp_path, {"first.py": text})
    found = [path for path in imported_files([folder / "first.py"], Scope(folder)) if OURS in path.parents]
    assert {path.relative_to(OURS).as_posix() for path in found} == {
        "models/conv_bn.py",
        "models/model.py",
        "models/resnet_18.py",
    }
    again = write(tmp_path / "again", {"first.py": "import fer_audit.models.resnet_18\n"})
    assert found == [path for path in imported_files([again / "first.py"], Scope(again)) if OURS in path.parents]
    built_in = Registry.load().get("model", "resnet-18")
    assert source_files(built_in) == found


def test_an_import_that_finds_the_module_of_another_folder_is_told(tmp_path, monkeypatch):
    one = write(tmp_path / "one", {"zz_twice.py": "", "first.py": "import zz_twice, random, numpy, zz_only"})
    two = write(
        tmp_path / "two",
        {"zz_twice.py": "", "random.py": "", "numpy.py": "", "first.py": "import zz_twice, random, numpy"},
    )
    monkeypatch.syspath_prepend(two)
    monkeypatch.syspath_prepend(one)
    assert not list(misled([one / "first.py"], one))
    # What is Python's own or an installed package's is what is meant.
    assert list(misled([two / "first.py"], two)) == [(two / "first.py", "zz_twice", one)]
