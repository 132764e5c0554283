"""Where each number of the page stands in the files beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import get_args

from pydantic import BaseModel

from fer_audit.report.table import Origin
from fer_audit.results import Cell, DataReport, Results, RunRecord

#: Fields with many records of which the page shows few: they are looked into only when one of them is asked for.
_SELDOM = frozenset({"slices", "targets"})

#: Fields of the results that hold very many records where the grid has very many cells.
_LARGE = frozenset({"cells", "comparisons", "matched"})


class Pointers:
    """The place of every record of the results, as JSON pointers (RFC 6901) say it."""

    def __init__(
        self,
        results: Results | DataReport,
        run: RunRecord | None = None,
        wanted: Iterable[BaseModel] | None = None,
    ) -> None:
        """Looks records up once; they are told apart by identity, since equal ones may stand in several places.

        Where `wanted` is given, of cells and of comparisons only those are looked into that are or hold one of these.
        """
        self._large: list[tuple[Sequence[BaseModel], int, str]] | None = None if wanted is None else []
        self._kept = (results, run)  # an id means something only as long as its record lives
        self._places: dict[int, tuple[int, str]] = {}  # id of a record -> id of the one above it, steps between them
        self._paths: dict[int, str] = {}  # those that were spelt out
        self._cell = 0  # id of the one that is walked through
        self._later: dict[int, list[tuple[object, int, str]]] = {}  # id of a cell -> what was not looked into
        self._add(results, 0, "results.json#" if isinstance(results, Results) else "data.json#")
        if run is not None:
            self._add(run, 0, "run.json#")
        self._add_holders(tuple(wanted or ()))

    def of(self, origin: Origin, cell: Cell | None = None) -> str:
        """Such as `results.json#/cells/3/utility/accuracy/value`; empty where the record is none of the results.

        Where the record is known to be of a `cell`, it is sought there first. The name is a pointer relative to the
        record, such as `value` or `per_class/3`: a key that holds a slash or a tilde is to be `escaped` in it.
        """
        record, name = origin
        place = self.under(record, cell)
        return f"{place}/{name}" if place else ""

    def under(self, record: BaseModel, cell: Cell | None = None) -> str:
        """The place of a whole record; empty where it is none of the results."""
        if id(record) not in self._places:
            self._look_into(id(cell))
        while id(record) not in self._places and self._later:
            self._look_into(next(iter(self._later)))
        return self._spelt(id(record)) if id(record) in self._places else ""

    def _spelt(self, place: int) -> str:
        found = self._paths.get(place)
        if found is None:
            above, step = self._places[place]
            found = self._paths[place] = f"{self._spelt(above)}/{step}" if above else step
        return found

    def all(self, origins: tuple[Origin, ...], cell: Cell | None = None) -> str:
        """The places that a number is computed from, the first less the second."""
        return " \u2212 ".join(filter(None, (self.of(origin, cell) for origin in origins)))

    def _look_into(self, cell: int) -> None:
        for value, above, step in self._later.pop(cell, ()):
            self._add(value, above, step)

    def _add(self, value: object, above: int, step: str) -> None:
        if isinstance(value, BaseModel):
            self._places[id(value)] = (above, step)
            if isinstance(value, Cell):
                self._cell = id(value)
            for name in _nesting(type(value)):
                if name in _LARGE and self._large is not None:
                    self._large.append((getattr(value, name), id(value), name))
                elif name in _SELDOM:
                    self._later.setdefault(self._cell, []).append((getattr(value, name), id(value), name))
                else:
                    self._add(getattr(value, name), id(value), name)
        elif isinstance(value, dict):
            for key, item in value.items():
                self._add(item, above, f"{step}/{escaped(str(key))}")
        elif isinstance(value, list):
            for number, item in enumerate(value):
                self._add(item, above, f"{step}/{number}")

    def _add_holders(self, wanted: Sequence[BaseModel]) -> None:
        """Looks into those of many that hold a record of which it is not known yet where it is."""
        for items, above, step in self._large or ():
            for place in sorted(holders(items, [one for one in wanted if id(one) not in self._places])):
                self._add(items[place], above, f"{step}/{place}")


def holders(items: Sequence[BaseModel], wanted: Iterable[BaseModel]) -> set[int]:
    """Places of the items that are one of the `wanted` records or hold one, at any depth."""
    left = {id(record) for record in wanted}
    found = {place for place, item in enumerate(items) if id(item) in left}
    for place in found:
        left.difference_update(map(id, _below(items[place], frozenset())))
    for passed_over in (_SELDOM, frozenset[str]()):  # what holds most records is looked into last
        for place, item in enumerate(items):
            if not left:
                return found
            here = [one for one in map(id, _below(item, passed_over)) if one in left]
            if here:
                found.add(place)
                left.difference_update(here)
    return found


def _below(value: object, passed_over: frozenset[str]) -> Iterator[BaseModel]:
    """The record and all records that it holds, but for those in the fields that are passed over."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseModel):
            yield one
            waiting += [getattr(one, name) for name in _nesting(type(one)) if name not in passed_over]
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def escaped(name: str) -> str:
    """A key of an object as a pointer writes it."""
    return name.replace("~", "~0").replace("/", "~1")


@cache
def _nesting(schema: type[BaseModel]) -> tuple[str, ...]:
    """The fields that may hold records, so that the many others are not looked into."""
    return tuple(name for name, field in schema.model_fields.items() if _holds_records(field.annotation))


def _holds_records(annotation: object) -> bool:
    parts = get_args(annotation)
    if parts:
        return any(map(_holds_records, parts))
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
