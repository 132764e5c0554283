import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fer_audit.demo.picture import read_picture
from fer_audit.errors import DataError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
def test_pixels_come_back(tmp_path, pixels, suffix):
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_picture(path), pixels)


def test_a_photograph_is_turned_as_it_says(tmp_path, pixels):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(path, exif=exif)
    assert read_picture(path).shape == (30, 20, 3)


def bomb(path, width, height):
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("size", "said"),
    [((8000, 8000), "has 8000 x 8000 pixels; at most 50 million"), ((60000, 60000), "far more pixels than 50 million")],
)
def test_bombs_are_refused_before_they_are_decoded(tmp_path, size, said):
    path = tmp_path / "bomb.png"
    bomb(path, *size)
    with pytest.raises(DataError, match=said) as refused:
        read_picture(path)
    assert str(path) not in str(refused.value)


def test_what_is_no_picture_is_one_sentence(tmp_path, pixels):
    text, cut = tmp_path / "text.png", tmp_path / "cut.png"
    text.write_text("hello")
    Image.fromarray(pixels).save(cut)
    cut.write_bytes(cut.read_bytes()[:-800])
    with pytest.raises(DataError, match="no picture that can be read"):
        read_picture(text)
    with pytest.raises(DataError, match="damaged"):
        read_picture(cut)


def test_rare_formats_are_not_opened(tmp_path, pixels):
    path = tmp_path / "rare.png"
    Image.fromarray(pixels).save(path, "TIFF")
    with pytest.raises(DataError, match="no picture that can be read"):
        read_picture(path)
