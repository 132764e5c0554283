"""MobileNetV3-Small, as Keras has it."""

from __future__ import annotations

from typing import Any, ClassVar

from fer_audit.lazy import keras
from fer_audit.models.model import Model
from fer_audit.models.norm_momentum import NormMomentum, set_norm_momentum


class MobileNetV3Small(Model):
    """MobileNetV3-Small: bottlenecks found by search, with squeeze and excitation (55.5 M MACs at 224 px).

    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, as `keras.applications.MobileNetV3Small`. Differs:
    logits instead of probabilities, and the momentum of batch normalisation (0.9 where Keras has 0.999). Images of at
    least 32 px.
    """

    name = "mobilenet-v3-small"
    minimum_size: ClassVar[int] = 32

    class Params(NormMomentum):
        """Parameters of MobileNetV3-Small."""

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network with random weights, its input scaled to -1..1 inside."""
        network = keras.applications.MobileNetV3Small(
            weights=None, input_shape=input_shape, classes=classes, classifier_activation=None, name=self.name
        )
        return set_norm_momentum(network, self.params.norm_momentum)
