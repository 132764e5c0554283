"""`fer-audit store`: what a user sees, what goes and what stays."""

import contextlib
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fer_audit.cli.main import main
from fer_audit.store import Store

A, B, C, D, E = (letter * 64 for letter in "abcde")


@pytest.fixture
def store(tmp_path):
    """A store in which every artefact was made from the one before, and one from nothing."""
    store = Store(tmp_path / "store")
    put(store, "arrays", A, "rows")
    put(store, "trainings", B, "ghostface · none · seed 0 · utility", ("arrays", A))
    put(store, "signals", C, "ghostface · identity", ("trainings", B))
    put(store, "attacks", D, "shadow-mia", ("trainings", B))
    put(store, "latencies", E)
    return store


def put(store, kind, key, title="", *uses):
    store.write(kind, key, lambda folder: (folder / "value.txt").write_text("12345"), title=title, uses=uses)


def act(store, *words):
    return main(["store", *words, "--store", str(store.root)])


def tree(store):
    """Every file of the store with its content, but the lock."""
    return {
        str(path.relative_to(store.root)): path.read_bytes() if path.is_file() else None
        for path in store.root.rglob("*")
        if path.name != "lock"
    }


def kept(store):
    return {key for _, key in names(store)}


def names(store):
    folders = [manifest.parent for manifest in store.root.glob("*/*/manifest.json")]
    return [(folder.parent.name, folder.name) for folder in folders if folder.parent.name not in ("tmp", "damaged")]


@pytest.fixture
def wants(monkeypatch):
    """Lets a grid want what its name says, `bc` the artefacts B and C."""
    kinds = {"a": "arrays", "b": "trainings", "c": "signals", "d": "attacks", "e": "latencies"}
    monkeypatch.setattr("fer_audit.grid.read_grid", lambda path: path.name)

    def plan(name, store):
        trainings = {name: SimpleNamespace(fitted=True)}
        return SimpleNamespace(wanted=lambda: {(kinds[letter], letter * 64) for letter in name}, trainings=trainings)

    monkeypatch.setattr("fer_audit.plan.make_plan", plan)


