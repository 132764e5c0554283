"""Lists of members and non-members."""

import numpy as np
import pytest
from PIL import Image

from fer_audit.data.manifest import Manifest
from fer_audit.data.member_lists import MemberLists, split_membership
from fer_audit.errors import DataError

NAMES = ("neutral", "happiness", "sadness")


def write(folder, name, count, people=4, extra="", start=0):
    """`count` pictures of noise, `people` in turn, in a csv."""
    rng = np.random.default_rng(len(name) + start)
    (folder / name).mkdir(exist_ok=True)
    lines = ["image,label,subject" + (",light" if extra else "")]
    for row in range(count):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / name / f"{row}.png")
        lines.append(f"{name}/{row}.png,{NAMES[row % 3]},{name}{row // people}" + (f",{extra}" if extra else ""))
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def lists(tmp_path):
    write(tmp_path, "inside", 24, extra="day")
    write(tmp_path, "outside", 48)
    return tmp_path


def load(folder, **params):
    return MemberLists(**{"members": "inside.csv", "nonmembers": "outside.csv", **params}).load(16, folder)


def test_members_come_first_and_a_third_of_the_other_people_is_the_population(lists):
    data, member = split_membership(load(lists))
    assert member.sum() == 24
    assert member[:24].all()
    assert len(data.population) == pytest.approx(16, abs=4)
    assert len(data.pool) + len(data.population) == 72
    assert not set(data.pool.subjects) & set(data.population.subjects)
    assert data.test.names == data.pool.names[24:]
    assert data.pool.attributes == {"light": ("day",) * 24 + ("unknown",) * (len(data.pool) - 24)}
    assert data.classes == NAMES


def test_lists_that_are_given_are_taken_as_they_are(lists):
    write(lists, "more", 12)
    write(lists, "tested", 9)
    data, member = split_membership(load(lists, population="more.csv", test="tested.csv"))
    assert (len(data.pool), member.sum(), len(data.population), len(data.test)) == (72, 24, 12, 9)


def test_no_population_is_taken_where_none_is_wanted(lists):
    assert len(load(lists, population_fraction=0).population) == 0


def test_a_person_of_one_name_is_one_person(lists):
    for name in ("inside", "outside"):
        text = (lists / f"{name}.csv").read_text()
        (lists / f"{name}.csv").write_text(text.replace(f"{name}0", "anna"))
    pool = load(lists, population_fraction=0).pool
    anna = pool.subjects[0]
    assert (pool.subjects == anna).sum() == 8


def test_folders_are_lists_too(lists):
    for name in NAMES:
        (lists / "folder" / name).mkdir(parents=True)
        for row in range(4):
            pixels = np.random.default_rng([row, len(name)]).integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(lists / "folder" / name / f"{row}.png")
    data, member = split_membership(load(lists, members="folder"))
    assert member.sum() == 12
    assert data.pool.subjects is None  # as one of the lists knows no people


def test_images_of_one_name_are_told_apart_by_their_list(lists):
    for side in ("a", "b"):
        (lists / side).mkdir()
        write(lists / side, "faces", 12, start=ord(side))
    names = load(lists, members="a/faces.csv", nonmembers="b/faces.csv", population_fraction=0).pool.names
    assert len(set(names)) == 24
    assert names[0] == "members/faces/0.png"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"nonmembers": "inside.csv"}, r"24 images are in the lists members and nonmembers, the first 'inside/0\.png'"),
        ({"population": "inside.csv"}, "24 images are in the lists members and population"),
        ({"population": "outside.csv"}, "48 images are in the lists nonmembers and population"),
        ({"members": "nowhere.csv"}, r"no members at .*nowhere\.csv.*: expected a csv, or a folder"),
        ({"test": "nowhere"}, "no test at .*nowhere"),
        ({"members": "split.csv"}, "has a column `split`"),
        ({"members": "side.csv"}, "has a column 'membership'"),
    ],
)
def test_what_is_wrong_is_a_sentence(lists, params, said):
    (lists / "split.csv").write_text("image,label,split\ninside/0.png,neutral,train\n")
    (lists / "side.csv").write_text("image,label,membership\ninside/0.png,neutral,member\n")
    with pytest.raises(DataError, match=said) as error:
        load(lists, **params)
    assert "\n" not in str(error.value)


def test_labels_outside_of_the_classes_are_named(lists):
    with pytest.raises(DataError, match=r"8 problems; expected labels of `classes`(.|\n)*line 4: label 'sadness'"):
        load(lists, classes=("neutral", "happy"))
    assert load(lists, classes=("happy", "neutral"), ignore=("sad",)).classes == ("happiness", "neutral")


def test_a_class_may_be_missing_on_one_side(lists):
    lines = (lists / "inside.csv").read_text().splitlines(keepends=True)
    (lists / "inside.csv").write_text("".join(line for line in lines if "sadness" not in line))
    data, member = split_membership(load(lists))
    assert data.classes == NAMES
    assert member.sum() == 16


def test_a_population_that_takes_everyone_is_refused(lists):
    lines = (lists / "outside.csv").read_text().splitlines()
    one = [",".join([*line.split(",")[:2], "anna"]) for line in lines[1:]]
    (lists / "outside.csv").write_text("\n".join([lines[0], *one]) + "\n")
    with pytest.raises(DataError, match=r"a share of 0\.9 for the population leaves no non-member"):
        load(lists, population_fraction=0.9)
    data, member = split_membership(load(lists))
    assert (member.sum(), (~member).sum(), len(data.population)) == (24, 48, 0)


def test_images_that_can_not_be_read_are_told_or_left_out(lists):
    (lists / "inside" / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="members, line 5: can't read"):
        load(lists)
    data, member = split_membership(load(lists, on_bad_image="skip"))
    assert member.sum() == 23
    assert "1 of 72 images" in data.remarks[0]
    for path in (lists / "inside").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="no member is left"):
        load(lists, on_bad_image="skip")


def test_the_draw_of_the_population_depends_on_the_seed_alone(lists):
    one, again, other = (load(lists, split_seed=seed).population.names for seed in (0, 0, 1))
    assert one == again
    assert one != other


def test_another_dataset_says_nothing_of_membership(lists):
    with pytest.raises(DataError, match="expected the dataset member-lists"):
        split_membership(Manifest(path="outside.csv").load(16, lists))
