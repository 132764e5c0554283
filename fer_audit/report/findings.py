"""What the results say in plain sentences, never more than their intervals allow.

A sentence that picks or counts among many comparisons widens each interval first, as Bonferroni's correction does for
as many comparisons; a difference is claimed only where the widened intervals do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_audit.report.checkpoint_findings import over_time
from fer_audit.report.comparison import Pair, against_none, against_undefended, clean_cells, direction, effects, side
from fer_audit.report.declared_findings import declared
from fer_audit.report.finding import Finding, counted, named, others
from fer_audit.report.label_findings import label_errors, memorisation, noise
from fer_audit.report.naming import attack_name, given_models, tested_on
from fer_audit.report.numbers import (
    decimal,
    loss,
    p_value,
    percent,
    share,
    short,
    signed,
    signed_decimal,
    with_interval,
)
from fer_audit.report.paired import PairedDifferences
from fer_audit.report.private_findings import equal_accuracy, kept_promises, refuted_promises
from fer_audit.report.robustness_findings import adversarial, batch_invariance, corruptions, explanations
from fer_audit.report.slices import group_name
from fer_audit.report.strongest import strongest_attack, strongest_attacks
from fer_audit.report.table import Origin
from fer_audit.results import AttackResult, Cell, Estimate, Results, Slice

SIGNIFICANT = 0.05
POPULATION = "population"  #: as the checks of splits call it


def findings(results: Results) -> list[Finding]:
    """The findings, first what a reader must know; but for coverage and batches they are of finished cells alone."""
    everything = results
    results = results.model_copy(update={"cells": [cell for cell in results.cells if cell.status == "done"]})
    augmented = [(pair[0].augmentation, pair) for pair in against_none(results.cells)]
    defended = [(pair[0].defence, pair) for pair in against_undefended(results.cells)]
    found = (
        refuted_promises(everything),
        *declared(everything),
        _coverage(everything),
        _invalid(results),
        _different_splits(results),
        _leakage(results),
        over_time(results),
        _accuracy(results),
        equal_accuracy(results),
        _leakage_effect(results, "augmentation", augmented),
        _accuracy_effect(results, "augmentation", augmented),
        _leakage_effect(results, "defence", defended),
        _accuracy_effect(results, "defence", defended),
        noise(results),
        memorisation("augmentation", augmented),
        memorisation("defence", defended),
        _slices(results),
        kept_promises(results),
        _epsilon(results),
        label_errors(results),
        corruptions(results),
        adversarial(results),
        batch_invariance(everything),
        explanations(results),
        _cost(results),
    )
    return [finding for finding in found if finding is not None]


def _invalid(results: Results) -> Finding | None:
    """Why attacks say nothing, but for what is told of labels that look permuted already."""
    told = {warning for cell in results.cells if cell.audited for warning in cell.audited.warnings}
    reasons = [cell.privacy.invalid for cell in results.cells if cell.privacy and cell.privacy.invalid]
    reasons = [reason for reason in reasons if reason not in told]
    if not reasons:
        return None
    of = "all" if len(reasons) == len(results.cells) else f"{len(reasons):,} of {len(results.cells):,}"
    what = "of all models" if of == "all" else f"of {of} models"
    text = f"Those {what}: {reasons[0]}." if given_models(results) else f"In {of} cells {reasons[0]}."
    return Finding("Membership results can't be trusted", text, "bad")


def _different_splits(results: Results) -> Finding | None:
    """Splits that a blind baseline tells apart; halves of the pool, which attacks are judged on, are not among them."""
    hygiene = results.dataset.hygiene
    found = [check for check in hygiene.blind if check.seed is None and check.found] if hygiene else []
    given = given_models(results)
    if given:  # that the two sides of the audit differ is said of the results that it spoils
        found = [check for check in found if POPULATION in (check.one, check.other)]
    if not found:
        return None
    judged = "members and non-members" if given else "halves of the train split"
    told = "; ".join(f"{c.one} from {c.other} (AUC {with_interval(c.auc, decimal)}, by {c.telling})" for c in found)
    text = (
        f"Image statistics alone tell {told}: accuracy may differ for that reason alone. Telling them apart says "
        f"nothing of membership; attacks here are judged on {judged}."
    )
    return Finding("Splits come from different sources", text, "bad", tuple((check.auc, "value") for check in found))


def _coverage(results: Results) -> Finding | None:
    undone = [cell for cell in results.cells if cell.status != "done"]
    if not undone:
        return None
    failed = sum(cell.status == "failed" for cell in undone)
    text = f"{failed:,} failed and {len(undone) - failed:,} are missing of {counted(len(results.cells), 'cell')}; "
    title = "Not every model could be audited" if given_models(results) else "The grid is not complete"
    return Finding(title, text + "nothing below speaks about them.", "bad")


def _leakage(results: Results) -> Finding:
    every = [cell for cell in results.cells if strongest_attack(cell)]
    # Of a model whose labels look permuted, attacks know no more than of any other that is asked about wrong labels.
    attacked = [cell for cell in every if not (cell.audited and cell.privacy and cell.privacy.invalid)]
    if every and not attacked:
        text = "The results of no attack can be trusted, so nothing is known of leakage."
        return Finding("Leakage is unknown", text, "open")
    comparisons = sum(1 for cell in attacked for _ in _known(cell))
    if not comparisons:
        return Finding("Leakage is unknown", "No membership attack was run, so nothing is known of leakage.", "open")
    leaky = [cell for cell in attacked if any(side(known.auc, 0.5, comparisons) > 0 for known in _known(cell))]
    if not leaky:
        text = (
            f"No AUC of {counted(comparisons, 'attack')} lies above chance by more than its interval, "
            "widened for that many comparisons. That is no proof that nothing leaks."
        )
        return Finding("No leak can be shown at this size", text, "open")
    return _leak(results, attacked, leaky, comparisons)


def _leak(results: Results, attacked: list[Cell], leaky: list[Cell], comparisons: int) -> Finding:
    worst = max(leaky, key=lambda cell: _auc(cell) or 0.0)
    attack = strongest_attack(worst)
    highest = f" Highest: {named(results, worst)}, {_attack_text(worst, attack)}." if attack else ""
    of: tuple[Origin, ...] = ((attack.auc, "value"),) if attack else ()
    rest = len(attacked) - len(leaky)
    silent = f" For {others(rest)} no leak can be shown, which is no proof that nothing leaks." if rest else ""
    text = (
        "An attack does better than chance on them, with each interval widened for "
        f"{counted(comparisons, 'comparison')}."
    )
    noun = "audited model" if given_models(results) else "attacked cell"
    title = f"Membership leaks from {len(leaky):,} of {counted(len(attacked), noun)}"
    return Finding(title, text + highest + silent, "bad", of)


def _attack_text(cell: Cell, attack: AttackResult) -> str:
    return f"{attack_name(cell, attack)} with AUC {with_interval(attack.auc, decimal)}"


def _slices(results: Results) -> Finding | None:
    """Groups that differ from all other rows; p-values are corrected once more for the number of attacks looked at."""
    looked = [(cell, attack) for cell in results.cells for attack in strongest_attacks(cell) if attack.slices]
    tested = [(cell, attack, one) for cell, attack in looked for one in attack.slices if one.p_adjusted is not None]
    differ = [found for found in tested if (found[2].p_adjusted or 0.0) * len(looked) < SIGNIFICANT]
    if not differ:
        return None
    cell, attack, one = max(differ, key=lambda found: found[2].difference.value or 0.0)
    more = one.difference.value or 0.0
    of: tuple[Origin, ...] = ((one.auc, "value"), (one.difference, "value"), (one, "p_adjusted"))
    text = (
        f"{_attacked(results, cell, attack)} does {'better' if more > 0 else 'worse'} on {_group(results, one)}: "
        f"AUC {with_interval(one.auc, decimal)}, a difference of {with_interval(one.difference, decimal)} from that on "
        f"all others, adjusted p {p_value(one.p_adjusted or 0.0)}. "
        f"{len(differ):,} of {counted(len(tested), 'group')} differ from all others after correction."
    )
    if more > 0 and (one.auc.low or 0.0) > 0.5:
        return Finding("Some rows are exposed more than others", text, "bad", of)
    return Finding("The attack does not do equally well on all rows", text, "plain", of)


def _group(results: Results, one: Slice) -> str:
    return f"{one.family} \u201c{group_name(results, one)}\u201d"


def _attacked(results: Results, cell: Cell, attack: AttackResult) -> str:
    return f"On {named(results, cell)}, {attack_name(cell, attack)}"


def _epsilon(results: Results) -> Finding | None:
    every = [(cell, attack) for cell in results.cells if cell.privacy for attack in cell.privacy.attacks]
    proved = [found for found in every if found[1].epsilon.lower_bound > 0]
    if not proved:
        return None
    cell, attack = max(proved, key=lambda found: found[1].epsilon.lower_bound)
    bound = attack.epsilon
    chosen = (
        f", the largest of {len(every):,} bounds and not corrected for having been picked" if len(every) > 1 else ""
    )
    known = f"for each {bound.unit} (delta {bound.delta:g}, {share(bound.confidence)} confidence{chosen})"
    text = (
        f"{_attacked(results, cell, attack)} refutes any epsilon below {loss(bound.lower_bound)} {known}. "
        f"The decisions could not have proved more than {loss(bound.cap)}."
    )
    of = tuple((bound, name) for name in ("lower_bound", "delta", "confidence", "cap"))
    return Finding("The decisions bound the privacy loss from below", text, "plain", of)


def _accuracy(results: Results) -> Finding | None:
    measured = clean_cells([cell for cell in results.cells if cell.utility and _balanced(cell).value is not None])
    if not measured:
        return None
    chance = 1 / max(len(results.dataset.classes), 1)
    best = max(measured, key=lambda cell: _balanced(cell).value or 0.0)
    of: tuple[Origin, ...] = ((_balanced(best), "value"),)
    score = f"balanced accuracy {with_interval(_balanced(best))}, chance being {percent(chance)}"
    where = " on clean labels" if len(measured) < sum(cell.utility is not None for cell in results.cells) else ""
    score += f", on {tested_on(results)}" if given_models(results) else ""
    if side(_balanced(best), chance, len(measured)) <= 0:
        text = f"The best{where}, {named(results, best)}, has {score}."
        return Finding("No cell can be told from chance", text, "bad", of)
    ties = [cell for cell in measured if cell is not best and not _beats(best, cell, len(measured))]
    text = f"The best{where}, {named(results, best)}, has {score}.{_ties(results, len(ties), len(measured) - 1)}"
    return Finding("Expressions are recognised", text, "good", of)


def _ties(results: Results, ties: int, rest: int) -> str:
    others = f"{rest:,} others" + ("" if given_models(results) else " on the same kind of labels")
    if not rest:
        return ""
    if not ties:
        return f" It is better than each of the {others}."
    if ties == rest:
        return f" None of the {others} can be told apart from it at this size."
    return f" {ties:,} of the {others} can't be told apart from it at this size."


def _leakage_effect(results: Results, against: str, pairs: Sequence[tuple[str, Pair]]) -> Finding | None:
    """What augmentations, or defences, do to leakage; `pairs` are their name, and a cell with its twin without."""
    paired = PairedDifferences(results)
    found = [
        (name, paired.of("auc", (cell, plain), (attack.auc, twin.auc), attack.attack))
        for name, (cell, plain) in pairs
        for attack, twin in _same_attack(cell, plain)
    ]
    title = f"What {against} does to leakage"
    return effects(title, "attack AUC", found, "good", signed_decimal, against=against) if found else None


def _accuracy_effect(results: Results, against: str, pairs: Sequence[tuple[str, Pair]]) -> Finding | None:
    paired = PairedDifferences(results)
    found = [
        (name, paired.of("balanced_accuracy", (cell, plain), (_balanced(cell), _balanced(plain))))
        for name, (cell, plain) in pairs
        if cell.utility and plain.utility
    ]
    title = f"What {against} does to accuracy"
    return effects(title, "balanced accuracy", found, "bad", signed, " points", against) if found else None


def _cost(results: Results) -> Finding | None:
    costs = sorted(results.costs, key=lambda cost: cost.macs)
    if len(costs) < 2 or not costs[0].macs:
        return None
    low, high = costs[0], costs[-1]
    text = (
        f"{low.model} needs {short(low.macs)} MACs for an image of {low.image_size} px, "
        f"{high.model} {short(high.macs)}: {high.macs / low.macs:.1f} times as many. Counts have no error."
    )
    return Finding("What the models cost", text, "plain", ((low, "macs"), (low, "image_size"), (high, "macs")))


def _same_attack(one: Cell, other: Cell) -> Iterator[tuple[AttackResult, AttackResult]]:
    known = {(attack.attack.name, str(attack.attack.params)): attack for attack in _known(other)}
    for attack in _known(one):
        twin = known.get((attack.attack.name, str(attack.attack.params)))
        if twin is not None:
            yield attack, twin


def _known(cell: Cell) -> list[AttackResult]:
    return [attack for attack in cell.privacy.attacks if attack.auc.value is not None] if cell.privacy else []


def _balanced(cell: Cell) -> Estimate:
    return cell.utility.balanced_accuracy if cell.utility else Estimate(value=None)


def _auc(cell: Cell) -> float | None:
    attack = strongest_attack(cell)
    return attack.auc.value if attack else None


def _beats(one: Cell, other: Cell, comparisons: int) -> bool:
    return direction(_balanced(one), _balanced(other), comparisons) > 0
