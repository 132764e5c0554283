"""Each check of datasets catches the mistake that it is for, and none a right dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_audit.data.dataset import Dataset, FaceData, Rows
from fer_audit.plugins import Parameters
from fer_audit.registry import Registry
from fer_audit.testing import Check, CheckFailed, NotApplicable, Subject, load_subjects, run_checks
from fer_audit.testing.dataset_checks import CHECKS, content_digest, result_digest
from fer_audit.testing.dataset_place import dataset_place, given_params

PEOPLE = range(8)


def write_faces(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for person in PEOPLE:
        for label in range(2):
            np.save(folder / f"{person}_{label}.npy", rng.integers(0, 256, (16, 16, 3), np.uint8))


class Right(Dataset):
    """Arrays whose names say person and class; the last two people are tested on. Source: none."""

    name = "right"

    class Params(Parameters):
        """Where they lie."""

        root: str = "faces"
        shift: int = 0

    params: Params

    def sources(self, base: Path) -> list[Path]:
        return sorted(self.folder(base).glob("*.npy"))

    def folder(self, base: Path) -> Path:
        return base / self.params.root

    def read(self, size: int, base: Path) -> FaceData:
        return FaceData(
            ("neutral", "happiness"),
            pool=self.rows(size, base, PEOPLE[:-2]),
            test=self.rows(size, base, PEOPLE[-2:]),
            population=self.rows(size, base, ()),
            drawn=False,
        )

    def rows(self, size: int, base: Path, people: Any) -> Rows:
        paths = [path for path in sorted(self.folder(base).glob("*.npy")) if int(path.stem[0]) in people]
        images = np.empty((len(paths), size, size, 3), np.uint8)
        for row, path in enumerate(paths):
            images[row] = np.load(path).repeat(size // 16, 0).repeat(size // 16, 1) + np.uint8(self.params.shift)
        return Rows(
            images=images,
            labels=np.array([int(path.stem[2]) for path in paths], np.int64),
            names=tuple(path.stem for path in paths),
            subjects=np.array([int(path.stem[0]) for path in paths], np.int64),
            attributes={"light": tuple("day" for _ in paths)},
        )

    @classmethod
    def example(cls, folder: Path) -> dict[str, Any] | None:
        write_faces(folder / "faces")
        return {"root": "faces"}


class Drawn(Dataset):
    """Noise. Source: none."""

    name = "drawn"

    class Params(Parameters):
        """Of the noise."""

        seed: int = 0

    params: Params

    def read(self, size: int, base: Path) -> FaceData:
        rng = np.random.default_rng([self.params.seed, size])
        pool, test = (
            Rows(
                rng.integers(0, 256, (4, size, size, 3), np.uint8),
                np.arange(4) % 2,
                tuple(f"{split}/{row}" for row in range(4)),
            )
            for split in ("pool", "test")
        )
        return FaceData(("neutral", "fear"), pool, test, pool.take(np.empty(0, np.int64)), drawn=True)


def column(**columns: Any) -> type[Dataset]:
    """The right dataset with other columns in its pool, made from the rows."""

    class Other(Right):
        """Has another column."""

        def read(self, size: int, base: Path) -> FaceData:
            data = super().read(size, base)
            return replace(data, pool=replace(data.pool, **{name: make(data.pool) for name, make in columns.items()}))

    return Other


class FewerLarge(Right):
    """Leaves a row out where images are large."""

    def rows(self, size, base, people):
        found = super().rows(size, base, people)
        return found.take(np.arange(len(found) - (size > 32 and len(found) > 4)))


class OneSize(Right):
    """Knows one size only."""

    def rows(self, size, base, people):
        return super().rows(32, base, people)


class Unseeded(Right):
    """Adds noise that nobody can repeat."""

    def rows(self, size, base, people):
        found = super().rows(size, base, people)
        found.images[:] += np.random.default_rng().integers(0, 5, found.images.shape, np.uint8)
        return found


class Counts(Right):
    """Is another one each time."""

    def rows(self, size, base, people):
        self.times = getattr(self, "times", 0) + 1
        found = super().rows(size, base, people)
        found.images[:] += np.uint8(self.times)
        return found


class Global(Right):
    """Draws from NumPy's global generator."""

    def rows(self, size, base, people):
        found = super().rows(size, base, people)
        return found.take(np.random.permutation(len(found)))  # noqa: NPY002


