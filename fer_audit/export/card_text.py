"""The words and the Markdown that sections of a card share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fer_audit.report.markdown import escaped

NOT_MEASURED = "not measured"


def section(title: str, *blocks: str) -> str:
    """A heading with what stands below it; blocks are escaped already, and empty ones are left out."""
    return "\n\n".join([f"## {title}", *filter(None, blocks)])


def bullets(*lines: str) -> str:
    """A list of sentences that are escaped already, without the empty ones."""
    return "\n".join(f"- {line}" for line in lines if line)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of entries, which are escaped here; heads are as they are."""
    lines = [heads, ["---"] * len(heads), *([escaped(entry) for entry in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def described(name: str, params: dict[str, Any]) -> str:
    """A plug-in with the parameters that are set."""
    told = ", ".join(f"{key}={value}" for key, value in params.items() if value is not None)
    return f"{name}({told})" if told else name
