"""Membership of people."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast

import numpy as np
from pydantic import Field

from fer_audit.attacks.membership_attack import AttackParameters, Floats, MembershipAttack, Needs, TargetView
from fer_audit.errors import PluginError, SignalsError
from fer_audit.registry import Registry


class Subject(MembershipAttack):
    """Was any photograph of this person trained on? Scores of a person's rows by another attack, put together.

    Every row of a person gets the person's score. Log-likelihood ratios add up where rows are independent, so "sum" is
    the default for the default attack; "mean" suits scores that are no likelihood ratio, such as the loss.
    Source: Li, Rezaei, Liu, "User-Level Membership Inference Attack against Metric Embedding Learning", 2022; Kandpal,
    Pillutla, Oprea, Kairouz, Choquette-Choo, Xu, "User Inference Attacks on Large Language Models", EMNLP 2024, whose
    statistic is the mean log-likelihood ratio of a user's samples.
    Threat model: that of the attack on rows, and the attacker knows which photographs show one person.
    """

    name = "subject"
    threat_model: ClassVar[str] = "as the attack on rows, and who is on each photograph"
    needs: ClassVar[Needs] = Needs(subjects=True)
    unit = "subject"

    class Params(AttackParameters):
        """Parameters of subject membership."""

        base: str = Field("lira-online", description="built-in attack that scores the rows")
        base_params: dict[str, Any] = Field({}, description="parameters of that attack")
        aggregate: Literal["sum", "mean", "max"] = Field("sum", description="how scores of a person are put together")

    params: Params

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        base, given = self.params.base, self.params.base_params
        if base == self.name or "/" in base or "queries" in given:
            raise PluginError(
                "membership attack 'subject': base must be a built-in attack on rows, and queries are a parameter of "
                f"'subject' itself; received base={base!r}, base_params={given}"
            )
        made = Registry.load().create("membership-attack", base, {**given, "queries": self.params.queries})
        self._rows = cast("MembershipAttack", made)

    def needed(self) -> Needs:
        """What the attack on rows needs, and subjects."""
        needed = self._rows.needed()
        return Needs(
            references=needed.references,
            population=needed.population,
            queries=needed.queries,
            loss_trace=needed.loss_trace,
            subjects=True,
        )

    def infer(self, view: TargetView) -> Floats:
        """Score of each row's person (N,)."""
        if view.subjects is None:
            raise SignalsError("there are no subjects, which say who is on each row")
        scores = self._rows.infer(view)
        people = np.unique(view.subjects, return_inverse=True)[1]
        if self.params.aggregate == "max":
            found = np.full(people.max() + 1, -np.inf)
            np.maximum.at(found, people, scores)
        else:
            found = np.bincount(people, scores)
            if self.params.aggregate == "mean":
                found = found / np.bincount(people)
        return np.asarray(found[people], np.float64)
