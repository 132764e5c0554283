"""MobileNetV2, as Keras has it."""

from __future__ import annotations

from typing import Any, ClassVar

from fer_audit.lazy import keras
from fer_audit.models.model import Model
from fer_audit.models.norm_momentum import NormMomentum, set_norm_momentum


class MobileNetV2(Model):
    """MobileNetV2: inverted residuals with linear bottlenecks (299.5 M MACs at 224 px).

    Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, as
    `keras.applications.MobileNetV2`. Differs: the scaling to -1..1 is inside, logits instead of probabilities, and the
    momentum of batch normalisation (0.9 where Keras has 0.999). Images of at least 32 px.
    """

    name = "mobilenet-v2"
    minimum_size: ClassVar[int] = 32

    class Params(NormMomentum):
        """Parameters of MobileNetV2."""

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network with random weights, its input scaled to -1..1 inside."""
        images = keras.Input(input_shape, name="images")
        network = keras.applications.MobileNetV2(
            weights=None,
            input_tensor=keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images),
            input_shape=input_shape,
            classes=classes,
            classifier_activation=None,
        )
        network = keras.Model(images, network.output, name=self.name)
        return set_norm_momentum(network, self.params.norm_momentum)
