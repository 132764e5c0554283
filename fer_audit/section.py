"""What every section of a grid is, and the checks that sections share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, JsonValue


class Section(BaseModel):
    """A section of a grid: frozen, without unknown fields, and of finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MisplacedError(ValueError):
    """What is wrong at `location`, a path of keys and places below the section that found it."""

    def __init__(self, message: str, *location: int | str) -> None:
        super().__init__(message)
        self.location = location


#: What the JSON Schema of a list says whose values `refuse_twice`, or its section, would refuse.
ONCE: Final[dict[str, JsonValue]] = {"uniqueItems": True}


def refuse_twice(field: str, values: Sequence[Any]) -> None:
    """Raises ValueError where a value of `field` appears twice."""
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise ValueError(f"{field} names {twice[0]!r} twice")


def as_list(value: Any) -> Any:
    """A value that stands alone is a list of one."""
    return value if isinstance(value, list | tuple) else [value]
