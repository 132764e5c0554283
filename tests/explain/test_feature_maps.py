"""Which maps a network has, and which one is explained."""

import re

import keras
import pytest

from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.feature_maps import FeatureMap, best_map, feature_maps, named_map


def maps(*sizes):
    return [FeatureMap(None, f"layer{place}", *size) for place, size in enumerate(sizes)]


CHOICES = {
    "the last of at least 7x7": ([(48, 48, 8), (12, 12, 8), (7, 7, 8), (6, 6, 8), (1, 1, 8)], "layer2"),
    "both sides must be 7": ([(9, 9, 8), (100, 6, 8)], "layer0"),
    "else the largest": ([(3, 3, 8), (6, 6, 8), (2, 2, 8)], "layer1"),
    "the last of the largest": ([(6, 6, 8), (6, 6, 8), (2, 2, 8)], "layer1"),
    "a strip is a map": ([(1, 1, 8), (1, 5, 8), (1, 1, 8)], "layer1"),
    "a gate is passed over": ([(12, 12, 16), (12, 16, 1), (6, 6, 8)], "layer0"),
    "one channel where no map has more": ([(12, 12, 1), (9, 9, 1), (1, 1, 1)], "layer1"),
    "one channel where those with more are 1x1": ([(12, 12, 1), (1, 1, 8)], "layer0"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_choice_is(case):
    sizes, expected = CHOICES[case]
    assert best_map(maps(*sizes)).name == expected


def test_what_no_layer_found_is_not_chosen():
    found = maps((9, 9, 8), (1, 1, 8))
    image = FeatureMap(None, "scale", 48, 48, 3, new=False)
    assert best_map([image, *found]).name == "layer0"
    with pytest.raises(ExplanationError, match="every map of this network is 1x1"):
        best_map([image, found[1]])
    with pytest.raises(ExplanationError, match="needs a layer whose output is a map"):
        best_map([image])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layr0", "no layer is called 'layr0'; did you mean 'layer0'?"),
        ("pool", "layer 'pool' gives no map (B, H, W, C) that Grad-CAM could explain; expected one of: layer0, layer2"),
        ("layer1", "the map of layer 'layer1' is 1x1, which says nothing about places; did you mean 'layer2'?"),
    ],
)
def test_a_named_layer_is_refused_with_the_reason(name, message):
    found = maps((9, 9, 8), (1, 1, 8), (2, 2, 1))
    with pytest.raises(ExplanationError, match=f"^{re.escape(message)}$"):
        named_map(found, name, ["layer0", "layer1", "layer2", "pool"])


def test_a_name_overrides_the_choice_and_must_be_one_layers():
    found = maps((9, 9, 8), (2, 2, 1))
    assert named_map(found, "layer1", ["layer0", "layer1"]) is found[1]
    with pytest.raises(ExplanationError, match="2 layers are called 'layer0'"):
        named_map([found[0], found[0]], "layer0", ["layer0"])


class Block(keras.layers.Layer):
    """A residual block; source: this test."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(4, 3, padding="same", name="inner")

    def call(self, x):
        return x + self.convolution(x)


def test_maps_are_those_of_all_layers_in_the_order_they_finish():
    shared = keras.layers.Conv2D(4, 3, padding="same", name="shared")
    image = keras.Input((10, 8, 3))
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="first")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(shared(x))
    x = keras.Sequential([Block(name="block"), keras.layers.ReLU(name="relu")], name="nested")(shared(x))
    x = keras.layers.ZeroPadding2D(2, name="padded")(x)
    x = keras.layers.MaxPooling2D(3, name="pooled")(x)
    network = keras.Model(image, keras.layers.Dense(2, name="logits")(keras.layers.Flatten(name="flat")(x)))
    found = feature_maps(network, (10, 8, 3))
    assert [(one.name, one.height, one.width, one.channels, one.new) for one in found] == [
        ("scale", 10, 8, 3, False),  # the image
        ("first", 5, 4, 4, True),
        ("dropout", 5, 4, 4, False),  # what the first run of `shared` returned
        ("shared", 5, 4, 4, True),  # at its second run
        ("inner", 5, 4, 4, True),
        ("block", 5, 4, 4, True),
        ("relu", 5, 4, 4, True),
        ("nested", 5, 4, 4, False),  # what `relu` returned
        ("padded", 9, 8, 4, False),
        ("pooled", 3, 2, 4, True),
    ]
    assert all("call" not in vars(layer) for layer in network._flatten_layers())
