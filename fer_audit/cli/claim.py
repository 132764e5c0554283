"""A claimed saving on the command line, `"12.66% vs efficientface"`, and what was found about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_audit.metrics.claims import ClaimCheck, Pair
    from fer_audit.metrics.published import Published
    from fer_audit.training.costs import ModelCost

_FORM = "[MODEL] NUMBER% [fewer ...] vs MODEL"
_NUMBER = re.compile(r"[+-]?(\d+)(?:\.(\d+))?")
_CLAIM = re.compile(
    r"\s*(?:(?P<ours>\S.*?)\s+)?(?P<number>[+-]?\d+(?:\.\d+)?)\s*%(?P<words>[A-Za-z\s-]*?)"
    r"(?<![A-Za-z])(?:vs\.?|versus|against|than)\s+(?P<theirs>\S.*?)\s*",
    re.IGNORECASE,
)
#: Words that a claim may have between its number and the other model; none changes what is checked.
_COMPARING = frozenset({"fewer", "less", "lower", "smaller", "cheaper", "reduction", "saving"})
#: Words for what was counted, and the unit of ours that they name.
_COUNTED = {
    "macs": "macs",
    "multiply-accumulates": "macs",
    "flops": "flops",
    "operations": "flops",
    "parameters": "params_total",
    "params": "params_total",
    "computation": None,
}

#: Pairs near the claim that are told.
_MOST_NEAR = 3


@dataclass(frozen=True)
class Claim:
    """A saving in percent, to its printed digits, against another model; `ours` where the claim names its own."""

    ours: str | None
    percent: float
    digits: int
    theirs: str
    unit: str | None = None  #: that the claim names


def parse_claim(text: str) -> Claim:
    """The claim that `text` makes, such as `ghostface-origin 12.66% fewer FLOPs than efficientface`."""
    found = _CLAIM.fullmatch(text)
    if found is None:
        raise FerAuditError(f"--claim: expected {_FORM!r}, such as '12.66% vs efficientface', received {text!r}")
    unknown = [word for word in found["words"].split() if word.lower() not in {*_COMPARING, *_COUNTED}]
    if unknown:
        raise FerAuditError(f"--claim: {unknown[0]!r} is not understood; expected {_FORM!r}, received {text!r}")
    units = [unit for word in found["words"].lower().split() if (unit := _COUNTED.get(word)) is not None]
    return replace(_claim(found["ours"], found["number"], found["theirs"]), unit=units[0] if units else None)


def structured_claim(value: str, theirs: str) -> Claim:
    """The claim of `--claim-value` and `--against`."""
    if _NUMBER.fullmatch(value.strip()) is None:
        raise FerAuditError(f"--claim-value: expected a percentage such as 12.66, received {value!r}")
    return _claim(None, value.strip(), theirs)


def _claim(ours: str | None, number: str, theirs: str) -> Claim:
    return Claim(ours, float(number), len(number.partition(".")[2]), theirs)


def claim_json(check: ClaimCheck, ours: ModelCost, theirs: ModelCost) -> dict[str, Any]:
    """The finding as JSON: `claimed`, `digits`, `reproduced`, `honest`, and lists of pairs with their savings."""
    groups = {"reproducing": check.reproducing, "nearest": check.nearest, "one_unit": check.one_unit}
    return {
        "ours": ours.model,
        "theirs": theirs.model,
        "claimed": check.claimed,
        "digits": check.digits,
        "reproduced": check.reproduced,
        "honest": check.honest,
        **{name: [_pair_json(pair) for pair in pairs] for name, pairs in groups.items()},
    }


def _pair_json(pair: Pair) -> dict[str, Any]:
    found = {"reduction": pair.reduction, "difference": pair.difference, "like_units": pair.like_units}
    return {**{name: value for name, value in asdict(pair).items() if name != "claimed"}, **found}


def show_claim(
    check: ClaimCheck, ours: ModelCost, theirs: ModelCost, console: Console, named: str | None = None
) -> None:
    """The counts of both models side by side, then the verdict, first of the unit that the claim `named`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("unit")
    for heading in (ours.model, theirs.model, "saving"):
        table.add_column(Text(heading), justify="right", overflow="fold")
    savings = {pair.ours: f"{pair.reduction:.2f} %" for pair in check.one_unit}
    our_counts, their_counts = ours.counts(), theirs.counts()
    for unit in dict.fromkeys((*our_counts, *their_counts)):
        cells = (f"{counts[unit]:,}" if unit in counts else "" for counts in (our_counts, their_counts))
        table.add_row(unit, *cells, savings.get(unit, ""))
    console.print(table)
    for cost in (ours, theirs):
        if published := cost.published:
            _say(console, _source(published, cost.model))
    console.print()
    if named is not None:
        _say(console, _named_unit(check, named))
    for line in verdict(check, ours.model, theirs.model):
        _say(console, line)


def _named_unit(check: ClaimCheck, unit: str) -> str:
    """What the claim is in the unit that it names, before other units are tried."""
    found = next(pair for pair in check.one_unit if pair.ours == unit)
    holds = "as claimed" if found in check.reproducing else f"not {check.claimed:.{check.digits}f} %"
    return f"Claimed of {unit}: the saving is {found.reduction:.2f} %, {holds}. Of any units:"


def _source(published: Published, model: str) -> str:
    return f"published {published.unit} of {model}: {published.source}"


def verdict(check: ClaimCheck, ours: str, theirs: str) -> Iterator[str]:
    """What was found, in sentences."""
    claimed, near = f"{check.claimed:.{check.digits}f} %", list(check.nearest[:_MOST_NEAR])
    if not check.reproduced:
        best = near.pop(0)
        yield f"{claimed} is reproduced by no pair of units; nearest is {_named(best, ours, theirs)}: {_off(best)}."
    for pair in check.reproducing:
        kind = "one unit" if pair.like_units else "unlike units, which can't be compared"
        yield f"{claimed} is reproduced by {_named(pair, ours, theirs)}: {kind}."
    for pair in near:
        if pair.near:
            yield f"Near it: {_named(pair, ours, theirs)}: {_off(pair)}."
    yield "In one unit: " + ", ".join(f"{pair.ours} {pair.reduction:.1f} %" for pair in check.one_unit) + "."


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False)


def _named(pair: Pair, ours: str, theirs: str) -> str:
    numerator, denominator = _millions(pair.numerator), _millions(pair.denominator)
    return f"{pair.ours} of {ours} ({numerator}) against {pair.theirs} of {theirs} ({denominator})"


def _off(pair: Pair) -> str:
    side = "above" if pair.difference > 0 else "below"
    kind = "" if pair.like_units else ", unlike units"
    return f"{pair.reduction:.2f} %, {abs(pair.difference):.2f} points {side} the claim{kind}"


def _millions(count: float) -> str:
    return f"{count / 1e6:,.2f} M"