def test_list_counts_each_kind(store, capsys):
    assert act(store, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"store {store.root}"
    assert [line.split()[:2] for line in lines[2:]] == [
        ["arrays", "1"],
        ["attacks", "1"],
        ["latencies", "1"],
        ["signals", "1"],
        ["trainings", "1"],
        ["total", "5"],
    ]


def test_list_shows_the_artefacts_of_a_kind_on_a_line_each(store, capsys):
    put(store, "trainings", C, "x" * 200)
    assert act(store, "list", "trainings") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("b" * 12 + " ")
    assert lines[0].endswith("  ghostface · none · seed 0 · utility")
    assert lines[1].endswith("  " + "x" * 200)


def test_list_mentions_leftovers(store, capsys):
    store.record_failure("f", "why")
    assert act(store, "list") == 0
    assert "leftovers: failure notes 1 (3 bytes); fer-audit store prune removes them" in capsys.readouterr().out


def test_an_empty_store_is_listed(tmp_path, capsys):
    assert act(Store(tmp_path / "store"), "list") == 0
    assert "no artefacts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "traings"], "did you mean 'trainings'?"),
        (["list", "tmp"], "expected one of: arrays, attacks, latencies, signals, trainings"),
        (["list", "--store", "absent"], "there is no store at absent"),
        (["verify", "--store", "."], "'.' is not a store"),
        (["prune", "--store", "absent"], "there is no store at absent"),
        (["prune", "absent.yaml"], "absent.yaml"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(store, words, said, monkeypatch, capsys):
    monkeypatch.chdir(store.root.parent)
    before = tree(store)
    assert main(["store", *words[:1], "--store", str(store.root), *words[1:]]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert tree(store) == before


@pytest.mark.parametrize("days", ["-1", "nan", "soon"])
def test_days_are_a_number(store, days, capsys):
    with pytest.raises(SystemExit) as ended:
        act(store, "prune", "--older-than", days)
    assert ended.value.code == 2
    assert f"expected a number of days, at least 0, received '{days}'" in capsys.readouterr().err


def flip(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize(
    ("harm", "name", "wrong"),
    [
        (flip, "value.txt", "value.txt was truncated or altered"),
        (truncate, "value.txt", "value.txt was truncated or altered"),
        (flip, "about.json", "about.json was truncated or altered"),
        (truncate, "manifest.json", "its manifest is missing or unreadable"),
        (os.remove, "value.txt", "value.txt is missing or unreadable"),
        (os.remove, "manifest.json", "its manifest is missing or unreadable"),
    ],
)
def test_verify_names_the_damaged_one_and_puts_it_aside(store, harm, name, wrong, capsys):
    harm(store.path("trainings", B) / name)
    assert act(store, "verify") == 3
    said = capsys.readouterr().out
    assert f"damaged: trainings/{'b' * 12}" in said
    assert wrong in said
    assert said.count("damaged:") == 1
    assert f"put aside in {store.root / 'damaged'}" in said
    assert "4 of 5 artefacts are whole" in said
    assert kept(store) == {A, C, D, E}
    assert len(list((store.root / "damaged").iterdir())) == 1
    assert act(store, "verify") == 0
    assert "4 of 4 artefacts are whole" in capsys.readouterr().out


def test_verify_of_a_whole_store_changes_nothing(store, capsys):
    before = tree(store)
    assert act(store, "verify") == 0
    assert capsys.readouterr().out.startswith("5 of 5 artefacts are whole")
    assert tree(store) == before


def test_verify_goes_on_where_it_can_not_put_aside(store, capsys):
    flip(store.path("arrays", A) / "value.txt")
    flip(store.path("latencies", E) / "value.txt")
    (store.root / "damaged").write_text("a file in the way")
    assert act(store, "verify") == 3
    said = capsys.readouterr().out
    assert said.count("damaged: ") == said.count("not put aside: can't write to the store") == 2
    assert "3 of 5 artefacts are whole" in said


def test_prune_without_a_grid_removes_leftovers_alone(store, capsys):
    before = tree(store)
    store.record_failure("f", "why")
    (store.root / "damaged" / "x").mkdir(parents=True)
    (store.root / "tmp" / "999999999-x").mkdir()
    (store.root / "logs").mkdir()
    (store.root / "logs" / "999999999-worker-0.log").write_text("said")
    assert act(store, "prune") == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("failure notes", "damaged", "unfinished", "logs"))
    assert "removed; artefacts that stay: 5" in said
    assert tree(store) == {**before, "failures": None, "damaged": None, "logs": None}
    assert act(store, "prune") == 0
    assert capsys.readouterr().out == "nothing to remove\n"


@pytest.mark.parametrize(
    ("grids", "stays"),
    [
        (["a"], {A, E}),
        (["b"], {A, B, D, E}),
        (["c"], {A, B, C, D, E}),
        (["a", "c"], {A, B, C, D, E}),
        (["e"], {E}),
    ],
)
def test_prune_keeps_what_a_grid_wants_with_all_that_it_was_made_from(store, wants, grids, stays, capsys):
    assert act(store, "prune", *grids) == 0
    assert kept(store) == stays
    assert not list((store.root / "tmp").iterdir())
    said = capsys.readouterr().out
    assert ("nothing to remove" in said) == (len(stays) == 5)


def test_prune_keeps_what_the_plan_of_a_grid_needs_if_it_was_ever_run(store, tmp_path, capsys):
    from fer_audit.grid import read_grid
    from fer_audit.plan import make_plan

    grid = tmp_path / "g.yaml"
    grid.write_text("dataset: {name: synthface, params: {rows: 40, test_rows: 20}}\nmodels: [mini-xception]\n")
    before = set(names(store))
    plan = make_plan(read_grid(grid), store)
    planned = set(names(store)) - before
    assert {kind for kind, _ in planned} == {"arrays", "datasets"}
    before = set(names(store))
    assert act(store, "prune", str(grid)) == 2
    assert set(names(store)) == before
    said = capsys.readouterr().err
    assert "none of the 1 trainings of" in said
    assert "nothing was removed" in said
    put(store, "trainings", next(iter(plan.trainings)))
    assert act(store, "prune", str(grid)) == 0
    assert set(names(store)) == planned | {("trainings", next(iter(plan.trainings))), ("latencies", E)}


def test_prune_says_how_much_of_each_kind_goes_before_it_removes(store, wants, monkeypatch, capsys):
    said = []
    monkeypatch.setattr(Store, "remove", lambda *_: said.append(capsys.readouterr().out))
    assert act(store, "prune", "a") == 0
    rows = {line.split()[0]: line.split()[1] for line in said[0].splitlines() if line}
    assert {kind: rows[kind] for kind in ("attacks", "signals", "trainings", "total")} == {
        "attacks": "1",
        "signals": "1",
        "trainings": "1",
        "total": "3",
    }


def test_prune_keeps_what_is_new(store, wants):
    for kind, key in (("arrays", A), ("trainings", B), ("signals", C), ("latencies", E)):
        for file in store.path(kind, key).iterdir():
            os.utime(file, (1e9, 1e9))
    assert act(store, "prune", "--older-than", "30") == 0
    assert kept(store) == {A, B, D}  # the attack is new
    assert act(store, "prune", "a", "--older-than", "30") == 0
    assert kept(store) == {A, B, D}
    assert act(store, "prune", "--older-than", "0") == 0
    assert kept(store) == set()


def test_a_dry_run_changes_nothing(store, wants, capsys):
    store.record_failure("f", "why")
    before = tree(store)
    assert act(store, "prune", "e", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "trainings" in said
    assert "failure notes" in said
    assert "dry run: nothing was removed; artefacts that stay: 1" in said
    assert tree(store) == before


@contextlib.contextmanager
def a_run(store):
    """Another process that uses the store until it is ended."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom fer_audit.store import Store\n"
        "with Store(Path(sys.argv[1])).in_use():\n    print('in use', flush=True)\n    sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(store.root)], **pipes) as process:
        assert process.stdout.readline() == "in use\n"
        yield
        process.kill()


def test_prune_waits_for_runs_to_end(store, wants, capsys):
    before = tree(store)
    with a_run(store):
        assert act(store, "prune", "e") == 2
        assert "a run is using the store" in capsys.readouterr().err
        assert tree(store) == before
        assert act(store, "prune", "e", "--dry-run") == 0
        assert act(store, "verify") == 0
        assert act(store, "list") == 0
    assert act(store, "prune", "e") == 0
    assert kept(store) == {E}


@pytest.mark.parametrize("survived", range(4))
@pytest.mark.parametrize("error", [KeyboardInterrupt, PermissionError(13, "Permission denied")])
def test_a_prune_that_is_cut_short_leaves_only_whole_artefacts_with_all_they_use(
    store, wants, survived, error, monkeypatch, capsys
):
    left = [None] * survived
    remove = shutil.rmtree

    def fail(path, **options):
        if not left:
            raise error
        left.pop()
        remove(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", fail)
        assert act(store, "prune", "e") == (130 if error is KeyboardInterrupt else 2)
    assert capsys.readouterr().err.count("\n") == 1
    assert len(kept(store)) == 4 - survived
    for kind, key in names(store):
        assert store.damage(kind, key) is None
        about = store.about(kind, key)
        assert all(store.has(*use) for use in (about.uses if about else ()))
    assert act(store, "prune", "e") == 0
    assert kept(store) == {E}


def test_neither_list_nor_verify_nor_prune_imports_tensorflow(store):
    code = (
        "import sys\nfrom fer_audit.cli.main import main\n"
        f"for action in ('list', 'verify', 'prune'):\n    main(['store', action, '--store', {str(store.root)!r}])\n"
        "sys.exit(f'{heavy}' if (heavy := {'tensorflow', 'keras', 'imgaug'} & set(sys.modules)) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "--store is empty; expected a folder"),
        ("s3://", "names no place; expected an address such as s3://bucket/folder"),
        ("memory://x", "would be gone with this process"),
    ],
)
def test_what_is_no_place_for_a_store_is_refused(given, said, capsys):
    assert main(["store", "list", "--store", given]) == 2
    assert said in capsys.readouterr().err
