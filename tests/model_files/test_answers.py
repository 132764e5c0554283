"""Which output is which class."""

import pytest

from fer_audit.errors import ModelFileError
from fer_audit.model_files.answers import class_places

OURS = ("anger", "happiness", "neutral")


@pytest.mark.parametrize(
    ("outputs", "named", "places"),
    [
        (3, None, [0, 1, 2]),
        (3, ("neutral", "anger", "happiness"), [1, 2, 0]),
        (3, ("Neutral", "ANGRY", " happy "), [1, 2, 0]),
        (5, ("contempt", "happy", "angry", "bored", "neutral"), [2, 1, 4]),
    ],
)
def test_places(outputs, named, places):
    assert class_places("m", outputs, named, OURS).tolist() == places


@pytest.mark.parametrize(
    ("outputs", "named", "said"),
    [
        (
            1,
            None,
            r"answers with 1 number an image, .*expected one for each of 3 classes \(anger, happiness, neutral\)",
        ),
        (7, None, r"answers with 7 numbers an image, but the dataset has 3 classes \(anger, happiness, neutral\)"),
        (4, ("anger", "happy", "neutral"), r"answers with 4 numbers .* names 3 classes \(anger, happy, neutral\)"),
        (3, ("anger", "neutral", "fear"), r"has no output for happiness among its 3 classes \(anger, neutral, fear\)"),
        (3, ("anger", "angry", "fear"), r"names 'anger' twice in 3 classes \(anger, angry, fear\)"),
    ],
)
def test_refusals(outputs, named, said, make):
    with pytest.raises(ModelFileError, match=said) as caught:
        class_places("m.onnx", outputs, named, OURS)
    make.one_sentence(str(caught.value), "m.onnx")