class SplitByImage(Right):
    """Tests on other images of people that it trains on."""

    def read(self, size, base):
        rows = self.rows(size, base, PEOPLE)
        first, others = np.arange(0, len(rows), 3), np.flatnonzero(np.arange(len(rows)) % 3)
        return replace(super().read(size, base), pool=rows.take(others), test=rows.take(first))


class HalfKnown(Right):
    """Knows people of one split only."""

    def read(self, size, base):
        data = super().read(size, base)
        return replace(data, test=replace(data.test, subjects=None))


class SameImages(Right):
    """Tests on images that it trains on, under other names."""

    def read(self, size, base):
        data = super().read(size, base)
        images = data.test.images.copy()
        images[0] = data.pool.images[2]
        return replace(data, test=replace(data.test, images=images))


class WritesBeside(Right):
    """Keeps what it read."""

    def rows(self, size, base, people):
        found = super().rows(size, base, people)
        np.save(base / f"cache_{size}.npy", found.images)
        return found


class Touches(Right):
    """Writes the same again."""

    def rows(self, size, base, people):
        for path in self.sources(base):
            path.write_bytes(path.read_bytes())
        return super().rows(size, base, people)


class Removes(Right):
    """Tidies up."""

    def rows(self, size, base, people):
        (base / "faces" / "note.txt").unlink(missing_ok=True)
        return super().rows(size, base, people)

    @classmethod
    def example(cls, folder):
        params = super().example(folder)
        (folder / "faces" / "note.txt").touch()
        return params


class SecretFile(Right):
    """Reads a file that is no source."""

    def rows(self, size, base, people):
        light = (self.folder(base) / "light.txt").read_text()
        found = super().rows(size, base, people)
        return replace(found, attributes={"light": (light,) * len(found)})

    @classmethod
    def example(cls, folder):
        params = super().example(folder)
        (folder / "faces" / "light.txt").write_text("lamp")
        return params


class OptionalFile(SecretFile):
    """Reads a file that is no source, where it is there."""

    def rows(self, size, base, people):
        there = (self.folder(base) / "light.txt").is_file()
        return super().rows(size, base, people) if there else Right.rows(self, size, base, people)


class MissingSource(Right):
    """Names a source that is not there."""

    def sources(self, base):
        return [*super().sources(base), base / "light.txt"]


class DiskOrder(Right):
    """Names sources in the order in which they were written."""

    def sources(self, base):
        return sorted(super().sources(base), key=lambda path: path.stat().st_mtime_ns)


class WorkingDirectory(Right):
    """Starts from the working directory."""

    def folder(self, base):
        return Path(self.params.root)


class NeedsRelativeBase(Right):
    """Looks beside the working directory if the base is relative."""

    def folder(self, base):
        return (base if base.is_absolute() else Path()) / self.params.root


class OwnIdentity(Right):
    """Forgets its parameters."""

    def identity(self):
        return {"name": self.name}


class NewIdentity(Right):
    """Is never the same."""

    def identity(self):
        return {"name": self.name, "id": id(object()), "random": np.random.default_rng().random()}


class OwnFingerprint(Right):
    """Looks at the names of its files only."""

    def fingerprint(self, size, base):
        return f"{size} {[path.name for path in self.sources(base)]}"


