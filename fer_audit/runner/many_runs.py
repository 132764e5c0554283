"""What the trainings of a cell on halves of the pool prove together about the privacy loss, beside what is promised."""

from __future__ import annotations

from collections.abc import Sequence

from fer_audit.attacks.privacy_loss import replaced_bound
from fer_audit.results import AttackResult, Confusion, Guarantee, ManyRunAudit


def many_run_audit(attacks: Sequence[AttackResult], guarantee: Guarantee, confidence: float) -> ManyRunAudit:
    """The largest bound that `attacks` prove (Jagielski, Ullman, Oprea 2020), each at its share of the significance.

    Their decisions are one a unit, each on one model; see `attacks.privacy_loss`. The draw of halves puts an alike unit
    in the place of one that is no member, so bounds are on the epsilon of one change: `guarantee` is for the presence
    of an image, or of all images of the person with most of them.
    """
    each = 1 - (1 - confidence) / max(1, len(attacks))
    bounds = [_bound(attack, guarantee.delta, each) for attack in attacks]
    strongest = max(range(len(attacks)), key=lambda place: bounds[place], default=None)
    caps = [_cap(attack, guarantee.delta, each) for attack in attacks]
    of_people = any(attack.epsilon.unit == "subject" for attack in attacks)
    promised = (guarantee.group.epsilon if guarantee.group else None) if of_people else guarantee.epsilon
    bound = 0.0 if strongest is None else bounds[strongest]
    return ManyRunAudit(
        attack=None if strongest is None else attacks[strongest].attack,
        lower_bound=bound,
        cap=max(caps, default=0.0),
        delta=guarantee.delta,
        confidence=confidence,
        unit="subject" if of_people else "row",
        decisions=0 if strongest is None else _decisions(attacks[strongest]),
        promised=promised,
        broken=promised is not None and bound > promised,
        guarantee=guarantee,
        method=f"Clopper-Pearson, one decision a unit, best of {len(attacks)} attacks (Bonferroni), halves by exchange",
    )


def _bound(attack: AttackResult, delta: float, confidence: float) -> float:
    return replaced_bound(attack.epsilon.rules, delta, confidence)


def _cap(attack: AttackResult, delta: float, confidence: float) -> float:
    """The bound where every rule finds all members and accuses nobody."""
    perfect = Confusion(tp=attack.epsilon.members, fp=0, fn=0, tn=attack.epsilon.nonmembers)
    return replaced_bound([perfect] * len(attack.epsilon.rules), delta, confidence)


def _decisions(attack: AttackResult) -> int:
    return attack.epsilon.members + attack.epsilon.nonmembers
