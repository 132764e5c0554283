"""Preparing a dataset: every face found, aligned, cut out and written, with what was found kept beside it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fer_audit.data.faces.detection import Choice, Detector, DetectorName, choose, find_faces, load_detector
from fer_audit.data.images import Box, read_whole, refuse
from fer_audit.data.listing import Listing
from fer_audit.errors import DataError
from fer_audit.results import write_text

OnMissing: TypeAlias = Literal["keep", "skip", "error"]
Record: TypeAlias = dict[str, Any]  #: what is known of one source image, as it stands in the journal

_JOURNAL, _SETTINGS, _MANIFEST, _FACES, _MISSING = (
    "journal.jsonl",
    "prepare.json",
    "manifest.csv",
    "faces.csv",
    "missing.txt",
)
_IMAGES, _LOCK = "images", ".lock"
_OURS = (_JOURNAL, _SETTINGS, _MANIFEST, _FACES, _MISSING, _IMAGES)
#: What every line of the journal has.
_KINDS = {"target": str, "source": str, "sha256": str, "error": str, "faces": int, "whole": bool}
_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
_PACKAGES = ("opencv-python", "mtcnn", "retina-face", "onnxruntime", "pillow")

#: One thread a worker: as many workers as cores are the better use of them.
_WORKER_ENVIRONMENT = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclass(frozen=True)
class Settings:
    """What an output image depends on beside its source."""

    detector: DetectorName
    size: int = 112  #: px a side of the output
    margin: float = 0.25  #: room around the face, as a share of it
    align: bool = True  #: turn and scale by the eyes; False: cut out the box
    choose: Choice = "largest"


@dataclass(frozen=True)
class Prepared:
    """What came of a preparation."""

    folder: Path
    total: int
    done_before: int  #: images that an earlier run had done
    found: dict[str, int]  #: class -> images with a face
    counts: dict[str, int]  #: class -> images
    missing: tuple[str, ...]  #: names of images without a face
    unreadable: tuple[str, ...]  #: why each image could not be read


@dataclass(frozen=True)
class _Task:
    row: int
    source: Path
    box: Box | None
    target: str  #: relative to the folder of images


def prepare(
    listing: Listing, out: Path, settings: Settings, on_missing: OnMissing, *, workers: int, overwrite: bool = False
) -> Iterator[Record | Prepared]:
    """Finds, aligns and writes the face of every image of `listing`; yields a record an image, and the outcome last.

    Raises DataError where `out` holds something else, or where images can't be read or, with `on_missing="error"`, show
    no face; all other images are done before.
    """
    if listing.pixels is not None:
        raise DataError(f"{listing.source} holds pixels and no image files: its faces are cut out already")
    if settings.detector == "retinaface":
        from fer_audit.data.faces.retinaface_detector import check_weights

        check_weights()
    with _alone(out):
        yield from _prepare(listing, out, settings, on_missing, workers, overwrite)


def _prepare(
    listing: Listing, out: Path, settings: Settings, on_missing: OnMissing, workers: int, overwrite: bool
) -> Iterator[Record | Prepared]:
    known = _open(out, settings, overwrite)
    targets = _targets(listing)
    todo: list[_Task] = []
    records: dict[int, Record] = {}
    for row, (path, target) in enumerate(zip(listing.paths, targets, strict=True)):
        record = known.get(target)
        if record is not None and _still_good(record, path, out, on_missing):
            records[row] = record
        else:
            todo.append(_Task(row, path, listing.boxes[row] if listing.boxes else None, target))
    before = len(records)
    with (out / _JOURNAL).open("a", encoding="utf-8") as journal:
        for row, record in _work(todo, out, settings, on_missing, workers):
            records[row] = record
            journal.write(json.dumps(record) + "\n")
            journal.flush()
            yield record
    yield _finish(listing, out, settings, on_missing, [records[row] for row in range(len(listing))], before)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Within it no other process prepares in `out`; raises DataError where one does."""
    import fcntl

    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file: expected a folder to write to")
    out.mkdir(parents=True, exist_ok=True)
    with (out / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"another process is preparing faces in {out}: wait for it, or choose another") from None
        yield


def _open(out: Path, settings: Settings, overwrite: bool) -> dict[str, Record]:
    """What an earlier run has noted in `out`, by target; raises DataError where it can't be gone on with."""
    journal = out / _JOURNAL
    if overwrite and journal.is_file():
        for name in _OURS:
            path = out / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    if journal.is_file():
        return _noted(journal, settings)
    if any(path.name != _LOCK for path in out.iterdir()):
        raise DataError(f"{out} is not empty, and no preparation wrote it: choose another folder")
    (out / _IMAGES).mkdir(parents=True, exist_ok=True)
    journal.write_text(json.dumps(asdict(settings)) + "\n", encoding="utf-8")
    return {}


