import csv
import json

import numpy as np
import pytest
from PIL import Image

from fer_audit.data.faces.prepare import Prepared, Settings, prepare
from fer_audit.data.listing import Item, Listing
from fer_audit.data.manifest import Manifest
from fer_audit.errors import DataError

NONE = Settings("none", size=24)


def run(listing, out, settings=NONE, on_missing="keep", **options):
    """Records of this run, and its outcome."""
    *records, outcome = prepare(listing, out, settings, on_missing, workers=options.pop("workers", 1), **options)
    assert isinstance(outcome, Prepared)
    return records, outcome


@pytest.fixture
def listing(tmp_path, write_face):
    items = [
        Item(
            f"{label}/{row}.jpg",
            write_face(tmp_path / "src" / label / f"{row}.jpg"),
            label,
            split,
            f"p{row}",
            "",
            {"age": "old"},
        )
        for label, split in (("fear", "train"), ("anger", "test"))
        for row in range(3)
    ]
    return Listing.of("src", items)


def test_everything_is_written_and_is_a_dataset_again(tmp_path, listing):
    records, outcome = run(listing, tmp_path / "out")
    assert (len(records), outcome.total, outcome.done_before) == (6, 6, 0)
    made = Manifest(path="out/manifest.csv").listing(tmp_path)
    assert made.labels == listing.labels
    assert made.splits == listing.splits
    assert made.subjects == listing.subjects
    assert made.attributes["age"] == ("old",) * 6
    for path in made.paths:
        with Image.open(path) as image:
            assert image.size == (24, 24)
    about = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert (about["images"], about["settings"]["size"]) == (6, 24)


def test_a_second_run_repeats_nothing_but_what_changed(tmp_path, listing, write_face):
    out = tmp_path / "out"
    run(listing, out)
    assert run(listing, out)[0] == []
    write_face(listing.paths[2])
    (out / "images" / "anger" / "1.png").unlink()
    records, outcome = run(listing, out)
    assert sorted(record["target"] for record in records) == ["anger/1.png", "fear/2.png"]
    assert outcome.done_before == 4


def test_a_killed_run_is_gone_on_with(tmp_path, listing):
    out = tmp_path / "out"
    steps = prepare(listing, out, NONE, "keep", workers=1)
    for _ in range(3):
        next(steps)
    steps.close()
    with (out / "journal.jsonl").open("a") as journal:
        journal.write('{"target": "fea')  # the line under way
    records, outcome = run(listing, out)
    assert (len(records), outcome.done_before) == (3, 3)
    assert run(listing, out)[0] == []


def test_other_settings_and_other_folders_are_refused(tmp_path, listing):
    out = tmp_path / "out"
    run(listing, out)
    with pytest.raises(DataError, match=r"was prepared with other settings \(size 24\).*--overwrite"):
        run(listing, out, Settings("none", size=32))
    records, _ = run(listing, out, Settings("none", size=32), overwrite=True)
    assert len(records) == 6
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="is not empty, and no preparation wrote it"):
            run(listing, tmp_path / "mine", overwrite=overwrite)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_names_never_collide_or_leave_the_folder(tmp_path, write_face):
    names = ("a/x.jpg", "a/x.png", "../up.jpg", "/root/abs.jpg", "p.jpg#1", "p.jpg#2")
    path = write_face(tmp_path / "x.png")
    listing = Listing.of("src", [Item(name, path, "fear") for name in names])
    records, _ = run(listing, tmp_path / "out")
    targets = sorted(record["target"] for record in records)
    assert targets == ["a/x.jpg.png", "a/x.png.png", "p.jpg#1.png", "p.jpg#2.png", "root/abs.png", "up.png"]
    assert all((tmp_path / "out" / "images" / target).is_file() for target in targets)
    with pytest.raises(DataError, match=r"'x.jpg' is listed 2 times"):
        run(Listing.of("src", [Item("x.jpg", path, "fear")] * 2), tmp_path / "other")


@pytest.mark.parametrize("on_missing", ["keep", "skip", "error"])
def test_images_without_a_face_are_told_and_dealt_with(tmp_path, listing, on_missing):
    out = tmp_path / "out"
    settings = Settings("haar", size=24)
    if on_missing == "error":
        with pytest.raises(
            DataError, match=r"has 6 problems; expected a face in every image(.|\n)*no face in fear/0.jpg"
        ):
            run(listing, out, settings, on_missing)
    else:
        _, outcome = run(listing, out, settings, on_missing)
        assert outcome.missing == listing.names
    with (out / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["face"] for row in rows] == ["missing"] * (6 if on_missing == "keep" else 0)
    assert (out / "missing.txt").read_text().splitlines() == list(listing.names)
    with (out / "faces.csv").open() as file:
        done = {row["done"] for row in csv.DictReader(file)}
    assert done == {"whole image" if on_missing == "keep" else "left out"}
    # A change of mind does what is wanting, and no more.
    records, outcome = run(listing, out, settings, "keep")
    assert len(records) == (0 if on_missing == "keep" else 6)


def test_unreadable_images_are_told_after_all_others_are_done(tmp_path, listing):
    listing.paths[1].write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"src has 1 problem(.|\n)*fear/1.jpg: can't read"):
        run(listing, tmp_path / "out")
    with (tmp_path / "out" / "manifest.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5


def test_pixels_without_files_are_refused(tmp_path):
    listing = Listing("fer2013.csv", ("a",), ("a",), ("fear",), pixels=np.zeros((1, 48, 48), np.uint8))
    with pytest.raises(DataError, match="its faces are cut out already"):
        run(listing, tmp_path / "out")


def test_mtcnn_finds_and_aligns_real_faces_in_a_process_of_its_own(tmp_path, real_faces):
    everything = Manifest(path="labels.csv").listing(real_faces)
    listing = everything.take(np.arange(0, len(everything), 75))
    _, outcome = run(listing, tmp_path / "out", Settings("mtcnn", size=64))
    assert sum(outcome.found.values()) >= 0.95 * outcome.total
    made = Manifest(path="manifest.csv").listing(tmp_path / "out")
    assert len(made) == len(listing)
    with (tmp_path / "out" / "faces.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["done"] == "aligned"]
    assert len(rows) == sum(outcome.found.values())
    for row in rows:
        assert float(row["left_eye_x"]) < float(row["right_eye_x"])
        assert float(row["nose_y"]) > min(float(row["left_eye_y"]), float(row["right_eye_y"]))
