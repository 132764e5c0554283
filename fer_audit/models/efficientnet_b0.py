"""EfficientNet-B0, as Keras has it."""

from __future__ import annotations

from typing import Any, ClassVar

from fer_audit.lazy import keras
from fer_audit.models.model import Model
from fer_audit.models.norm_momentum import NormMomentum, set_norm_momentum


class EfficientNetB0(Model):
    """EfficientNet-B0: mobile inverted bottlenecks with squeeze and excitation (384.5 M MACs at 224 px).

    Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, as
    `keras.applications.EfficientNetB0`. Differs: logits instead of probabilities, and the momentum of batch
    normalisation (0.9 where Keras has 0.99). Images of at least 32 px.
    """

    name = "efficientnet-b0"
    minimum_size: ClassVar[int] = 32

    class Params(NormMomentum):
        """Parameters of EfficientNet-B0."""

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network with random weights, its input scaled to 0..1 inside."""
        network = keras.applications.EfficientNetB0(
            weights=None, input_shape=input_shape, classes=classes, classifier_activation=None, name=self.name
        )
        network = keras.models.clone_model(network, clone_function=_named)
        return set_norm_momentum(network, self.params.norm_momentum)


def _named(layer: Any) -> Any:
    """A copy of `layer`; Keras leaves the input normalisation unnamed, and would number its weights build by build."""
    config = layer.get_config()
    if isinstance(layer, keras.layers.Normalization):
        config["name"] = "normalization"
    return type(layer).from_config(config)
