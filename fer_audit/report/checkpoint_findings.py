"""What the results say of leakage over the time that a model was trained."""

from __future__ import annotations

from fer_audit.report.charts.checkpoints import checkpoints
from fer_audit.report.comparison import direction
from fer_audit.report.finding import Finding, counted
from fer_audit.report.naming import attack_name
from fer_audit.report.numbers import decimal, with_interval
from fer_audit.results import AttackResult, Cell, Results


def over_time(results: Results) -> Finding | None:
    """Whether the last checkpoint leaks more than the first, to the attack that is strongest at the last.

    Both were attacked on the same rows, so that intervals which do not overlap claim less than they could.
    """
    cells = [cell for cell in checkpoints(results) if cell.privacy and not cell.privacy.invalid]
    if len(cells) < 2 or _epoch(cells[0]) == _epoch(cells[-1]):
        return None
    first, last = cells[0], cells[-1]
    pairs = [(one, other) for other in _attacks(last) if (one := _same(first, other)) is not None]
    if not pairs:
        return None
    before, after = max(pairs, key=lambda pair: pair[1].auc.value or 0.0)
    way = direction(after.auc, before.auc, len(pairs))
    verb = {1: "rises", -1: "falls", 0: "goes"}[way]
    widened = f", widened for {counted(len(pairs), 'attack')}," if len(pairs) > 1 else ""
    text = (
        f"By {attack_name(last, after)}, the strongest attack on the last of {len(cells):,} checkpoints, leakage "
        f"{verb} from AUC {with_interval(before.auc, decimal)} at epoch {_epoch(first):,} to "
        f"{with_interval(after.auc, decimal)} at epoch {_epoch(last):,}; the intervals{widened} "
        f"{'do not overlap' if way else 'overlap'}."
    )
    of = ((before.auc, "value"), (after.auc, "value"))
    if not way:
        return Finding("Leakage can't be shown to change with training time", text, "open", of)
    if way > 0:
        return Finding("Leakage grows with training time", text, "bad", of)
    return Finding("Leakage shrinks with training time", text, "good", of)


def _attacks(cell: Cell) -> list[AttackResult]:
    return [attack for attack in cell.privacy.attacks if attack.auc.value is not None] if cell.privacy else []


def _same(cell: Cell, attack: AttackResult) -> AttackResult | None:
    alike = (one for one in _attacks(cell) if (one.attack.name, one.attack.params) == _key(attack))
    return next(alike, None)


def _key(attack: AttackResult) -> tuple[str, dict[str, object]]:
    return attack.attack.name, attack.attack.params


def _epoch(cell: Cell) -> int:
    return (cell.audited.checkpoint or 0) if cell.audited else 0
