import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.data.dataset import Rows
from fer_audit.data.folders import Folders
from fer_audit.data.listing import Item, Listing, _without_copies
from fer_audit.data.manifest import Manifest
from fer_audit.errors import DataError


@pytest.fixture
def folders(tmp_path, write_face):
    for label in ("fear", "anger"):
        for row in range(12):
            write_face(tmp_path / "D" / label / f"{row}.png")
    return tmp_path


def test_all_bad_images_are_listed_or_left_out_and_counted(folders):
    for row in range(11):
        (folders / "D" / "fear" / f"{row}.png").write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        Folders(root="D").load(8, folders)
    assert all(f"fear/{row}.png" in str(caught.value) for row in range(11))
    assert "on_bad_image: skip" in str(caught.value)
    for row in range(9):
        (folders / "D" / "fear" / f"{row}.png").write_bytes((folders / "D" / "anger" / f"{row}.png").read_bytes()[::-1])
    data = Folders(root="D", on_bad_image="skip", test_fraction=0.1).load(8, folders)
    assert len(data.pool) + len(data.test) == 13
    assert data.remarks == (
        "11 of 24 images can't be read and were left out: fear/0.png, fear/1.png, fear/10.png, ...",
    )


def test_copies_stay_on_one_side_of_a_random_split(folders, write_face):
    for row in range(6):
        (folders / "D" / "fear" / f"copy{row}.png").write_bytes((folders / "D" / "fear" / f"{row}.png").read_bytes())
    for seed in range(4):
        data = Folders(root="D", split_seed=seed, test_fraction=0.4).load(8, folders)
        assert not set(data.pool.copies.tolist()) & set(data.test.copies.tolist())
        assert data.pool.units is not None


def test_one_row_for_every_image(tmp_path, write_face):
    with pytest.raises(DataError, match="here has no labelled images"):
        Listing.of("here", [])
    path = write_face(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"no image .*b\.png"):
        Listing.of("here", [Item("a", path, "fear"), Item("b", tmp_path / "b.png", "fear")])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=30))
def test_dropped_copies_leave_every_group_in_one_split(rows):
    part, group = np.array(rows).T.astype(np.int64)
    kept, remark = _without_copies(part, group)
    for number in np.unique(group):
        there, before = set(kept[group == number].tolist()) - {-1}, set(part[group == number].tolist())
        # Test (1) comes before train (0), and that before the population (2).
        assert there == {next(split for split in (1, 0, 2) if split in before)}
    assert bool(remark) == bool((kept == -1).any())


def test_units_join_people_and_copies():
    def units(subjects, copies):
        rows = Rows(
            np.zeros((4, 1, 1, 3), np.uint8),
            np.zeros(4, np.int64),
            tuple("abcd"),
            subjects=None if subjects is None else np.array(subjects),
            copies=None if copies is None else np.array(copies),
        )
        return None if rows.units is None else rows.units.tolist()

    assert units(None, None) is None
    assert units(None, [0, 1, 2, 3]) is None
    assert units([7, 7, 8, 9], [0, 1, 2, 3]) == [7, 7, 8, 9]
    assert units(None, [0, 1, 0, 3]) == [0, 1, 0, 3]
    assert units([7, 7, 8, 9], [0, 1, 1, 3]) == [0, 0, 0, 3]


def test_many_files_are_read_as_few_are(tmp_path, write_face, monkeypatch):
    paths = [write_face(tmp_path / f"{row}.png") for row in range(600)]
    paths[300].write_bytes(b"nothing")
    from fer_audit.data import images

    few = images.read_images(paths, 8)
    monkeypatch.setattr(images, "_WORTH_PROCESSES", 100)
    many = images.read_images(paths, 8)
    assert np.array_equal(few.images, many.images)
    assert np.array_equal(few.traits, many.traits)
    assert few.problems == many.problems
    assert list(few.problems) == [300]


def test_a_listing_of_a_manifest_names_its_csv_as_a_source(tmp_path, write_face):
    write_face(tmp_path / "a.png")
    (tmp_path / "m.csv").write_text("image,label\na.png,fear\n")
    assert Manifest(path="m.csv").sources(tmp_path) == [tmp_path / "m.csv", tmp_path / "a.png"]
