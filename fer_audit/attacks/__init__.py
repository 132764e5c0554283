"""Attacks: on labels before training, and on membership after it, one a file."""

from __future__ import annotations

from typing import Any, cast

from fer_audit.attacks.audit import audit
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.registry import Registry

__all__ = ["MembershipAttack", "Signals", "audit", "create"]


def create(name: str, **params: Any) -> MembershipAttack:
    """The built-in membership attack called `name`; raises PluginError with the nearest name or parameter."""
    return cast("MembershipAttack", Registry.load().create("membership-attack", name, params))
