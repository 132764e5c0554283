"""What a model leaks about the people whose images it learnt from."""

from __future__ import annotations

from fer_audit.export.card_text import NOT_MEASURED, bullets, section, table
from fer_audit.report.audited import Audited, person
from fer_audit.report.markdown import escaped
from fer_audit.report.naming import attack_name
from fer_audit.report.numbers import confidence, decimal, integer, loss, share, with_interval
from fer_audit.results import AttackResult, Cell, Estimate, Guarantee, Privacy, Results

#: The FPR that a TPR is told at.
_FPR = "0.01"


def privacy_section(results: Results, cell: Cell) -> str:
    """Attacks, lower bounds on the privacy loss, and promises."""
    return section(
        "Leakage",
        *(_attacks(results, cell, cell.privacy) if cell.privacy else [f"Membership inference: {NOT_MEASURED}."]),
        bullets(_promise(cell.guarantee), *_audits(cell)),
    )


def _attacks(results: Results, cell: Cell, privacy: Privacy) -> list[str]:
    heads = ["Attack", "On", "AUC", f"TPR at {share(float(_FPR))} FPR", "Epsilon \u2265", "What the attacker has"]
    return [
        f"How well membership in the training data can be told from the answers of {len(privacy.trainings)} models, "
        f"trained like this one but on random halves of the train split, each attacked with {privacy.references} of "
        f"the others as references; an AUC of 0.5 is chance; in brackets {confidence(results)} intervals.",
        f"**None of this can be trusted: {escaped(privacy.invalid)}**" if privacy.invalid else "",
        table(heads, [_attack(cell, one) for one in privacy.attacks]) if privacy.attacks else "No attack was run.",
        bullets(
            f"Accuracy of these models on images that they were trained on: {with_interval(privacy.member_accuracy)}; "
            f"on the others of the train split: {with_interval(privacy.nonmember_accuracy)}",
            "An epsilon is a lower bound: no guarantee with a smaller one can hold." if privacy.attacks else "",
        ),
    ]


def _attack(cell: Cell, one: AttackResult) -> list[str]:
    bound = one.epsilon
    sure = f"{share(bound.confidence)} confidence, delta {bound.delta:g}, cap {loss(bound.cap)}"
    rate = one.tpr_at_fpr.get(_FPR) or Estimate(value=None, note=NOT_MEASURED)
    unit = "images" if one.unit == "row" else "people"
    return [
        attack_name(cell, one),
        unit,
        with_interval(one.auc, decimal),
        with_interval(rate),
        f"{loss(bound.lower_bound)} ({sure})",
        one.threat_model,
    ]


def _promise(guarantee: Guarantee | None) -> str:
    if guarantee is None:
        return "Promise: none; this model was not trained with differential privacy."
    told = (
        f"Promise of differentially private training: epsilon {loss(guarantee.epsilon)} at delta {guarantee.delta:g} "
        f"for one {guarantee.unit}, by {escaped(guarantee.accountant)}, with noise {guarantee.noise_multiplier:.4g}, "
        f"clip {guarantee.clip_norm:.4g} and {integer(guarantee.steps)} steps"
    )
    if guarantee.group is None:
        return told + "; who is shown is not known, so that nothing is promised to a person with several images."
    group = guarantee.group.epsilon
    return f"{told}; for {person(guarantee)} {'nothing finite' if group is None else f'epsilon {loss(group)}'}."


def _audits(cell: Cell) -> list[str]:
    found = [Audited(cell, cell.id, one) for one in (cell.canaries, cell.many_runs) if one]
    return [f"The promise, audited: {escaped(one.word)}. {escaped(one.text)}" for one in found]
