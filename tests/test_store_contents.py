"""What lies in a store, and what may go."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.errors import StoreError
from fer_audit.store import About, Store
from fer_audit.store_contents import GRID_KINDS, Artefact, artefacts, discard, kinds, leftovers, open_store, unwanted


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def artefact(name, *uses, modified=0.0):
    """`array:a` is the artefact `a` of the kind `arrays`."""
    return Artefact(*split(name), size=1, modified=modified, about=About("", tuple(split(use) for use in uses)))


def split(name):
    kind, _, key = name.partition(":")
    return f"{kind}s", key


def removed(present, wanted=None, before=None):
    """Names of what goes, in order of the alphabet."""
    gone = unwanted(present, None if wanted is None else {split(name) for name in wanted}, before)
    return sorted(f"{one.kind[:-1]}:{one.key}" for one in gone)


CHAIN = [
    artefact("array:rows"),
    artefact("array:spare"),
    artefact("attack:lost", "training:gone"),
    artefact("attack:t", "training:t"),
    artefact("attack:tu", "training:t", "training:u"),
    artefact("dataset:d"),
    artefact("signal:t", "training:t"),
    artefact("signal:u", "training:u"),
    artefact("training:t", "array:rows", "dataset:d"),
    artefact("training:u", "array:spare", "dataset:d"),
    artefact("latencie:m"),
    artefact("cost:m"),
]


@pytest.mark.parametrize(
    ("wanted", "gone"),
    [
        (None, []),
        ([], [f"{one.kind[:-1]}:{one.key}" for one in CHAIN if one.kind not in ("latencies", "costs")]),
        (["training:t"], ["array:spare", "attack:lost", "attack:tu", "signal:t", "signal:u", "training:u"]),
        (["signal:t"], ["array:spare", "attack:lost", "attack:tu", "signal:u", "training:u"]),
        (["signal:t", "signal:u"], ["attack:lost"]),
        (["signal:t", "signal:u", "training:gone"], []),
        (["attack:tu"], ["attack:lost", "signal:t", "signal:u"]),
        (
            ["array:rows", "dataset:d"],
            ["array:spare", "attack:lost", "attack:t", "attack:tu", "signal:t", "signal:u", "training:t", "training:u"],
        ),
    ],
)
def test_what_no_grid_wants_goes_with_all_that_was_made_from_it(wanted, gone):
    assert removed(CHAIN, wanted) == gone


AGED = [
    artefact("array:old", modified=1),
    artefact("array:both", modified=1),
    artefact("training:old", "array:old", "array:both", modified=2),
    artefact("training:new", "array:both", modified=9),
    artefact("attack:old", "training:old", modified=3),
    artefact("latencie:old", modified=1),
]


@pytest.mark.parametrize(
    ("wanted", "before", "gone"),
    [
        (None, 5, ["array:old", "attack:old", "latencie:old", "training:old"]),
        (None, 0, []),
        (None, 99, ["array:both", "array:old", "attack:old", "latencie:old", "training:new", "training:old"]),
        ([], 5, ["array:old", "attack:old", "training:old"]),
        (["training:old"], 5, []),
        (["training:old"], 99, ["training:new"]),
    ],
)
def test_what_is_new_stays_with_all_that_it_was_made_from(wanted, before, gone):
    assert removed(AGED, wanted, before) == gone


@st.composite
def stores(draw):
    """Artefacts that use earlier ones, or some that were lost."""
    present = []
    kind = st.sampled_from(["array", "training", "signal", "attack", "cost"])
    for number in range(draw(st.integers(0, 9))):
        known = [f"{one.kind[:-1]}:{one.key}" for one in present] + ["training:lost"]
        uses = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
        present.append(artefact(f"{draw(kind)}:{number}", *uses, modified=draw(st.integers(0, 3))))
    return draw(st.permutations(present))


@settings(deadline=None)
@given(stores(), st.data())
def test_no_artefact_ever_lacks_what_it_was_made_from(present, data):
    names = [one.name for one in present]
    wanted = data.draw(st.none() | st.sets(st.sampled_from([*names, ("trainings", "lost")])))
    before = data.draw(st.none() | st.integers(0, 4))
    gone = [one.name for one in unwanted(present, wanted, before)]
    kept = {one.name: one for one in present}
    for name in gone:  # at every step, so that a removal that is cut short does no harm
        del kept[name]
        assert not any(use in names and use not in kept for one in kept.values() for use in one.uses)
    assert len(set(gone)) == len(gone)
    assert not set(gone) & (wanted or set())
    if before is not None:
        assert all(one.modified < before for one in present if one.name in gone)
    if wanted is None and before is None:
        assert not gone


@settings(deadline=None)
@given(stores(), st.data())
def test_what_stays_has_a_reason_and_what_goes_has_none(present, data):
    wanted = data.draw(st.sets(st.sampled_from([*(one.name for one in present), ("trainings", "lost")])))
    gone = {one.name for one in unwanted(present, wanted)}
    kept = [one for one in present if one.name not in gone]
    needed = wanted | {use for one in kept for use in one.uses}
    for one in present:
        if one.kind in GRID_KINDS:
            assert (one.name in gone) == (one.name not in needed)
        elif one.name not in wanted and one.name in gone:
            assert any(use in gone or use == ("trainings", "lost") for use in one.uses)


def test_uses_that_go_in_a_circle_end():
    assert removed([artefact("signal:a", "signal:b"), artefact("signal:b", "signal:a")], []) == ["signal:a", "signal:b"]


def test_artefacts_have_size_age_and_title(store):
    folder = store.write("things", "k", lambda folder: (folder / "a.txt").write_text("12345"), title="five")
    store.write("other", "k", lambda folder: None)
    for file in folder.iterdir():
        os.utime(file, (100, 100))
    os.utime(folder / "a.txt", (200, 200))
    assert kinds(store) == ["other", "things"]
    (found,) = artefacts(store, "things")
    assert found.size == sum(file.stat().st_size for file in folder.iterdir())
    assert (found.modified, found.title, found.uses) == (200, "five", ())
    assert [one.kind for one in artefacts(store)] == ["other", "things"]


def test_an_artefact_that_lost_its_manifest_is_still_one(store):
    (store.root / "signals" / ("0" * 64)).mkdir(parents=True)
    (store.root / "photos" / "2020").mkdir(parents=True)
    assert kinds(store) == ["signals"]
    assert [one.size for one in artefacts(store)] == [0]


def test_leftovers_are_what_nobody_reads_again(store):
    store.write("things", "k", lambda folder: (folder / "f").write_text("whole"))
    store.put_aside("things", "k")
    store.record_failure("f", "why")
    store.write("things", "k", lambda folder: (folder / "f").write_text("whole"))
    (store.root / "tmp" / "999999999-x").mkdir()
    (store.root / "tmp" / f"{os.getpid()}-x").mkdir()
    (store.root / "logs").mkdir()
    for name in ("999999999-worker-0.log", f"{os.getpid()}-worker-0.log", "999999999-attempts.jsonl", "my notes.txt"):
        (store.root / "logs" / name).write_text("said")
    found = leftovers(store)
    assert [one.kind for one in found] == ["damaged", "unfinished", "failure notes", "logs", "logs"]
    for leftover in found:
        discard(leftover)
    assert not leftovers(store)
    assert store.has("things", "k")
    assert (store.root / "logs" / f"{os.getpid()}-worker-0.log").exists()
    assert (store.root / "logs" / "my notes.txt").exists()


def test_a_link_among_the_leftovers_goes_without_what_it_points_to(store, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (store.root / "damaged").mkdir()
    (store.root / "damaged" / "link").symlink_to(target)
    discard(leftovers(store)[0])
    assert target.exists()
    assert not leftovers(store)


def test_a_store_is_opened_and_never_made(tmp_path):
    with pytest.raises(StoreError, match="there is no store at"):
        open_store(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("folders", [[], ["tmp", "logs", "src/pkg"], ["logs", "trainings/x"]])
def test_a_folder_that_is_no_store_is_left_alone(folders, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(StoreError, match="is not a store"):
        open_store(tmp_path)


def test_a_store_of_which_only_claims_were_made_is_one(store):
    with store.claim("trainings", "0" * 64, wait=False):
        open_store(store.root)
    (store.root / "unsent").mkdir()
    open_store(store.root)
    assert kinds(store) == []


def test_a_new_a_locked_and_a_filled_store_are_stores(store):
    open_store(store.root)
    (store.root / "notes.txt").write_text("my own")
    with store.in_use(), store.claim("trainings", "0" * 64, wait=False):
        open_store(store.root)
        assert artefacts(store) == []
    (store.root / "lock").unlink()
    store.write("things", "k", lambda folder: None)
    open_store(store.root)
