"""What every section of a grid is, and the checks that sections share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

#: Whole numbers beyond it are no longer told apart by every reader of JSON (RFC 8259, section 6).
_LARGEST = 2**53 - 1


class Section(BaseModel):
    """A section of a grid: frozen, without unknown fields, and of finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _sane_numbers(cls, values: Any) -> Any:
        """Refuses `true` where a number is meant, which Python takes for 1, and numbers that JSON can't hold."""
        if isinstance(values, Mapping):
            for name in _numeric(cls):
                _refuse_odd_numbers(values.get(name), name)
        return values


class MisplacedError(ValueError):
    """What is wrong at `location`, a path of keys and places below the section that found it."""

    def __init__(self, message: str, *location: int | str) -> None:
        super().__init__(message)
        self.location = location


@cache
def _numeric(section: type[Section]) -> tuple[str, ...]:
    """The fields that hold numbers, alone or in a list, and no switch and no section."""
    fields = section.model_fields.items()
    kinds = ((name, set(_kinds(info.annotation))) for name, info in fields)
    return tuple(name for name, found in kinds if found & {int, float} and found <= {int, float, str, type(None)})


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types at the ends of an annotation."""
    inner = get_args(annotation)
    if get_origin(annotation) is Literal:
        yield from map(type, inner)
    elif inner and hasattr(annotation, "__metadata__"):
        yield from _kinds(inner[0])
    elif inner:
        for part in inner:
            yield from () if part is Ellipsis else _kinds(part)
    else:
        yield annotation


def _refuse_odd_numbers(value: Any, *location: int | str) -> None:
    if isinstance(value, list | tuple):
        for place, one in enumerate(value):
            _refuse_odd_numbers(one, *location, place)
    elif isinstance(value, bool):
        raise MisplacedError(f"expected no true or false here. Received: {str(value).lower()}", *location)
    elif isinstance(value, int) and abs(value) > _LARGEST:
        raise MisplacedError(f"expected a number up to {_LARGEST:,} in size, received a larger one", *location)


#: What the JSON Schema of a list says whose values `refuse_twice`, or its section, would refuse.
ONCE: Final[dict[str, JsonValue]] = {"uniqueItems": True}


def refuse_twice(field: str, values: Sequence[Any]) -> None:
    """Raises ValueError where a value of `field` appears twice."""
    seen = set[Any]()
    for value in values:
        if value in seen:
            raise ValueError(f"{field} names {value!r} twice")
        seen.add(value)


def as_list(value: Any) -> Any:
    """A value that stands alone is a list of one."""
    return value if isinstance(value, list | tuple) else [value]
