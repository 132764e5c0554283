"""A csv that lists images and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from fer_audit.data.csv_lines import csv_lines, told
from fer_audit.data.images import missing_images, refuse
from fer_audit.data.labels import class_name
from fer_audit.data.listed import ListedDataset
from fer_audit.data.listing import SPLITS, Listing
from fer_audit.data.splits import ListedParameters
from fer_audit.errors import DataError, did_you_mean

_REQUIRED = ("image", "label")
_OPTIONAL = ("split", "subject")
_VALIDATION = frozenset({"val", "valid", "validation", "dev"})


class LabelledParameters(ListedParameters):
    """What is to be said of labels that are names."""

    classes: tuple[str, ...] | None = Field(None, description="all classes in order; null: those of the rows")
    ignore: tuple[str, ...] = Field((), description="labels whose rows are left out")

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The classes that the user set."""
        return None if self.classes is None else tuple(class_name(name) for name in self.classes)


class Manifest(ListedDataset):
    """Images listed in a csv with the header `image,label[,split,subject,<attributes...>]`.

    Image paths are relative to the csv, or absolute. Labels are names; `happy`, `Happy` and `happiness` are one class.
    Classes are in the canonical order of the expressions, then contempt, then others by the alphabet, unless `classes`
    says otherwise. `split` is `train`, `test` or `population`; there is no validation split, as nothing is tuned: the
    last epoch counts. Every further column is an attribute to slice results by.

    Source: none, the format is this program's own.
    """

    name = "manifest"

    class Params(LabelledParameters):
        """Parameters of a manifest."""

        path: str = Field(description="the csv, relative to the folder of the grid")

    params: Params

    def listing(self, base: Path) -> Listing:
        """The rows of the csv."""
        path = base / self.params.path
        ignored = {class_name(name) for name in self.params.ignore}
        lines = [line for line in _lines(path) if class_name(line.values["label"]) not in ignored]
        if not lines:
            raise DataError(f"{path} has no rows: expected one row an image below the header")
        refuse(str(path), self._problems(lines), "one usable row an image")
        paths = [path.parent / line.values["image"] for line in lines]
        places = [line.place for line in lines]
        refuse(str(path), missing_images(paths, places), "images at paths relative to the csv, or absolute")
        columns = {key: tuple(line.values[key] for line in lines) for key in lines[0].values}
        labels = tuple(class_name(label) for label in columns.pop("label"))
        empty = [name for name in self.params.class_names or () if name not in set(labels)]
        refuse(str(path), [f"class {name!r} has no rows" for name in empty], "rows of every class in `classes`")
        return Listing(
            source=str(path),
            names=columns.pop("image"),
            paths=tuple(paths),
            places=tuple(places),
            labels=labels,
            splits=columns.pop("split", None),
            subjects=columns.pop("subject", None),
            attributes=columns,
            documents=(path,),
        )

    def _problems(self, lines: list[_Line]) -> list[str]:
        classes = None if self.params.classes is None else {class_name(name) for name in self.params.classes}
        return [f"{line.place}: {problem}" for line in lines for problem in _problems_of(line.values, classes)]


@dataclass(frozen=True)
class _Line:
    place: str
    values: dict[str, str]


def _lines(path: Path) -> list[_Line]:
    """The rows of the csv at `path`, without spaces around values; raises DataError."""
    try:
        lines = csv_lines(path)
    except FileNotFoundError:
        raise DataError(f"no csv at {str(path)!r}: expected `path` relative to the folder of the grid") from None
    except (OSError, ValueError) as error:
        raise DataError(f"can't read {str(path)!r}: expected a csv in UTF-8. Received: {told(error)}") from None
    stripped = [(number, [value.strip() for value in row]) for number, row in lines]
    header, rows = (stripped[0][1], stripped[1:]) if stripped else ([], [])
    _check_header(path, header)
    uneven = [f"line {number}: {len(row)} values" for number, row in rows if len(row) != len(header)]
    refuse(str(path), uneven, f"{len(header)} values a line, as in the header (quote values that hold a comma)")
    return [_Line(f"line {number}", dict(zip(header, row, strict=True))) for number, row in rows]


def _check_header(path: Path, header: list[str]) -> None:
    if not header:
        raise DataError(f"{path} is empty: expected a header `image,label` and one row an image")
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        hint = did_you_mean(missing[0], header)
        raise DataError(f"{path} has no column {missing[0]!r} ({hint}): expected `image,label`, received {header}")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or "" in header:
        raise DataError(f"{path}: expected columns with distinct names, received {header}")


def _problems_of(values: dict[str, str], classes: set[str] | None) -> list[str]:
    problems = [f"{name} is empty" for name in (*_REQUIRED, *_OPTIONAL) if values.get(name) == ""]
    label, split = class_name(values["label"]), values.get("split") or SPLITS[0]
    if label.isdigit():
        problems.append(f"label {label!r} is a number, and its order can't be guessed: write the name of the class")
    elif label and classes is not None and label not in classes:
        problems.append(f"label {label!r} is not in `classes` ({did_you_mean(label, classes)}) nor in `ignore`")
    if split not in SPLITS:
        problems.append(_unknown_split(split))
    return problems


def _unknown_split(split: str) -> str:
    if split.lower() in _VALIDATION:
        return f"split {split!r} does not exist, as nothing is tuned: make it train or test"
    return f"split {split!r} is unknown: {did_you_mean(split, SPLITS)}"
