"""Where each number of the page stands in the files beside it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from fer_audit.report.table import Origin
from fer_audit.results import Results, RunRecord


class Pointers:
    """The place of every record of the results, as JSON pointers (RFC 6901) say it."""

    def __init__(self, results: Results, run: RunRecord | None = None) -> None:
        """Looks up all records once; they are told apart by identity, since equal ones may stand in several places."""
        self._places = {id(record): place for record, place in _walk(results, "results.json#")}
        if run is not None:
            self._places |= {id(record): place for record, place in _walk(run, "run.json#")}

    def of(self, origin: Origin) -> str:
        """Such as `results.json#/cells/3/utility/accuracy/value`; empty where the record is none of the results."""
        record, name = origin
        place = self._places.get(id(record))
        return "" if place is None else f"{place}/{escaped(name)}"

    def under(self, record: BaseModel) -> str:
        """The place of a whole record; empty where it is none of the results."""
        return self._places.get(id(record), "")

    def all(self, origins: tuple[Origin, ...]) -> str:
        """The places that a number is computed from, the first less the second."""
        return " \u2212 ".join(filter(None, map(self.of, origins)))


def escaped(name: str) -> str:
    """A name as a pointer writes it."""
    return name.replace("~", "~0").replace("/", "~1")


def _walk(value: object, place: str) -> Iterator[tuple[BaseModel, str]]:
    if isinstance(value, BaseModel):
        yield value, place
        for name in type(value).model_fields:
            yield from _walk(getattr(value, name), f"{place}/{name}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(item, f"{place}/{escaped(str(name))}")
    elif isinstance(value, list) and value and not isinstance(value[0], float | int | str):
        for number, item in enumerate(value):
            yield from _walk(item, f"{place}/{number}")
