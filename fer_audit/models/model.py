"""The contract of a model."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, final

from fer_audit.errors import PluginError
from fer_audit.plugins import Plugin


class Model(Plugin):
    """A network in plain Keras 3 that maps uint8-range images to logits. Authors write `build`."""

    kind: ClassVar[str] = "model"

    #: The least height and width of an image, in pixels, that the network takes.
    minimum_size: ClassVar[int] = 1

    @final
    def create(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """A freshly initialised `keras.Model`: (B, H, W, 3) in 0..255 to logits (B, classes); raises PluginError."""
        height, width, _ = input_shape
        if min(height, width) < self.minimum_size:
            least = f"{self.minimum_size}x{self.minimum_size}"
            raise PluginError(f"model {self.name!r} needs images of at least {least} px, received {height}x{width}")
        network = self.build(input_shape, classes)
        expected = (None, classes)
        if tuple(network.output_shape) != expected:
            raise PluginError(f"model {self.name!r} must return logits {expected}, received {network.output_shape}")
        dtype = network.outputs[0].dtype
        if dtype != "float32":
            raise PluginError(f"model {self.name!r} must return logits in float32, received {dtype}")
        return network

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network, written with layers and `keras.ops` so that it runs on every Keras backend."""