def _noted(journal: Path, settings: Settings) -> dict[str, Record]:
    lines = journal.read_text(encoding="utf-8", errors="replace").splitlines()
    head = _parsed(lines[0]) if lines else None
    if head != asdict(settings):
        wanted = asdict(settings)
        other = [f"{name} {(head or {}).get(name)}" for name in wanted if (head or {}).get(name) != wanted[name]]
        raise DataError(
            f"{journal.parent} was prepared with other settings ({', '.join(other)}): choose another folder, or start "
            f"anew with --overwrite"
        )
    if not journal.read_bytes().endswith(b"\n"):
        # The run was killed while it wrote: what comes next must not be glued to that line.
        with journal.open("a", encoding="utf-8") as file:
            file.write("\n")
    records = [record for record in map(_parsed, lines[1:]) if record is not None and _is_record(record)]
    return {record["target"]: record for record in records}


def _parsed(line: str) -> Record | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_record(value: Record) -> bool:
    """Whether a line of the journal is whole; what it told of is done again where it is not."""
    return all(isinstance(value.get(name), kind) for name, kind in _KINDS.items())


def _still_good(record: Record, source: Path, out: Path, on_missing: OnMissing) -> bool:
    if record["error"] or record["sha256"] != _digest(source):
        return False
    wanted = record["faces"] > 0 or record["whole"] or on_missing == "keep"
    return not wanted or (out / _IMAGES / record["target"]).is_file()


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _targets(listing: Listing) -> list[str]:
    """The file of each row below the folder of images: its name, ending in .png, and no two alike."""
    plain = [_plain(name) for name in listing.names]
    short = [re.sub(r"\.[^./]*$", "", name) + ".png" for name in plain]
    counts = Counter(name.lower() for name in short)
    long = [s if counts[s.lower()] == 1 else f"{name}.png" for name, s in zip(plain, short, strict=True)]
    twice = Counter(name.lower() for name in long)
    refuse(
        listing.source,
        [
            f"{name!r} is listed {twice[target.lower()]} times"
            for name, target in zip(listing.names, long, strict=True)
            if twice[target.lower()] > 1
        ],
        "every image once",
    )
    return long