#: Broken dataset, the check that catches it, and how.
BROKEN = {
    "one name twice": (column(names=lambda rows: ("a",) * len(rows)), "rows_are_complete_at_every_size", "12 are call"),
    "short attribute": (
        column(attributes=lambda _: {"light": ("day",)}),
        "rows_are_complete_at_every_size",
        "pool: expected one text a row for the attribute 'light', received 1 for 12 rows",
    ),
    "labels int32": (
        column(labels=lambda rows: rows.labels.astype(np.int32)),
        "rows_are_complete_at_every_size",
        r"pool: expected labels int64 \(12,\), received int32 \(12,\)",
    ),
    "small masks": (
        column(masks=lambda rows: np.ones((len(rows), 8, 8), np.bool_)),
        "rows_are_complete_at_every_size",
        r"expected masks bool \(12, 32, 32\)",
    ),
    "votes in numbers": (
        column(votes=lambda rows: np.full((len(rows), 2), 5.0)),
        "rows_are_complete_at_every_size",
        "shares of votes that sum to 1, 12 rows",
    ),
    "one image": (
        column(images=lambda rows: np.zeros_like(rows.images)),
        "rows_are_complete_at_every_size",
        "all 12 of the pool are the same",
    ),
    "one class": (column(labels=lambda rows: rows.labels * 0), "rows_are_complete_at_every_size", "class 'happiness'"),
    "fewer large": (FewerLarge, "rows_are_complete_at_every_size", "the same names and labels at 32 and 48 px"),
    "one size": (OneSize, "rows_are_complete_at_every_size", r"expected uint8 images of shape \(12, 48, 48, 3\)"),
    "unseeded": (Unseeded, "loading_again_gives_the_same", "when the dataset is loaded again"),
    "counts": (Counts, "loading_again_gives_the_same", "when the dataset is loaded again"),
    "global": (Global, "chance_comes_from_parameters_alone", "expected no use of NumPy's global generator"),
    "split by image": (SplitByImage, "no_person_is_on_both_sides", r"\d people are in both pool and test"),
    "half known": (HalfKnown, "no_person_is_on_both_sides", "expected subjects in every split, test has none"),
    "same images": (SameImages, "no_image_is_on_both_sides", "1 are in both pool and test"),
    "writes beside": (WritesBeside, "files_are_only_read", r"cache_32\.npy was written"),
    "touches": (Touches, "files_are_only_read", r"0_0\.npy was written to"),
    "removes": (Removes, "files_are_only_read", r"note\.txt is gone"),
    "secret file": (SecretFile, "every_file_read_is_a_source", r"with these alone: .*light\.txt"),
    "optional file": (OptionalFile, "every_file_read_is_a_source", "these alone give other rows"),
    "missing source": (MissingSource, "every_file_read_is_a_source", r"there is no file .*light\.txt"),
    "disk order": (DiskOrder, "every_file_read_is_a_source", "the same fingerprint of the same files elsewhere"),
    "working directory": (WorkingDirectory, "paths_start_from_the_base", "in any working directory, received: "),
    "relative base": (NeedsRelativeBase, "paths_start_from_the_base", "in any working directory, received: "),
    "own identity": (OwnIdentity, "fingerprint_follows_parameters", "another fingerprint with shift 1"),
    "new identity": (NewIdentity, "fingerprint_follows_parameters", "the same fingerprint again"),
    "own fingerprint": (OwnFingerprint, "fingerprint_follows_files", r"after a change of 0_0\.npy, received the same"),
}


def check(cls: type[Dataset], name: str, params: Mapping[str, Any] | None = None) -> Check:
    found = {rule.__name__: rule for rule in CHECKS}
    return Check(found[name], Subject(cls, params or {}))


def skipped_by(subject: Subject) -> dict[str, str]:
    """Runs all checks of datasets; what was skipped, and why."""
    skipped = {}
    for rule in CHECKS:
        try:
            Check(rule, subject)()
        except NotApplicable as reason:
            skipped[rule.__name__] = str(reason)
    return skipped


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_dataset_is_caught(what: str) -> None:
    cls, name, reason = BROKEN[what]
    with pytest.raises(CheckFailed, match=reason):
        check(cls, name)()


def test_every_check_catches_something() -> None:
    assert {name for _, name, _ in BROKEN.values()} == {rule.__name__ for rule in CHECKS}


def test_a_right_dataset_passes() -> None:
    assert skipped_by(Subject(Right)) == {}


def test_a_drawn_dataset_passes() -> None:
    assert skipped_by(Subject(Drawn)) == {
        "no_person_is_on_both_sides": "people are unknown",
        "paths_start_from_the_base": "no files are read",
        "fingerprint_follows_files": "no files are read",
    }


