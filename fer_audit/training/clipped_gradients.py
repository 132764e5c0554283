"""What differentially private SGD needs of a batch: the sum of its examples' gradients, each clipped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class ClippedGradients(ABC):
    """A way to the sum over examples of g min(1, C / |g|), g being all weights' gradients of one example's loss."""

    #: As `clipping` names it.
    name: ClassVar[str]

    @abstractmethod
    def clipped_sum(self, images: Any, labels: Any, present: Any, clip_norm: Any) -> tuple[Any, Any, Any]:
        """The sum float32 (P,) in the order of the flat weights, losses (B,) and logits (B, C); called while tracing.

        `images` float32 (B, H, W, 3); `labels` soft (B, C). Rows whose `present` (B,) is 0 and not 1 add nothing, and
        have no loss. `clip_norm` is a scalar.
        """