def _plain(name: str) -> str:
    """A relative path without steps up, whatever the listing calls the image."""
    parts = [part for part in name.replace("\\", "/").replace(":", "").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "image"


def _work(
    todo: Sequence[_Task], out: Path, settings: Settings, on_missing: OnMissing, workers: int
) -> Iterator[tuple[int, Record]]:
    if not todo:
        return
    with _environment(_WORKER_ENVIRONMENT):
        pool = ProcessPoolExecutor(
            min(workers, len(todo)), get_context("spawn"), initializer=_start, initargs=(settings.detector,)
        )
        try:
            write_whole = on_missing == "keep" or settings.detector == "none"
            waiting = {pool.submit(_cut_out, task, str(out / _IMAGES), settings, write_whole): task for task in todo}
            for future in as_completed(waiting):
                yield waiting[future].row, future.result()
        except BrokenProcessPool:
            raise DataError(
                f"a process of the detector {settings.detector!r} died, perhaps for want of memory: what is done is "
                f"kept, run again with fewer --workers"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Within it these variables are set, for processes that are started."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_detector: Detector | None = None  # of a worker process, loaded once


def _start(name: DetectorName) -> None:
    import cv2

    global _detector  # noqa: PLW0603 - an initializer has no other way to leave something to its process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _detector = load_detector(name)


def _end_with_parent() -> None:
    """Ends this process when its parent was killed: it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cut_out(task: _Task, images: str, settings: Settings, write_whole: bool) -> Record:
    """Writes the face of one image; the record of it."""
    return cut_out(task.source, task.box, Path(images), task.target, settings, _detector, write_whole)


def cut_out(
    source: Path,
    box: Box | None,
    images: Path,
    target: str,
    settings: Settings,
    detector: Detector | None,
    write_whole: bool,
) -> Record:
    """Writes the face in the file `source` to `images / target`; what was found, for the journal.

    Without a face, or without a `detector`, the whole image is written if `write_whole` says so.
    """
    from fer_audit.data.faces import align

    record: Record = {
        "target": target,
        "source": str(source),
        "sha256": _digest(source),
        "error": "",
        "faces": 0,
        "whole": False,
    }
    try:
        image = read_whole(source, box)
    except DataError as error:
        return record | {"error": str(error)}
    faces = find_faces(detector, image) if detector is not None else []
    face = choose(faces, image.shape[1], image.shape[0], settings.choose)
    if face is None:
        if write_whole:
            _write(align.whole(image, settings.size), images / target)
        return record | {"whole": write_whole}
    if settings.align and face.eyes[0] != face.eyes[1]:
        cut = align.aligned(image, face.eyes, settings.size, settings.margin)
    else:
        cut = align.cropped(image, face.box, settings.size, settings.margin)
    _write(cut, images / target)
    return record | {
        "faces": len(faces),
        "box": [round(edge, 2) for edge in face.box],
        "score": round(face.score, 5),
        "points": [[round(x, 2), round(y, 2)] for x, y in (*face.eyes, *face.others)],
        "eyes_found": face.eyes_found,
    }


def _write(pixels: Any, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    Image.fromarray(pixels).save(temporary, "PNG")
    temporary.replace(path)


def _finish(
    listing: Listing, out: Path, settings: Settings, on_missing: OnMissing, records: list[Record], before: int
) -> Prepared:
    """Writes the manifest and what was found; raises DataError about images that can't be used."""
    unreadable = tuple(f"{listing.places[row]}: {r['error']}" for row, r in enumerate(records) if r["error"])
    alone = settings.detector == "none"
    absent = [row for row, r in enumerate(records) if not (r["faces"] or r["error"] or alone)]
    missing = tuple(listing.names[row] for row in absent)
    left_out = {row for row, r in enumerate(records) if r["error"]} | (set() if on_missing == "keep" else set(absent))
    _write_manifest(listing, out, records, left_out)
    _write_faces(listing, out, settings, on_missing, records)
    write_text(out / _MISSING, "".join(f"{name}\n" for name in missing))
    counts = Counter(listing.labels)
    found = Counter(listing.labels[row] for row, r in enumerate(records) if r["faces"])
    about = {
        "source": listing.source,
        "settings": asdict(settings),
        "on_missing": on_missing,
        "images": len(records),
        "faces_found": sum(found.values()),
        "missing": len(missing),
        "unreadable": len(unreadable),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
    write_text(out / _SETTINGS, json.dumps(about, indent=1) + "\n")
    refuse(listing.source, unreadable, f"images that Pillow reads; all others are in {out}", shown=len(unreadable))
    if on_missing == "error":
        told = [f"no face in {name}" for name in missing]
        refuse(listing.source, told, f"a face in every image; all others are in {out}", shown=len(told))
    return Prepared(out, len(records), before, dict(found), dict(counts), missing, unreadable)


def _write_manifest(listing: Listing, out: Path, records: list[Record], left_out: set[int]) -> None:
    columns = {
        "label": listing.labels,
        "split": listing.splits,
        "subject": listing.subjects,
        **listing.attributes,
        "face": tuple("found" if record["faces"] else "missing" for record in records),
    }
    given = {name: values for name, values in columns.items() if values is not None}
    lines = [
        [f"{_IMAGES}/{record['target']}", *(values[row] for values in given.values())]
        for row, record in enumerate(records)
        if row not in left_out
    ]
    _write_csv(out / _MANIFEST, ["image", *given], lines)


def _write_faces(listing: Listing, out: Path, settings: Settings, on_missing: OnMissing, records: list[Record]) -> None:
    head = ["image", "source", "sha256", "detector", "faces", "left", "top", "right", "bottom", "score", "eyes"]
    head += [f"{name}_{axis}" for name in _POINTS for axis in "xy"] + ["done"]
    lines = []
    for name, record in zip(listing.names, records, strict=True):
        box, points = record.get("box", [""] * 4), record.get("points", [])
        places = [value for point in points for value in point]
        eyes = {True: "found", False: "guessed"}.get(record.get("eyes_found", ""), "")
        padding = [""] * (2 * len(_POINTS) - len(places))
        lines.append(
            [
                name,
                record["source"],
                record["sha256"],
                settings.detector,
                record["faces"],
                *box,
                record.get("score", ""),
                eyes,
                *places,
                *padding,
                _done(record, settings, on_missing),
            ]
        )
    _write_csv(out / _FACES, head, lines)


def _done(record: Record, settings: Settings, on_missing: OnMissing) -> str:
    if record["error"]:
        return "unreadable"
    if record["faces"]:
        return "aligned" if settings.align else "cropped"
    return "whole image" if on_missing == "keep" or settings.detector == "none" else "left out"


def _write_csv(path: Path, head: list[str], lines: list[list[Any]]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)
    temporary.replace(path)
