"""Plug-ins of installed packages: a real one that is built and installed here, and broken ones that break nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from fer_audit.errors import PluginError
from fer_audit.registry import Registry
from fer_audit.sources import source_digest

EXAMPLE = Path(__file__).parent / "third_party" / "fer-audit-example"

PLUGIN = '''
from fer_audit.augmentations.augmentation import Augmentation


class {cls}(Augmentation):
    """Never applied; source: this test."""

    name = "{name}"

    def apply(self, images, labels, rng):
        return images.copy(), labels.copy()
'''


def plugin(name, cls="Offered"):
    return PLUGIN.format(name=name, cls=cls)


def install(site, name, entries, *, version="1.0", **modules):
    """Lays out an installed package: its description, its entry points and its modules."""
    site.mkdir(exist_ok=True)
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{number} = {entry}" for number, entry in enumerate(entries)]
    (info / "entry_points.txt").write_text("\n".join(["[fer_audit]", *lines, ""]))
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)
    return info


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages on Python's path, forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name, module in list(sys.modules.items()):
        if str(folder) in str(getattr(module, "__file__", "")):
            del sys.modules[name]


# --- the real package


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a user who installed the example package, which is built from a copy of its source."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip, offline = [sys.executable, "-m", "pip", "--disable-pip-version-check"], ["--no-deps", "--no-index", "--quiet"]
    built = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run(built, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    target = [*pip, "install", *offline, "--target", str(folder / "site"), str(wheel)]
    subprocess.run(target, check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(folder / "site"), "TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "80"}


def type_command(environment, folder, *words):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fer_audit", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 70, "test_rows": 42}},
    "models": ["Fer_Audit.example/thumbnail"],
    "augmentations": ["none", ["fer-audit-example/darker", "mixup"]],
    "attacks": {"membership": ["fer-audit-example/margin", "loss-threshold"]},
    "training": {"image_size": 32},
    "privacy": {"references": 4},
}


def test_its_plugins_are_listed_under_its_name(installed, tmp_path):
    done = type_command(installed, tmp_path, "list")
    assert done.returncode == 0, done.stderr
    assert {"margin", "darker", "thumbnail"} <= {
        word.partition("/")[2] for word in done.stdout.split() if word.startswith("fer-audit-example/")
    }
    assert "strength: float = 0.3" in done.stdout
    assert "not loaded" not in done.stdout


def test_a_grid_that_names_them_is_planned_without_tensorflow(installed, tmp_path):
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    code = (
        "import sys\nfrom fer_audit.cli.main import main\ncode = main(['plan', 'grid.yaml'])\n"
        "heavy = {'tensorflow', 'keras', 'imgaug'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=installed, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "10 trainings with 1 program" in done.stdout
    lines = done.stdout.splitlines()
    told = lines[lines.index("code from outside fer-audit that a run imports:") + 1 :]
    assert told == [
        "  fer-audit-example 1.2:",
        "    fer_audit_example/attacks/margin.py  membership-attack margin",
        "    fer_audit_example/darker.py          augmentation darker",
        "    fer_audit_example/margins.py         membership-attack margin",
        "    fer_audit_example/thumbnail.py       model thumbnail",
    ]


def test_its_attack_runs_on_signals_and_is_known_by_its_whole_name(installed, tmp_path):
    rng = np.random.default_rng(0)
    labels, half = rng.integers(0, 3, 200), rng.random((2, 200)) < 0.5
    keep = np.concatenate([half, ~half])
    logits = rng.normal(size=(4, 200, 1, 3)).astype(np.float32)
    logits[:, np.arange(200), 0, labels] += 1 + 3 * keep
    np.savez(tmp_path / "signals.npz", logits=logits, keep=keep, labels=labels)
    done = type_command(installed, tmp_path, "attack", "signals.npz", "--attacks", "fer-audit-example/margin")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "reports/signals/results.json").read_text())
    [found] = results["cells"][0]["privacy"]["attacks"]
    assert found["attack"]["name"] == "fer-audit-example/margin"
    assert found["auc"]["value"] > 0.9
    code = {file["path"]: file["plugins"] for file in results["provenance"]["code"]}
    used = {"attacks/margin": True, "darker": False, "margins": True, "thumbnail": False}
    assert code == {
        f"fer-audit-example 1.2: fer_audit_example/{name}.py": ["membership-attack fer-audit-example/margin"] * uses
        for name, uses in used.items()
    }
    page = (tmp_path / "reports/signals/report.html").read_text()
    assert "fer_audit_example/margins.py" in page


@pytest.mark.parametrize(
    ("kind", "name"), [("attack", "fer-audit-example/margin"), ("augmentation", "fer_audit_EXAMPLE/darker")]
)
def test_its_plugins_pass_the_kit_and_are_made_again_in_a_fresh_process(installed, tmp_path, kind, name):
    done = type_command(installed, tmp_path, "check", kind, name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    rebuilt_in_a_fresh_process" in done.stdout
    assert " 0 fail" in done.stdout


def test_a_worker_makes_it_again_and_refuses_other_code(installed, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom fer_audit.registry import Registry\n"
        "from fer_audit.specs import PluginIdentity\n"
        "from fer_audit.store import Store\nfrom fer_audit.training.worker import Worker\n"
        "worker = Worker(Store(Path(sys.argv[1])), Registry.load(), print)\n"
        "known = Registry.load().create('augmentation', 'fer-audit-example/darker', {'strength': 0.1}).identity()\n"
        "made = worker._rebuild(PluginIdentity(**known))\n"
        "print(repr(made), known['name'], 'fer_audit.training.program' in sys.modules)\n"
        "worker._rebuild(PluginIdentity(**{**known, 'source': 'of yesterday'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")], env=installed, capture_output=True, text=True
    )
    assert done.stdout == "Darker(strength=0.1) fer-audit-example/darker False\n", done.stderr
    assert "'fer-audit-example/darker' changed during the run" in done.stderr


def test_its_digest_follows_the_helper_and_not_its_neighbours(installed, tmp_path):
    site = shutil.copytree(installed["PYTHONPATH"], tmp_path / "site")
    environment = {**installed, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    code = (
        "from fer_audit.registry import Registry\nfrom fer_audit.sources import source_digest\n"
        "print(source_digest(Registry.load().get('membership-attack', 'fer-audit-example/margin')))\n"
    )

    def digest():
        words = [sys.executable, "-c", code]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    before = digest()
    for name, changes in (("darker", False), ("__init__", False), ("margins", True)):
        path = site / "fer_audit_example" / f"{name}.py"
        path.write_text(f"{path.read_text()}# edited\n")
        assert (digest() != before) == changes, name


# --- names


def test_a_package_is_found_by_any_spelling_of_its_name(site):
    install(site, "Zz_Spelt.Oddly", ["zz_spelt"], zz_spelt=plugin("some"))
    for name in ("zz-spelt-oddly", "Zz_Spelt.Oddly", "ZZ.SPELT--ODDLY"):
        cls = Registry.load().get("augmentation", f"{name}/some")
        assert cls().identity()["name"] == "zz-spelt-oddly/some"


def test_of_two_packages_of_one_name_the_first_on_the_path_counts(site, tmp_path, monkeypatch):
    install(site, "zz_twin", ["zz_twin_one"], zz_twin_one=plugin("one"))
    install(tmp_path / "later", "Zz-Twin", ["zz_twin_two"], version="2.0", zz_twin_two=plugin("two"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "later")])
    registry = Registry.load()
    registry.load_packages()
    assert [name for name in registry.names("augmentation") if "zz-twin" in name] == ["zz-twin/one"]


def test_a_builtin_and_a_plugin_of_a_package_may_have_one_name(site):
    install(site, "zz-same", ["zz_same"], zz_same=plugin("mixup"))
    registry = Registry.load()
    theirs, ours = registry.get("augmentation", "zz-same/mixup"), registry.get("augmentation", "mixup")
    assert theirs is not ours
    assert ours.address() == "mixup"


def test_a_folder_may_derive_from_a_plugin_of_a_package(site, tmp_path):
    install(site, "zz-base", ["zz_base"], zz_base=plugin("base"))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(
        'from zz_base import Offered\n\n\nclass Mine(Offered):\n    """Mine."""\n\n    name = "mine"\n'
    )
    Registry.load().get("augmentation", "zz-base/base")
    cls = Registry.load([folder]).get("augmentation", "mine")
    assert cls.address() == "mine"
    before = source_digest(cls)
    (site / "zz_base.py").write_text(f"{plugin('base')}# edited\n")
    assert source_digest(Registry.load([folder]).get("augmentation", "mine")) != before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("zz-offerd/some", "received 'zz-offerd', did you mean 'zz-offers'?"),
        ("zz-offers/som", "unknown augmentation 'zz-offers/som': did you mean 'zz-offers/some'?"),
        ("zz-offers/sub/some", "received 'zz-offers/sub'"),
        ("zz-offers/", "unknown augmentation 'zz-offers/'"),
        ("/some", "unknown augmentation '/some'"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(site, name, said):
    install(site, "zz-offers", ["zz_offers"], zz_offers=plugin("some"))
    with pytest.raises(PluginError) as raised:
        Registry.load().get("augmentation", name)
    assert said in str(raised.value)


# --- broken packages

OF_OURS = "from fer_audit.augmentations.mixup import MixUp"
NOTHING = "holds no plug-in of its own"
TWICE = "two plug-ins are called augmentation 'zz-bad/some'"

BROKEN = {
    "raises": (["zz_bad"], "x = 1\nraise ValueError('''on\n  purpose''')", "zz_bad.py:2: ValueError: on purpose"),
    "ends": (["zz_bad"], "import sys\nsys.exit(3)", "zz_bad.py:2: SystemExit: 3"),
    "grammar": (["zz_bad"], "x = 1\nclass (:", "zz_bad.py:2: SyntaxError: invalid syntax"),
    "lacks a package": (["zz_bad"], "import zz_nowhere", "zz_bad.py:1: ModuleNotFoundError: No module named"),
    "no module": (["zz_nowhere"], "", "zz_nowhere: ModuleNotFoundError: No module named 'zz_nowhere'"),
    "no class": (["zz_bad:Nothing"], "", "zz_bad:Nothing: AttributeError: module 'zz_bad' has no attribute 'Nothing'"),
    "no plug-in": (["zz_bad"], "x = 1", "zz_bad: PluginError: the entry point 'zz_bad' holds no plug-in of its own"),
    "another class": (["zz_bad:Some"], "class Some:\n    name = 'some'", NOTHING),
    "a function": (["zz_bad:some"], "def some():\n    pass", NOTHING),
    "ours": (["fer_audit.augmentations.mixup:MixUp"], "", NOTHING),
    "imported from ours": (["zz_bad"], OF_OURS, NOTHING),
    "no entry point": (["in fact no entry point"], "", "in fact no entry point: "),
    "twice": (["zz_bad"], plugin("some") + plugin("some", "Again"), TWICE),
    "thrice": (
        ["zz_bad"],
        plugin("some") + plugin("some", "Again") + plugin("some", "More"),
        TWICE,
    ),
    "a slash": (["zz_bad"], plugin("a/b"), "a name is letters, digits, '-', '_' and '.', received 'a/b'"),
    "no method": (["zz_bad"], plugin("some").replace("apply", "aply"), "'some' does not write the method apply"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_package_is_one_line_and_the_others_are_there(site, what):
    entries, text, said = BROKEN[what]
    install(site, "zz-bad", entries, version="0.3", zz_bad=text)
    install(site, "zz-good", ["zz_good"], zz_good=plugin("some"))
    registry = Registry.load()
    registry.load_packages()
    assert "zz-good/some" in registry.names("augmentation")
    assert not [name for kind in registry.classes for name in registry.names(kind) if name.startswith("zz-bad")]
    lines = [str(broken) for broken in registry.broken]
    assert lines
    assert all(line.startswith("package zz-bad 0.3: ") and "\n" not in line for line in lines)
    assert said in lines[0]
    assert registry.get("augmentation", "mixup").package == ""
    told = r"augmentation 'zz-bad/some'(: there are none \(not loaded:| can't be used).* package zz-bad 0\.3: "
    with pytest.raises(PluginError, match=told):
        registry.get("augmentation", "zz-bad/some")


def test_what_works_of_a_package_can_be_used(site):
    install(site, "zz-half", ["zz_half", "zz_other_half"], zz_half=plugin("some"), zz_other_half="raise OSError('no')")
    registry = Registry.load()
    assert registry.get("augmentation", "zz-half/some")
    with pytest.raises(PluginError, match=r"zz_other_half\.py:1: OSError: no"):
        registry.get("augmentation", "zz-half/other")


def test_a_class_that_two_entry_points_offer_is_one_plugin(site):
    install(site, "zz-once", ["zz_once", "zz_once:Offered"], zz_once=plugin("some"))
    registry = Registry.load()
    assert registry.get("augmentation", "zz-once/some") is Registry.load().get("augmentation", "zz-once/some")
    assert not registry.broken


def test_what_another_package_brings_is_not_offered_again(site):
    install(site, "zz-brings", ["zz_brought"], zz_brought=plugin("some"))
    install(site, "zz-claims", ["zz_brought"])
    registry = Registry.load()
    assert registry.get("augmentation", "zz-brings/some")
    with pytest.raises(PluginError, match="Offered is offered by two packages: zz-brings and zz-claims"):
        registry.get("augmentation", "zz-claims/some")
    assert registry.get("augmentation", "zz-brings/some").address() == "zz-brings/some"


DAMAGED = {
    "entry points that are no text": ("entry_points.txt", b"[fer_audit]\nx = \xff\xfe\n"),
    "entry points without a sign": ("entry_points.txt", b"[fer_audit]\nno sign\n"),
    "a description that is no text": ("METADATA", b"Name: \xff\xfe\n"),
    "a description without a name": ("METADATA", b"Version: 1\n"),
    "no description": ("METADATA", None),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_description_disturbs_no_other_package(site, what):
    name, content = DAMAGED[what]
    damaged = install(site, "zz-damaged", ["zz_damaged"], zz_damaged=plugin("some"))
    install(site, "zz-good", ["zz_good"], zz_good=plugin("some"))
    (damaged / name).unlink() if content is None else (damaged / name).write_bytes(content)
    registry = Registry.load()
    registry.load_packages()
    assert "zz-good/some" in registry.names("augmentation")
    assert all("\n" not in str(broken) for broken in registry.broken)


def test_a_damaged_list_of_entry_points_is_told(site):
    (install(site, "zz-damaged", ["zz_damaged"]) / "entry_points.txt").write_bytes(b"[fer_audit]\nno sign\n")
    registry = Registry.load()
    registry.load_packages()
    [broken] = registry.broken
    assert str(broken).startswith("package zz-damaged: entry_points.txt: ")
    with pytest.raises(PluginError, match=r"received 'zz-damaged', .* \(not read: package zz-damaged: entry"):
        registry.get("augmentation", "zz-damaged/some")


@pytest.fixture
def broken_environment(installed, tmp_path):
    site = tmp_path / "broken"
    install(site, "zz-raises", ["zz_raises"], zz_raises="open('imported', 'w').close()\nraise ValueError('on purpose')")
    install(site, "zz-ends", ["zz_ends"], version="0.2", zz_ends="import sys\nsys.exit('on purpose')")
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    return {**installed, "PYTHONPATH": f"{site}{os.pathsep}{installed['PYTHONPATH']}"}


def test_broken_packages_do_not_break_the_list(broken_environment, tmp_path):
    done = type_command(broken_environment, tmp_path, "list")
    assert done.returncode == 0, done.stderr
    assert "fer-audit-example/margin" in done.stdout
    said = [line for line in done.stdout.splitlines() if line.startswith("not loaded")]
    assert len(said) == 2
    assert any("package zz-raises 1.0: " in line and "zz_raises.py:2: ValueError: on purpose" in line for line in said)
    assert any("package zz-ends 0.2: " in line and "zz_ends.py:2: SystemExit: on purpose" in line for line in said)


def test_a_package_that_the_grid_does_not_name_is_not_imported(broken_environment, tmp_path):
    done = type_command(broken_environment, tmp_path, "plan", "grid.yaml")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "imported").exists()
    assert "zz-" not in done.stdout


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_grid_that_names_a_broken_package_is_refused_in_one_sentence(broken_environment, tmp_path, command):
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump({**GRID, "augmentations": ["zz-raises/some"]}))
    done = type_command(broken_environment, tmp_path, command, "grid.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "fer-audit: augmentation 'zz-raises/some' can't be used, its package fails to import:"
    )
    assert done.stderr.count("\n") == 1


def test_the_doctor_tells_of_all_and_minds_only_what_the_grid_names(broken_environment, tmp_path):
    done = type_command(broken_environment, tmp_path, "doctor", "grid.yaml")
    assert done.returncode == 0, done.stdout
    offered = "model thumbnail, augmentation darker, membership-attack margin"
    assert f"OK    fer-audit-example: 1.2 offers {offered}" in done.stdout
    assert "note  plug-ins: not loaded: package zz-raises 1.0: " in done.stdout
    assert "OK    model Fer_Audit.example/thumbnail: found in " in done.stdout
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump({**GRID, "augmentations": ["zz-raises/some"]}))
    done = type_command(broken_environment, tmp_path, "doctor", "grid.yaml")
    assert done.returncode == 3
    assert "wrong augmentation zz-raises/some: augmentation 'zz-raises/some' can't be used" in done.stdout
