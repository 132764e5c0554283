"""What membership attacks found, as a table in the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fer_audit.results import AttackResult, Estimate

_HEADS = ["attack", "AUC", "TPR at\n1 % FPR", "TPR at\n0.1 % FPR", "FPR had,\n1 % asked", "FP", "FN", "epsilon\n\u2265"]
_NOTES = 2  #: of one attack in the terminal; the page has all


def show_attacks(found: Sequence[tuple[str, AttackResult]], console: Console, *, thresholds: str) -> None:
    """The main numbers of every attack, and what must be known to read them; `thresholds` says where they come from."""
    from fer_audit.report.numbers import share

    console.print(_table(found, console.width))
    bound = found[0][1].epsilon
    say(
        console,
        f"Below the numbers are {_plain(share(found[0][1].auc.confidence))} intervals. FP and FN are at the threshold "
        f"that {thresholds}; epsilon is the least that is proved at delta {bound.delta:g}.",
    )
    for label, one in found:
        notes = _notes(one)
        for note in notes[:_NOTES]:
            say(console, f"note: {label}: {note}")
        if len(notes) > _NOTES:
            say(console, f"note: {label}: {len(notes) - _NOTES} more notes are in the report")


def _notes(result: AttackResult) -> list[str]:
    """The notes; what holds for the target and for its thresholds is said once."""
    return [note for note in result.notes if note.removeprefix("thresholds: ") not in set(result.notes) - {note}]


def _table(found: Sequence[tuple[str, AttackResult]], width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    lines = [_HEADS, *([label, *_numbers(one)] for label, one in found)]
    taken = sum(max(len(part) for line in lines for part in line[place].split("\n")) + 1 for place in range(1, 8))
    left = max(8, width - taken - 1)
    table.add_column(_HEADS[0], overflow="fold")
    for head in _HEADS[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    for label, *numbers in lines[1:]:
        table.add_row(*(Text(text) for text in (_wrapped(label, left), *numbers)))
    return table


def _wrapped(label: str, width: int) -> str:
    return label if len(label) <= width else textwrap.fill(label.replace("(", " (", 1), width)


def _numbers(result: AttackResult) -> Iterator[str]:
    from fer_audit.report.numbers import decimal, loss, percent, short

    yield _estimate(result.auc, decimal)
    yield from (_estimate(result.tpr_at_fpr[level], percent) for level in ("0.01", "0.001"))
    yield _estimate(result.transferred["0.01"].fpr, percent)
    yield from (_plain(short(n)) if n >= 100_000 else f"{n:,}" for n in (result.confusion.fp, result.confusion.fn))
    yield f"{loss(result.epsilon.lower_bound)}\ncap {loss(result.epsilon.cap)}"


def _estimate(estimate: Estimate, form: Any) -> str:
    """A number with its interval below it."""
    from fer_audit.report.numbers import interval

    if estimate.value is None:
        return "not\nresolvable" if estimate.note.startswith("not resolvable") else "unknown"
    return _plain(f"{form(estimate.value)}\n{interval(estimate, form)}".removesuffix("\n"))


def _plain(text: str) -> str:
    """With the space that every terminal has."""
    return text.replace("\u202f", " ")


def say(console: Console, text: str, style: str | None = None) -> None:
    """Prints a text as it is, wrapped where people read it."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)