@pytest.mark.parametrize("rule", CHECKS)
def test_checks_say_what_must_hold_and_where_to_look(rule: Any) -> None:
    found = Check(rule, Subject(Right))
    assert found.about.endswith(".")
    assert found.advice.endswith(".")


@pytest.mark.parametrize("relative", [False, True])
def test_files_that_the_parameters_name_are_checked(tmp_path: Path, relative: bool) -> None:
    write_faces(tmp_path / "mine" / "faces")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.npy")}
    root = "mine/faces" if relative else str(tmp_path / "mine" / "faces")
    with contextlib.chdir(tmp_path):
        assert skipped_by(Subject(Right, {"root": root})) == {}
        with dataset_place(Right, {"root": root}) as place:
            assert place.base == tmp_path / "mine"
            assert place.params == {"root": "faces"}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.npy")} == before


def test_an_example_may_give_its_whole_path() -> None:
    class Whole(Right):
        """Returns an absolute path."""

        @classmethod
        def example(cls, folder: Path) -> dict[str, Any]:
            write_faces(folder)
            return {"root": str(folder)}

    assert skipped_by(Subject(Whole)) == {}


def test_what_is_given_goes_before_the_example() -> None:
    with dataset_place(Right, {"shift": 3}) as place:
        assert place.params == {"root": "faces", "shift": 3}


def test_a_dataset_without_files_is_told_what_to_do() -> None:
    folders = Registry.load().get("dataset", "folders")
    with pytest.raises(CheckFailed, match=r"parameter 'root'.*; write `example`"):
        check(folders, "loading_again_gives_the_same")()


def test_files_that_lie_elsewhere_are_left_alone(tmp_path: Path) -> None:
    write_faces(tmp_path)

    class Elsewhere(Right):
        """Knows where its files are."""

        def folder(self, base: Path) -> Path:
            return tmp_path

    with pytest.raises(NotApplicable, match="is read by an absolute path"):
        check(Elsewhere, "fingerprint_follows_files")()


def test_the_digest_is_that_of_all_columns() -> None:
    with dataset_place(Right, {}) as place:
        data = place.load()
    other = replace(data, pool=replace(data.pool, attributes={"light": ("lamp",) * len(data.pool)}))
    assert content_digest(data) == result_digest(Right()) != content_digest(other)
    assert data.digest() == other.digest()
    assert result_digest(Right(shift=1)) != result_digest(Right())


def test_defaults_are_not_taken_for_given() -> None:
    assert given_params(Right(root="faces", shift=2)) == {"shift": 2}


@pytest.mark.parametrize("name", ["manifest", "rafdb", "ferplus", "ckplus"])
def test_layouts_conform(tmp_path: Path, layouts: Mapping[str, Callable[[Path], dict[str, Any]]], name: str) -> None:
    params = layouts[name](tmp_path)
    assert set(skipped_by(Subject(Registry.load().get("dataset", name), params))) <= {"no_person_is_on_both_sides"}


def test_there_is_a_layout_of_every_dataset(layouts: Mapping[str, Any]) -> None:
    assert sorted(layouts) == Registry.load().names("dataset")


def test_a_dataset_in_a_folder_passes_the_whole_kit(tmp_path: Path) -> None:
    (tmp_path / "noise.py").write_text(
        '''
import numpy as np
from PIL import Image
from fer_audit.data.folders import Folders
from fer_audit.data.listed import RootParameters

class Noise(Folders):
    """Noise in class folders. Source: none."""

    name = "noise"

    class Params(Folders.Params):
        """Where it lies."""

        root: str = "noise"

    @classmethod
    def example(cls, folder):
        rng = np.random.default_rng(0)
        for name in ("fear", "anger"):
            (folder / "here" / name).mkdir(parents=True)
            for number in range(6):
                pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
                Image.fromarray(pixels).save(folder / "here" / name / f"{number}.png")
        return {"root": "here"}
'''
    )
    verdicts = list(run_checks(load_subjects(tmp_path / "noise.py")[0]))
    assert {verdict.check.name: verdict.said for verdict in verdicts if verdict.status != "ok"} == {
        "no_person_is_on_both_sides": "people are unknown"
    }
