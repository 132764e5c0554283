"""What a finding is, and the words that findings share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fer_audit.report.naming import cell_name, several_seeds
from fer_audit.report.table import Origin
from fer_audit.results import Cell, Results

Tone = Literal["good", "bad", "open", "plain"]


@dataclass(frozen=True)
class Finding:
    """One sentence or two; `tone` says what a reader should feel about it."""

    title: str
    text: str
    tone: Tone
    of: tuple[Origin, ...] = ()  #: where its numbers come from


def named(results: Results, cell: Cell) -> str:
    """A cell as findings call it."""
    return cell_name(cell, several_seeds(results))


def counted(number: int, noun: str) -> str:
    """A number of things, such as `1 cell` or `16 cells`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def others(number: int) -> str:
    """All but the ones spoken of."""
    return "the other one" if number == 1 else f"the other {number:,}"


def joined(names: list[str]) -> str:
    """Names as a sentence lists them."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
