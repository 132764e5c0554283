"""What a grid says of canaries: images that are put among the training rows by fair coins, to audit one training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fer_audit.section import Section

CanaryKind = Literal["mislabelled", "blank", "out-of-distribution", "duplicates"]


class Canaries(Section):
    """An audit of one training run of each cell by canaries.

    Source: Steinke, Nasr, Jagielski, "Privacy Auditing with One (1) Training Run", NeurIPS 2023.
    """

    kind: CanaryKind = Field(
        "mislabelled",
        description="train images with a wrong label, images of one colour, images of noise, or train images with "
        "their own label that are there several times or not at all",
    )
    count: int = Field(
        256, ge=10, le=100_000, description="canaries; each is trained on or not by a fair coin of its own"
    )
    copies: int | None = Field(
        None, ge=1, le=100, description="times that a canary that is trained on is there; null: 1, and 2 of duplicates"
    )

    @property
    def repeats(self) -> int:
        """Times that a canary is there."""
        return self.copies or (2 if self.kind == "duplicates" else 1)
