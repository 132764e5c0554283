"""What the results say of changed images, of batches and of heat maps."""

from __future__ import annotations

from fer_audit.report.comparison import better, direction, side
from fer_audit.report.finding import Finding, counted, joined, named
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import with_interval
from fer_audit.report.table import Origin
from fer_audit.results import (
    AdversarialPoint,
    AdversarialRobustness,
    Cell,
    CorruptionRobustness,
    Results,
)

_Corrupted = tuple[Cell, CorruptionRobustness]
_Attacked = tuple[Cell, AdversarialRobustness, AdversarialPoint]


def corruptions(results: Results) -> Finding | None:
    """The largest fall on corrupted images, and cells that differ from the baseline."""
    found = [(cell, cell.corruptions) for cell in results.cells if cell.corruptions]
    if not found:
        return None
    falls = [(cell, done) for cell, done in found if direction(done.accuracy, done.clean, len(found)) < 0]
    lead = f"In the mean over kinds and severities, accuracy falls in {len(falls):,} of {counted(len(found), 'cell')}."
    relative = _relative(results, found)
    if not falls:
        return Finding("No harm of corrupted images can be shown at this size", lead + relative, "open")
    cell, done = max(falls, key=lambda one: (one[1].clean.value or 0.0) - (one[1].accuracy.value or 0.0))
    largest = (
        f" Largest fall: {named(results, cell)}, from {with_interval(done.clean)} to {with_interval(done.accuracy)}."
    )
    of: tuple[Origin, ...] = ((done.clean, "value"), (done.accuracy, "value"))
    return Finding("What corrupted images cost", lead + largest + relative, "bad", of)


def _relative(results: Results, found: list[_Corrupted]) -> str:
    judged = [done for cell, done in found if cell.id != done.baseline and done.mce.value is not None]
    if not judged:
        return ""
    signs = [side(done.mce, 1.0, len(judged)) for done in judged]
    baseline = _baseline(results, {done.baseline for done in judged})
    among = f"of {counted(len(judged), 'other cell')}"
    if not any(signs):
        return f" Relative to {baseline}, mCE differs from 1 beyond its interval in none {among}."
    below, above = signs.count(-1), signs.count(1)
    return f" Relative to {baseline}, mCE is lower in {below:,} and higher in {above:,} {among}."


def _baseline(results: Results, ids: set[str]) -> str:
    if len(ids) > 1:
        return "the baseline of each seed" if several_seeds(results) else "each one's baseline"
    (only,) = ids
    return next((named(results, cell) for cell in results.cells if cell.id == only), only)


def adversarial(results: Results) -> Finding | None:
    """What is left of accuracy under the strongest attack, at one epsilon for all cells."""
    epsilon = _middle_epsilon(results)
    found = [
        (cell, cell.adversarial, point)
        for cell in results.cells
        if cell.adversarial and (point := _strongest(cell.adversarial, epsilon))
    ]
    if not found:
        return None
    fallen = [one for one in found if direction(one[2].accuracy, one[1].clean, len(found)) < 0]
    lead = f"At epsilon {epsilon:g} of 255, {_attacks(found)} lowers accuracy in {len(fallen):,} of "
    lead += f"{counted(len(found), 'cell')}."
    if not fallen:
        return Finding("No harm of adversarial changes can be shown at this size", lead, "open")
    least = min(found, key=lambda one: one[2].accuracy.value or 0.0)
    most = max(found, key=lambda one: one[2].accuracy.value or 0.0)
    of: list[Origin] = [(least[2], "epsilon"), (least[2].accuracy, "value"), (least[1].clean, "value")]
    left = f"{with_interval(least[2].accuracy)} instead of {with_interval(least[1].clean)}"
    text = f"{lead} Least is left for {named(results, least[0])}: {left}"
    if len(found) > 1:
        text += f"; most for {named(results, most[0])}: {with_interval(most[2].accuracy)}"
        of.append((most[2].accuracy, "value"))
    return Finding("What adversarial changes cost", f"{text}. A stronger attack may leave less.", "bad", tuple(of))


def _middle_epsilon(results: Results) -> float | None:
    """Fixed by the grid, never by what was found; the lower one of two in the middle."""
    every = sorted({point.epsilon for cell in results.cells if cell.adversarial for point in cell.adversarial.points})
    return every[(len(every) - 1) // 2] if every else None


def _strongest(done: AdversarialRobustness, epsilon: float | None) -> AdversarialPoint | None:
    """PGD where it was run, FGSM otherwise."""
    here = {one.attack: one for one in done.points if one.epsilon == epsilon and one.accuracy.value is not None}
    return here.get("pgd") or here.get("fgsm")


def _attacks(found: list[_Attacked]) -> str:
    return joined(list(dict.fromkeys(point.attack.upper() for _, _, point in found)))


def batch_invariance(results: Results) -> Finding | None:
    """Cells whose answers depend on the rest of the batch; nothing is said where none does."""
    checked = [(cell, cell.batch_invariance) for cell in results.cells if cell.batch_invariance]
    failed = [(cell, done) for cell, done in checked if not done.passed]
    if not failed:
        return None
    cell, done = max(failed, key=lambda one: one[1].max_difference)
    text = (
        f"In {len(failed):,} of {counted(len(checked), 'cell')} a logit of an image changes with what else is in the "
        f"batch by more than {done.tolerance:.2g}. Most: {named(results, cell)}, by {done.max_difference:.2g}; "
        f"{done.changed:,} of its {counted(done.rows, 'prediction')} change beyond it."
    )
    of = tuple((done, name) for name in ("tolerance", "max_difference", "changed", "rows"))
    return Finding("Answers depend on the rest of the batch", text, "bad", of)


def explanations(results: Results) -> Finding | None:
    """Measures by which heat maps are better than random ones, and those by which that can't be shown."""
    every = [one for cell in results.cells if cell.explanation for one in cell.explanation.measures]
    known = [one for one in every if one.difference.value is not None]
    if not known:
        return None
    signs: dict[str, list[int]] = {}
    for one in known:
        signs.setdefault(one.name, []).append(better(one, len(known)))
    said = [f"{name} in {found.count(1):,} of {counted(len(found), 'cell')}" for name, found in signs.items()]
    text = f"Heat maps are better than random ones by {joined(said)}."
    worse = [f"{name} in {found.count(-1):,}" for name, found in signs.items() if -1 in found]
    if worse:
        return Finding("Some heat maps are worse than random ones", f"{text} They are worse by {joined(worse)}.", "bad")
    shown = sum(found.count(1) for found in signs.values())
    if not shown:
        return Finding("Heat maps can't be told from random ones", text, "open")
    if shown == len(known):
        return Finding("Heat maps say more than random ones", text, "good")
    tail = " Where they are not, do not read them as what the model looks at."
    return Finding("Not all heat maps can be told from random ones", text + tail, "open")
