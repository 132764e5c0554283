"""What images become before a model sees them, against plain NumPy."""

import numpy as np
import pytest
from PIL import Image

from fer_audit.audit_section import Preprocessing
from fer_audit.errors import ModelFileError
from fer_audit.model_files.opened import Opened
from fer_audit.model_files.preparation import channels_first, preparation_for, resized, size_of

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def taking(*shape):
    return Opened("onnx", "", 0, shape or None, 7, lambda images: images, name="m.onnx")


def rgb(size=8, rows=3):
    return np.random.default_rng(size).integers(0, 256, (rows, size, size, 3), np.uint8)


def prepared(images, shape, **preprocessing):
    size = images.shape[1]
    return preparation_for(taking(*shape), Preprocessing(**preprocessing), size)(images)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ("0..255", lambda x: x),
        ("0..1", lambda x: x / 255),
        ("-1..1", lambda x: x / 127.5 - 1),
        ("imagenet", lambda x: (x / 255 - MEAN) / STD),
        ({"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}, lambda x: (x / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]),
    ],
    ids=["0..255", "0..1", "-1..1", "imagenet", "own"],
)
def test_scaling(scaling, expected):
    images = rgb()
    found = prepared(images, (8, 8, 3), scaling=scaling)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(images.astype(np.float64)), atol=2e-5)


def test_colours():
    images = rgb()
    luma = images @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_array_equal(prepared(images, (8, 8, 3), colour="bgr"), images[..., ::-1])
    np.testing.assert_allclose(prepared(images, (8, 8, 1), colour="grey")[..., 0], luma, atol=1e-4)
    np.testing.assert_allclose(prepared(images, (8, 8, 3), colour="grey"), np.repeat(luma[..., None], 3, -1), atol=1e-4)
    pillow = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])
    assert np.abs(prepared(images, (8, 8, 1), colour="grey")[..., 0] - pillow).max() < 1


def test_statistics_follow_the_colour():
    images = rgb()
    bgr = prepared(images, (8, 8, 3), colour="bgr", scaling="imagenet")
    np.testing.assert_allclose(bgr[..., ::-1], prepared(images, (8, 8, 3), scaling="imagenet"), atol=1e-5)
    grey = np.repeat(images[..., :1], 3, -1)
    found = prepared(grey, (8, 8, 1), colour="grey", scaling="imagenet")[..., 0]
    np.testing.assert_allclose(found, (grey[..., 0] / 255 - MEAN.mean()) / STD.mean(), atol=1e-5)
    same = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    found = prepared(grey, (8, 8, 1), colour="grey", scaling=same)[..., 0]
    np.testing.assert_allclose(found, (grey[..., 0] / 255 - 0.5) / 0.25, atol=1e-5)
    with pytest.raises(ModelFileError, match="takes one channel; expected the same number three times"):
        prepared(grey, (8, 8, 1), colour="grey", scaling={"mean": [0.5, 0.4, 0.5], "std": [1, 1, 1]})


def test_layout_and_size_together():
    images = rgb(16)
    found = prepared(images, (3, 8, 8), scaling="0..1")
    assert found.shape == (3, 3, 8, 8)
    np.testing.assert_allclose(found, np.moveaxis(resized(images, 8) / 255, -1, 1), atol=1e-6)


def test_images_of_the_right_size_are_not_resized():
    np.testing.assert_array_equal(resized(rgb(), 8), rgb())


def test_halving_an_image_by_the_triangle():
    # Of a filter of twice the width: 1/8, 3/8, 3/8, 1/8 of four neighbours, along each axis.
    image = np.zeros((1, 8, 8, 3), np.uint8)
    image[0, :, 3] = 80
    found = resized(image, 4)[0, 1, :, 0]
    np.testing.assert_allclose(found, [0, 30, 10, 0], atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "layout", "first"),
    [
        ((48, 48, 3), "auto", False),
        ((None, None, 3), "auto", False),
        ((1, 48, 48), "auto", True),
        ((3, None, None), "auto", True),
        ((3, 3, 3), "auto", False),
        ((None, None, None), "channels-first", True),
        ((None, None, None), "channels-last", False),
        ((), "auto", False),
    ],
)
def test_where_the_channels_are(shape, layout, first):
    assert channels_first(taking(*shape), Preprocessing(layout=layout)) is first


@pytest.mark.parametrize(
    ("shape", "layout", "said"),
    [
        ((None, None, None), "auto", "leaves open which axis"),
        ((48, 48, 4), "auto", "expected one or three channels"),
        ((48, 48, 3), "channels-first", "with layout: channels-first"),
        ((3, 48, 48), "channels-last", "with layout: channels-last"),
    ],
)
def test_layouts_that_do_not_fit(shape, layout, said):
    with pytest.raises(ModelFileError, match=said):
        channels_first(taking(*shape), Preprocessing(layout=layout))


def test_size_is_that_of_the_file_or_as_declared():
    assert size_of(taking(48, 48, 1), Preprocessing()) == 48
    assert size_of(taking(3, 48, None), Preprocessing(size=48)) == 48
    assert size_of(taking(None, None, 3), Preprocessing(size=64)) == 64
    assert size_of(taking(None, None, 3), Preprocessing()) is None
    assert size_of(taking(), Preprocessing(size=32)) == 32
    with pytest.raises(ModelFileError, match=r"takes images of 48 pixels a side, but .* size: 64; .*leave `size` out"):
        size_of(taking(48, 48, 3), Preprocessing(size=64))
    with pytest.raises(ModelFileError, match="takes images of 48 x 64 pixels; expected square"):
        size_of(taking(48, 64, 3), Preprocessing())


def test_colour_that_the_model_does_not_take():
    with pytest.raises(ModelFileError, match=r"takes images of 1 channel, .*colour: bgr.*set `colour: grey`"):
        prepared(rgb(), (8, 8, 1), colour="bgr")
