"""The measures of leakage that the trade-off chart can show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from fer_audit.report.numbers import Form, decimal, percent, share
from fer_audit.results import AttackResult, Cell, Estimate


@dataclass(frozen=True)
class Leakage:
    """How much an attack finds out, as one number."""

    key: str
    name: str
    place: str  #: within an attack of results.json
    chance: float  #: of an attack that guesses
    form: Form
    fpr: str = ""  #: key of `tpr_at_fpr`; empty for the AUC

    def of(self, attack: AttackResult) -> Estimate:
        """What the attack reached; without a value where that can't be resolved."""
        if not self.fpr:
            return attack.auc
        return attack.tpr_at_fpr.get(self.fpr) or Estimate(value=None)

    def strongest(self, cell: Cell) -> AttackResult | None:
        """The attack of the cell with the largest value, the first of equals; None where none has a value."""
        best, most = None, -math.inf
        for attack in cell.privacy.attacks if cell.privacy else ():
            value = self.of(attack).value
            if value is not None and value > most:
                best, most = attack, value
        return best


def _tpr(level: str, form: Form) -> Leakage:
    name = f"TPR at {share(float(level))} FPR"
    return Leakage(f"tpr_at_fpr_{level}", name, f"tpr_at_fpr/{level}", float(level), form, level)


AUC = Leakage("auc", "AUC", "auc", 0.5, decimal)

#: From the lowest false-positive rate on.
LEAKAGES = (_tpr("0.001", partial(percent, digits=2)), _tpr("0.01", percent), AUC)
