import pytest

from fer_audit.data.folders import Folders
from fer_audit.errors import DataError, PluginError


@pytest.fixture
def make(tmp_path, write_image):
    """Writes `count` images into each folder of `root`."""

    def make(*folders, count=4):
        for number, folder in enumerate(folders):
            for i in range(count):
                write_image(tmp_path / "root" / folder / f"S{i // 2:03d}_{i}.png", 10 * number + i)
        return tmp_path

    return make


def load(base, **params):
    return Folders(root="root", **params).load(8, base)


def test_folders_name_splits_and_classes(make):
    data = load(make("train/angry", "train/Happy", "train/bored", "test/angry", "test/Happy", "test/bored"))
    assert data.classes == ("happiness", "anger", "bored")
    assert (len(data.pool), len(data.test)) == (12, 12)
    for name, label, image in zip(data.pool.names, data.pool.labels, data.pool.images, strict=True):
        folder = name.split("/")[1]
        assert data.classes[label] == {"angry": "anger", "Happy": "happiness", "bored": "bored"}[folder]
        assert (image == {"angry": 0, "Happy": 10, "bored": 20}[folder] + int(name[-5])).all()


def test_class_folders_are_split_at_random(make):
    data = load(make("sad", "fearful", "surprised", "disgusted"))
    assert data.classes == ("sadness", "surprise", "fear", "disgust")
    assert (len(data.pool), len(data.test)) == (12, 4)
    assert data.pool.subjects is None


def test_subjects_come_from_the_paths_and_stay_together(make):
    data = load(make("sad", "happy", count=8), subject_pattern=r"S\d+")
    assert not set(data.pool.subjects) & set(data.test.subjects)
    assert len({*data.pool.subjects, *data.test.subjects}) == 4
    grouped = load(make("sad", "happy"), subject_pattern=r"S0*(\d)_")
    assert len({*grouped.pool.subjects, *grouped.test.subjects}) == 4


def test_numbered_folders_take_the_names_they_are_given(make):
    data = load(make("1", "2", "7"), classes={1: "surprise", "2": "fear", 7: None})
    assert data.classes == ("surprise", "fear")
    assert len(data.pool) + len(data.test) == 8


def test_splits_may_have_other_names(make):
    base = make("Train/sad", "valid/sad", "extra/sad", "other/sad")
    data = load(base, splits={"Train": "train", "extra": "train", "valid": "test"})
    assert (len(data.pool), len(data.test)) == (8, 4)


def test_files_that_are_no_images_are_passed_over(make):
    base = make("sad", "happy")
    (base / "root" / "sad" / "Thumbs.db").write_bytes(b"")
    (base / "root" / "sad" / "._S000_0.png").write_bytes(b"")
    (base / "root" / "list.txt").write_text("")
    assert len(Folders(root="root").sources(base)) == 8


# Each trap: folders, parameters, what the error says.
TRAPS = {
    "numbered": (("1", "2"), {}, "folder '1'"),
    "numbered says so": (("1", "2"), {}, "say for instance `classes: {1: surprise"),
    "no test": (("train/sad",), {}, "no folder for test"),
    "validation": (("train/sad", "test/sad", "valid/sad"), {}, "folder 'valid' is no split"),
    "unknown folder": (("sad", "hapy"), {"classes": {"sad": "sadness"}}, "folder 'hapy'"),
    "class without folder": (("sad",), {"classes": {"sad": "sadness", "happy": "happiness"}}, "no folder 'happy'"),
    "split without folder": (("train/sad", "tset/sad"), {"splits": {"train": "train", "test": "test"}},
        "did you mean 'tset'"),
    "unknown split": (("train/sad", "val/sad"), {"splits": {"train": "train", "val": "val"}}, "split 'val'"),
    "no subject": (("sad",), {"subject_pattern": "P[0-9]"}, r"sad/S000_0\.png"),
    "nothing": ((), {}, "has no class folders"),
    "population twice": (("train/sad", "test/sad"), {"population_fraction": 0.1}, "expected population_fraction 0"),
    "all left out": (("sad",), {"classes": {"sad": None}}, "has no classes"),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_are_named(make, tmp_path, trap):
    folders, params, message = TRAPS[trap]
    (tmp_path / "root").mkdir()
    with pytest.raises(DataError, match=message) as caught:
        load(make(*folders), **params)
    assert "root" in str(caught.value)


def test_an_empty_class_is_named(make):
    base = make("sad")
    (base / "root" / "happy").mkdir()
    with pytest.raises(DataError, match="no images in 'happy'"):
        load(base)


def test_an_unreadable_image_is_named(make):
    base = make("sad")
    (base / "root" / "sad" / "S000_0.png").write_bytes(b"GIF")
    with pytest.raises(DataError, match=r"sad/S000_0\.png: can't read"):
        load(base)


def test_no_root(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        load(tmp_path)


def test_a_broken_pattern_is_a_parameter_error():
    with pytest.raises(PluginError, match="subject_pattern"):
        Folders(root="root", subject_pattern="(")


def test_the_pattern_is_part_of_the_identity(make):
    base = make("sad")
    plain, patterned = (Folders(root="root", subject_pattern=pattern) for pattern in (None, r"S\d+"))
    assert plain.fingerprint(8, base) != patterned.fingerprint(8, base)
