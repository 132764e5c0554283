"""What every dataset must do."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fer_audit.data.dataset import Dataset, FaceData, Rows
from fer_audit.data.images import TRAITS
from fer_audit.errors import FerAuditError
from fer_audit.plugins import canonical_json
from fer_audit.testing.check import CheckFailed, NotApplicable, Rule, Subject, require
from fer_audit.testing.dataset_place import SIZE, DatasetPlace, dataset_place, given_params
from fer_audit.testing.global_chance import global_seed

#: px; an image of any size is made from the same file.
_SIZES = (32, 48)
#: Sources that are changed, one after another, evenly among them.
_CHANGED = 20
_SPLITS = ("pool", "test", "population")


def rows_are_complete_at_every_size(subject: Subject) -> str:
    """At 32 and at 48 px there are the same rows, each with an image, a label and a name of its own.

    Every column of `Rows` has one entry a row, of the type that `Rows` says; names tell rows apart over all splits.
    """
    known: dict[str, str] = {}
    with _place(subject) as place:
        for size in _SIZES:
            data = place.load(size)
            for split, rows in _splits(data).items():
                _require_columns(rows, split, len(data.classes), size)
            _require_data(data)
            labels = _labels_by_name(data)
            require(not known or labels == known, f"expected the same names and labels at {_SIZES[0]} and {size} px")
            known = labels
    counts = ", ".join(f"{len(rows)} in {split}" for split, rows in _splits(data).items())
    return f"{len(data.classes)} classes; {counts}"


def loading_again_gives_the_same(subject: Subject) -> None:
    """The same parameters and files give the same rows, bit for bit and in the same order.

    Sort what you list from folders, and make generators from a parameter such as `split_seed`.
    """
    with _place(subject) as place:
        plugin = place.make()
        found = [content_digest(each.load(SIZE, place.base)) for each in (plugin, plugin, place.make())]
    require(found[0] == found[1], "expected the same rows when the dataset is loaded again, received other ones")
    require(found[0] == found[2], "expected the same rows from a plug-in made again, received other ones")


def chance_comes_from_parameters_alone(subject: Subject) -> None:
    """The global generators of NumPy and Python are neither used nor moved.

    Use `numpy.random.default_rng` with a seed that is a parameter.
    """
    with _place(subject) as place:
        found = []
        for seed in (1, 2):
            with global_seed(seed):
                found.append(content_digest(place.load()))
    require(found[0] == found[1], "expected the same rows after reseeding the global generators, received other ones")


def no_person_is_on_both_sides(subject: Subject) -> str:
    """Where people are known, nobody is in two of pool, test and population.

    Split by subject (`fer_audit.data.splits.split_by_subject`): a person's other images tell who was trained on.
    """
    with _place(subject) as place:
        splits = {name: rows for name, rows in _splits(place.load()).items() if len(rows)}
    unknown = [name for name, rows in splits.items() if rows.subjects is None]
    if len(unknown) == len(splits):
        raise NotApplicable("people are unknown")
    require(not unknown, f"expected subjects in every split, {' and '.join(unknown)} has none")
    people = {name: set(np.asarray(rows.subjects).tolist()) for name, rows in splits.items()}
    for one, other in _pairs(people):
        shared = people[one] & people[other]
        require(not shared, f"expected nobody in two splits, {len(shared)} people are in both {one} and {other}")
    return ", ".join(f"{len(each)} people in {name}" for name, each in people.items())


def no_image_is_on_both_sides(subject: Subject) -> None:
    """No image, pixel for pixel, is in two of pool, test and population.

    Look for rows that are read twice, or from the wrong file. Where the published split itself holds copies, drop them
    (`deduplicate`), or expect this failure.
    """
    with _place(subject) as place:
        splits = _splits(place.load())
    images = {name: {row.tobytes() for row in rows.image_digests()} for name, rows in splits.items()}
    for one, other in _pairs(images):
        shared = len(images[one] & images[other])
        require(not shared, f"expected no image in two splits, {shared} are in both {one} and {other}")


def files_are_only_read(subject: Subject) -> str:
    """Loading changes no file, and writes none beside them.

    Keep nothing on disk: fer-audit's store keeps what was read, by its fingerprint.
    """
    with _place(subject) as place:
        before = _state(place)
        place.load()
        place.fingerprint()
        after = _state(place)
        for path in sorted({*before, *after}):
            require(path in before, f"expected no new files, {path} was written")
            require(path in after, f"expected all files to stay, {path} is gone")
            require(before[path] == after[path], f"expected unchanged files, {path} was written to")
        return _files(sum(path.is_file() for path in before))


def every_file_read_is_a_source(subject: Subject) -> str:
    """The files of `sources`, alone and elsewhere, give the same rows and the same fingerprint.

    Name every file that `read` opens in `sources` (`documents` of a `Listing`), in an order that does not depend on the
    disk: a change of any other goes unnoticed, and old rows are used.
    """
    with _place(subject) as place, TemporaryDirectory() as folder:
        alone = place.copied(Path(folder).resolve())
        known, fingerprint = content_digest(place.load()), place.fingerprint()
        try:
            found = content_digest(alone.load())
        except FerAuditError as error:
            raise CheckFailed(f"expected all files that are read among `sources`; with these alone: {error}") from error
        require(found == known, "expected all files that are read among `sources`; these alone give other rows")
        require(alone.fingerprint() == fingerprint, "expected the same fingerprint of the same files elsewhere")
        return _files(len(set(alone.sources())))


def paths_start_from_the_base(subject: Subject) -> None:
    """Relative paths start from `base`, the folder of the grid, wherever the command is run.

    Write `base / self.params.root`; `base` itself may be relative too.
    """
    with _place(subject) as place, TemporaryDirectory() as elsewhere:
        with chdir(place.base):
            known = content_digest(place.load())
            if not place.sources():
                raise NotApplicable("no files are read")
        parent, name = place.base.parent, Path(place.base.name)
        for folder, base in ((Path(elsewhere), place.base), (parent, name)):
            with chdir(folder):
                try:
                    found = content_digest(place.make().load(SIZE, base))
                except FerAuditError as error:
                    raise CheckFailed(f"expected the same rows in any working directory, received: {error}") from error
            require(found == known, "expected the same rows in any working directory, received other ones")


def fingerprint_follows_parameters(subject: Subject) -> str:
    """The fingerprint is the same when asked for again, and another one at other sizes and with other parameters.

    Leave `identity` alone, and keep in `Params` whatever changes the rows.
    """
    with _place(subject) as place:
        known = {place.fingerprint()}
        require(place.fingerprint() in known, "expected the same fingerprint again, received another one")
        told = []
        for change, fingerprint in _other_fingerprints(place):
            require(fingerprint not in known, f"expected another fingerprint with {change}, received a known one")
            known.add(fingerprint)
            told.append(change)
    return ", ".join(told)


def fingerprint_follows_files(subject: Subject) -> str:
    """Another byte in any source makes another fingerprint.

    Leave `fingerprint` alone: it reads all `sources`. They must be the files themselves, not copies of them.
    """
    with _place(subject) as place, TemporaryDirectory() as folder:
        copy = place.copied(Path(folder).resolve())
        sources, known = sorted(set(copy.sources())), copy.fingerprint()
        if not sources:
            raise NotApplicable("no files are read")
        for path in sources[:: -(-len(sources) // _CHANGED)]:
            content = path.read_bytes()
            path.write_bytes(content + b"\n")
            changed = _fingerprint_or_refusal(copy)
            path.write_bytes(content)
            require(changed != known, f"expected another fingerprint after a change of {path.name}, received the same")
    return _files(len(sources))


CHECKS: tuple[Rule, ...] = (
    rows_are_complete_at_every_size,
    loading_again_gives_the_same,
    chance_comes_from_parameters_alone,
    no_person_is_on_both_sides,
    no_image_is_on_both_sides,
    files_are_only_read,
    every_file_read_is_a_source,
    paths_start_from_the_base,
    fingerprint_follows_parameters,
    fingerprint_follows_files,
)


def result_digest(plugin: Dataset) -> str:
    """SHA-256 (hex) of what `plugin` reads of its example, or of the files that its parameters name, at 32 px."""
    with dataset_place(type(plugin), given_params(plugin)) as place:
        return content_digest(place.load())


def content_digest(data: FaceData) -> str:
    """SHA-256 (hex) of all columns of `data`, in order."""
    digest = hashlib.sha256(data.digest().encode())
    for rows in _splits(data).values():
        digest.update(canonical_json([rows.names, rows.attributes]).encode())
        for column in (rows.masks, rows.votes, rows.copies, rows.traits):
            digest.update(b"none" if column is None else np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _place(subject: Subject) -> AbstractContextManager[DatasetPlace]:
    cls: Any = subject.cls
    return dataset_place(cls, subject.params)


def _splits(data: FaceData) -> dict[str, Rows]:
    return {split: getattr(data, split) for split in _SPLITS}


def _pairs(splits: dict[str, Any]) -> Iterator[tuple[str, str]]:
    names = list(splits)
    return ((one, other) for place, one in enumerate(names) for other in names[place + 1 :])


def _labels_by_name(data: FaceData) -> dict[str, str]:
    """Name -> class of all rows; raises CheckFailed where two rows share a name."""
    names = [name for rows in _splits(data).values() for name in rows.names]
    (most, count), *_ = Counter(names).most_common(1)
    require(count == 1, f"expected a name of its own for every row, {count} are called {most!r}")
    labels = np.concatenate([rows.labels for rows in _splits(data).values()])
    return {name: data.classes[label] for name, label in zip(names, labels.tolist(), strict=True)}


def _require_data(data: FaceData) -> None:
    twice = len(data.classes) - len(set(data.classes))
    require(not twice, f"expected distinct names of classes, received {', '.join(data.classes)}")
    images = len({row.tobytes() for row in data.pool.image_digests()})
    require(images > 1, f"expected images that differ, all {len(data.pool)} of the pool are the same")


def _require_columns(rows: Rows, split: str, classes: int, size: int) -> None:
    """Raises CheckFailed where a column of `rows` is not what `Rows` says; `Dataset.load` has seen to the images."""
    count = len(rows.labels)
    wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
        "labels": (np.int64, (count,)),
        "subjects": (np.int64, (count,)),
        "copies": (np.int64, (count,)),
        "masks": (np.bool_, (count, size, size)),
        "votes": (np.float64, (count, classes)),
        "traits": (np.float64, (count, len(TRAITS))),
    }
    for name, (dtype, shape) in wanted.items():
        column = getattr(rows, name)
        if column is not None:
            fits = column.dtype == dtype and column.shape == shape
            received = f"{column.dtype} {column.shape}"
            require(fits, f"{split}: expected {name} {np.dtype(dtype)} {shape}, received {received}")
    for name, values in rows.attributes.items():
        told = f"{split}: expected one text a row for the attribute {name!r}, received {len(values)} for {count} rows"
        require(len(values) == count and all(isinstance(value, str) for value in values), told)
    if rows.votes is not None:
        sums = rows.votes.sum(axis=1)
        off = int((np.abs(sums - 1) > 1e-6).sum())  # nan where there was no vote
        require(not off, f"{split}: expected shares of votes that sum to 1, {off} rows have others")


def _files(count: int) -> str:
    return "no files" if count == 0 else "1 file" if count == 1 else f"{count:,} files"


def _state(place: DatasetPlace) -> dict[Path, tuple[int, str]]:
    """Time of the last change and SHA-256 of all files of the dataset; of its folders that they are there."""
    return {path: _file_state(path) if path.is_file() else (0, "") for path in place.files()}


def _file_state(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()


def _other_fingerprints(place: DatasetPlace) -> Iterator[tuple[str, str]]:
    """What was changed, and the fingerprint; changes that the dataset refuses are left out."""
    yield f"{_SIZES[1]} px", place.fingerprint(_SIZES[1])
    for name, value in place.make().params:
        other = _another(value)
        if other is None:
            continue
        try:
            changed = place.make(**{name: other}).fingerprint(SIZE, place.base)
        except FerAuditError:
            continue
        yield f"{name} {other}", changed


def _another(value: Any) -> Any:
    """A value of the same type nearby; None where there is none to guess."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return round(value / 2 + 0.1, 6) if isinstance(value, float) else None


def _fingerprint_or_refusal(place: DatasetPlace) -> str:
    try:
        return place.fingerprint()
    except FerAuditError as error:
        return str(error)
