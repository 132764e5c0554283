"""Reference models of an audit: those that somebody else trained, or new ones by a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
from rich.console import Console

from fer_audit.data.csv_lines import csv_lines, told
from fer_audit.errors import DataError, FerAuditError, did_you_mean
from fer_audit.grid import GridFile
from fer_audit.plan import make_plan
from fer_audit.registry import Registry
from fer_audit.runner.engines.choice import local_engine
from fer_audit.runner.engines.events import Finished
from fer_audit.runner.model_audit.subjects import Audited, Logits, answers, opened_at, opened_like
from fer_audit.runner.privacy import read_answers
from fer_audit.runner.run import train_missing
from fer_audit.store import Store

#: What a folder of reference models says of their rows.
TABLE = "references.csv"

_SHOWN = 3  #: rows that an error names


class ReferenceTrainingError(FerAuditError):
    """A reference model that could not be trained."""

    exit_code = 3


@dataclass(frozen=True)
class References:
    """Models like the audited one, and what they answered."""

    keep: npt.NDArray[np.bool_]  #: (R, N), whether reference r was trained on row i
    pool: Logits  #: (R, N, Q, C)
    population: Logits  #: (R, Z, Q, C)
    words: str  #: where they come from

    def __len__(self) -> int:
        return len(self.keep)


def trained_references(file: GridFile, store: Store, *, workers: int, console: Console) -> References:
    """References by the grid's recipe, on halves of members and non-members together; raises ReferenceTrainingError."""
    plan = make_plan(file, store)
    (cell,) = plan.cells
    failures: dict[str, str] = {}
    finished: list[Finished] = []
    with local_engine(store, file.plugin_folders, file.grid.resources, workers) as engine:
        train_missing(plan, store, engine, console, failures, finished)
    if failures:
        first = next(iter(failures.values())).strip().splitlines()[-1]
        raise ReferenceTrainingError(
            f"{len(failures)} of {len(cell.privacy)} reference trainings failed, the first: {first}"
        )
    jobs = [plan.trainings[key].job for key in cell.privacy]
    if cell.keep is None:
        raise ReferenceTrainingError("no reference was planned; expected privacy.references of at least 2")
    pool, population = read_answers(store, jobs, "pool"), read_answers(store, jobs, "population")
    parts = [cell.model.label, *(ref.label for ref in cell.chain)]
    words = f"{len(jobs)} trained by the grid's recipe ({' + '.join(parts)})"
    return References(cell.keep, pool, population, words)


def given_references(folder: Path, like: Audited, registry: Registry, queries: tuple[str, ...]) -> References:
    """The models of a folder, asked as `like` is; raises DataError, ModelFileError."""
    data, section = like.rows.data, like.section
    names, keep = read_table(folder / TABLE, data.pool.names, data.population.names)
    for name in names:
        _check_name(folder, name, trust=section.trust)
    _check_sides(folder, names, keep, like)
    opened = [opened_at(folder, name, section.trust, registry) for name in names]
    same = [name for name, one in zip(names, opened, strict=True) if one.sha256 == like.opened.sha256]
    if same:
        raise DataError(f"{folder / TABLE}: {same[0]!r} is the audited model itself; expected other models like it")
    models = [opened_like(like, one, section.preprocessing) for one in opened]
    return References(
        keep=keep,
        pool=np.stack([answers(model, data.pool.images, queries) for model in models]),
        population=np.stack([answers(model, data.population.images, queries) for model in models]),
        words=f"{len(names)} from the folder {folder.name}",
    )


def _check_name(folder: Path, name: str, *, trust: bool) -> None:
    """Raises DataError for a column that leads out of the folder, or to code: the table is data, as the models are."""
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts or "\\" in name:
        raise DataError(f"{folder / TABLE}: {name!r} leads out of the folder; expected the file of a model in it")
    if ".py:" in name and not trust:
        raise DataError(f"{folder / TABLE}: {name!r} is code, which would be run; say --trust if it is yours")


def _check_sides(folder: Path, names: Sequence[str], keep: npt.NDArray[np.bool_], like: Audited) -> None:
    """Raises DataError where a reference knows all rows or none, or a row is known to all models or to none."""
    everything = np.concatenate([like.rows.member[None], keep])
    one_sided = np.flatnonzero(keep.all(axis=1) | ~keep.any(axis=1))
    if len(one_sided):
        raise DataError(
            f"{folder / TABLE}: {names[one_sided[0]]!r} was trained on all of the rows or on none; expected models of "
            f"which each knows some members and non-members"
        )
    fixed = np.flatnonzero(everything.all(axis=0) | ~everything.any(axis=0))
    if len(fixed):
        raise DataError(
            f"{folder / TABLE}: {len(fixed)} images, such as {like.rows.data.pool.names[fixed[0]]}, were trained on by "
            f"all models or by none; expected each to be known to some and unknown to others; leave such images out"
        )


def reference_count(file: GridFile) -> int:
    """How many reference models an audit has, before any is trained or opened; raises DataError."""
    if file.grid.models:
        return file.grid.privacy.references
    if file.grid.audit is None or file.grid.audit.references is None:
        return 0
    return len(read_table(file.base / file.grid.audit.references / TABLE, ())[0])


def read_table(
    path: Path, rows: Sequence[str], population: Sequence[str] = ()
) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Model files (R), and which of the images `rows` (N) each was trained on, bool (R, N).

    Raises DataError, also where a model was trained on an image of the `population`, which none may know.
    """
    expected = "expected the header image,MODEL FILE,... and a line of 0 and 1 for each member and non-member"
    try:
        lines = [[value.strip() for value in line] for _, line in csv_lines(path)]
    except FileNotFoundError:
        raise DataError(f"no {path.name} in the folder of references {path.parent}: {expected}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"can't read {path}: {told(error)}; {expected}") from None
    head = lines[0] if lines else []
    if len(head) < 2 or head[0] != "image" or len(set(head)) < len(head):
        raise DataError(f"{path}: {expected}, received {head}")
    known = {}
    for place, line in enumerate(lines[1:], 2):
        if len(line) != len(head) or not set(line[1:]) <= {"0", "1"}:
            raise DataError(f"{path}, line {place}: {expected}, received {line}")
        if line[0] in known:
            raise DataError(f"{path}, line {place}: {line[0]!r} is in an earlier line too; expected each image once")
        known[line[0]] = [value == "1" for value in line[1:]]
    learnt = [row for row in population if any(known.get(row, ()))]
    if learnt:
        raise DataError(
            f"{path}: {len(learnt)} of the {len(population)} images of the population were trained on by a reference, "
            f"such as {learnt[0]}; expected a population that no model knows: give one, or population_fraction: 0"
        )
    missing = [row for row in rows if row not in known]
    if missing:
        near = did_you_mean(missing[0], known)
        raise DataError(
            f"{path} lacks {len(missing)} of the {len(rows)} members and non-members, such as "
            f"{', '.join(missing[:_SHOWN])} ({near})"
        )
    return head[1:], np.array([known[row] for row in rows], np.bool_).T
