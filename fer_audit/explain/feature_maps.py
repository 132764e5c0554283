"""The feature maps of a network, and which of them Grad-CAM explains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_audit.errors import did_you_mean
from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.layer_calls import observed
from fer_audit.lazy import keras

#: The least height and width of a map that is taken for detailed enough.
LEAST_SIDE = 7


@dataclass(frozen=True)
class FeatureMap:
    """A layer whose output is a map (B, height, width, channels)."""

    layer: Any
    name: str
    height: int
    width: int
    channels: int
    new: bool = True  #: False where no layer found it: see `feature_maps`

    @property
    def places(self) -> int:
        """Pixels of the map."""
        return self.height * self.width


def feature_maps(network: Any, image_shape: tuple[int, int, int]) -> list[FeatureMap]:
    """All maps (B, H, W, C) of `network`, nested ones included, in the order in which layers finish.

    The network is run on one black image. A layer that runs more than once counts at its last run. Not new are the
    image before the first kernel, what an earlier layer had returned already, and a map that was merely padded, cropped
    or enlarged.
    """
    maps: dict[int, FeatureMap] = {}
    outputs: list[Any] = []
    kernels = False

    def seen(layer: Any, output: Any) -> Any:
        nonlocal kernels
        kernels = kernels or any(len(weight.shape) > 1 for weight in layer.weights)
        if _is_map(output):
            maps.pop(id(layer), None)
            new = kernels and not _only_resizes(layer) and not any(output is earlier for earlier in outputs)
            height, width, channels = map(int, output.shape[1:])
            maps[id(layer)] = FeatureMap(layer, layer.name, height, width, channels, new)
        outputs.append(output)
        return output

    with observed(network._flatten_layers(include_self=False), seen):
        network(np.zeros((1, *image_shape), np.float32), training=False)
    return list(maps.values())


def _is_map(output: Any) -> bool:
    return len(getattr(output, "shape", ())) == 4 and "float" in str(output.dtype)


def _only_resizes(layer: Any) -> bool:
    return isinstance(layer, keras.layers.ZeroPadding2D | keras.layers.Cropping2D | keras.layers.UpSampling2D)


def best_map(maps: Sequence[FeatureMap]) -> FeatureMap:
    """The last of `maps` of at least 7x7, or else the largest; raises ExplanationError where there is none above 1x1.

    A map of one channel is passed over where others have several: it is a gate that scales them, and in a triplet
    attention its axes need not be rows and columns.
    """
    features = [found for found in maps if found.new]
    if not features:
        raise ExplanationError(
            "Grad-CAM needs a layer whose output is a map (B, H, W, C), such as a convolution's; this network has none"
        )
    wide = [found for found in features if found.places > 1]
    if not wide:
        raise ExplanationError(
            "Grad-CAM needs a map of more than one pixel, but every map of this network is 1x1, which says nothing "
            "about places; use larger images or a network with a smaller stride"
        )
    several = [found for found in wide if found.channels > 1] or wide
    fine = [found for found in several if min(found.height, found.width) >= LEAST_SIDE]
    return fine[-1] if fine else max(reversed(several), key=lambda found: found.places)


def named_map(maps: Sequence[FeatureMap], layer: str, layers: Collection[str]) -> FeatureMap:
    """The one of `maps` that `layer` gives; `layers` are the names of all layers. Raises ExplanationError.

    Refused are an unknown name, a name that several layers have, a layer without a map, and a map of 1x1.
    """
    found = [one for one in maps if one.name == layer]
    fix = did_you_mean(layer, {one.name for one in maps if one.places > 1} - {layer})
    if not found and layer in layers:
        raise ExplanationError(f"layer {layer!r} gives no map (B, H, W, C) that Grad-CAM could explain; {fix}")
    if not found:
        raise ExplanationError(f"no layer is called {layer!r}; {fix}")
    if len(found) > 1:
        raise ExplanationError(f"{len(found)} layers are called {layer!r}; expected a name that only one layer has")
    if found[0].places == 1:
        raise ExplanationError(f"the map of layer {layer!r} is 1x1, which says nothing about places; {fix}")
    return found[0]
