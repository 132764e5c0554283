"""What attacks have in common that compare one number of a target's output with a threshold."""

from __future__ import annotations

from pydantic import Field

from fer_audit.attacks.membership_attack import AttackParameters


class ThresholdParameters(AttackParameters):
    """Parameters of a threshold attack."""

    per_class: bool = Field(False, description="one decision threshold a class, set on references, instead of one")
