"""Which attacks an audit can run with what it has."""

from __future__ import annotations

from typing import cast

from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.errors import FerAuditError, SignalsError
from fer_audit.grid import Grid, PluginRef
from fer_audit.registry import Registry
from fer_audit.runner.model_audit.run import check_attacks
from fer_audit.runner.model_audit.subjects import Audited
from fer_audit.runner.model_audit.without_references import WITHOUT_REFERENCES

KIND = "membership-attack"


def runnable(registry: Registry, first: Audited, grid: Grid, references: int) -> tuple[list[PluginRef], list[str]]:
    """All attacks whose needs are met, in their reference-free form where there are no references, and why not others.

    Raises SignalsError where none can be run.
    """
    chosen, left_out = list[PluginRef](), list[str]()
    for name in registry.names(KIND):
        params = WITHOUT_REFERENCES.get(name, {}) if not references else {}
        try:
            attack = cast("MembershipAttack", registry.create(KIND, name, params))
            check_attacks([attack], first, grid, references)
        except FerAuditError as error:
            left_out.append(str(error).removeprefix("membership attack "))
        else:
            chosen.append(PluginRef(name=name, params=params))
    if not chosen:
        raise SignalsError(f"no membership attack can be run on this model; {'; '.join(left_out)}")
    return chosen, left_out
