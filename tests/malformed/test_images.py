"""Images that can't be read, and odd ones that can: `data` names the file, and the line that lists it."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_audit.data.images import read_images

SIZE = 16


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)


def encoded(kind, mode="RGB", size=(24, 20), **options):
    """The bytes of an image of noise."""
    file = io.BytesIO()
    Image.fromarray(noise(size[1], size[0], 3)).convert(mode).save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, content=b"", depth=8, colour=2):
    """A PNG that says of itself what we like."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def grey_tiff(dtype, mode):
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), dtype), mode).save(file, "TIFF")
    return file.getvalue()


#: Name and content of files that are no images.
BROKEN = {
    "no bytes": ("x.png", lambda: b""),
    "one byte": ("x.png", lambda: b"\x89"),
    "text called png": ("x.png", lambda: b"a face"),
    "text called jpg": ("x.jpg", lambda: b"a face\n" * 100),
    "zeros": ("x.png", lambda: b"\0" * 5000),
    "PNG cut in half": ("x.png", lambda: encoded("PNG")[: len(encoded("PNG")) // 2]),
    "PNG of its head alone": ("x.png", lambda: encoded("PNG")[:33]),
    "PNG with a byte flipped": ("x.png", lambda: flipped(encoded("PNG"), 60)),
    "PNG of no width": ("x.png", lambda: png(0, 10)),
    "PNG with no pixels": ("x.png", lambda: png(10, 10)),
    "PNG of an unknown depth": ("x.png", lambda: png(10, 10, b"\0" * 400, depth=7)),
    "PNG of huge sides": ("x.png", lambda: png(2**31 - 1, 2**31 - 1)),
    "PNG that is a bomb": ("x.png", lambda: png(20_000, 20_000, b"\0" * 1_000_000)),
    "PNG with a bomb of text": (
        "x.png",
        lambda: encoded("PNG")[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 9_000_000)) + encoded("PNG")[33:],
    ),
    "JPEG cut in half": ("x.jpg", lambda: encoded("JPEG")[: len(encoded("JPEG")) // 2]),
    "JPEG of its first bytes": ("x.jpg", lambda: encoded("JPEG")[:20]),
    "JPEG without its tables": ("x.jpg", lambda: b"\xff\xd8\xff\xd9"),
    "GIF cut short": ("x.png", lambda: encoded("GIF", "P")[:15]),
    "BMP of negative sides": ("x.bmp", lambda: b"BM" + struct.pack("<IHHIIii", 54, 0, 0, 54, 40, -5, -5) + b"\0" * 28),
    "BMP of huge sides": (
        "x.bmp",
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    ),
    "PGM of letters": ("x.pgm", lambda: b"P5\nwide high\n255\n"),
    "PGM cut short": ("x.pgm", lambda: b"P5\n100 100\n255\n" + b"\0" * 50),
    "PGM of huge sides": ("x.pgm", lambda: b"P5\n99999999999 99999999999\n255\n"),
    "TIFF of nothing": ("x.tif", lambda: b"II*\0\x08\0\0\0\0\0"),
    "TIFF whose directory is itself": ("x.tif", lambda: b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
    "TIFF of fractions": ("x.tif", lambda: grey_tiff(np.float32, "F")),
    "TIFF of 32 bits": ("x.tif", lambda: grey_tiff(np.int32, "I")),
    "WebP cut short": ("x.webp", lambda: encoded("WEBP")[:40]),
    "a page": ("x.png", lambda: b"<!doctype html><svg/>"),
    "a PostScript program": (
        "x.jpg",
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    ),
}


def list_images(place, name):
    rows = [f"good{row}.png,{('fear', 'anger')[row % 2]},{'test' if row > 3 else 'train'}" for row in range(6)]
    (place / "m.csv").write_text("\n".join(["image,label,split", *rows, f"{name},fear,train"]) + "\n")
    for row in range(6):
        Image.fromarray(noise(12, 12, 3) ^ np.uint8(row)).save(place / f"good{row}.png")


@pytest.mark.parametrize("case", BROKEN)
def test_an_image_that_is_none_is_refused_with_its_line(case, place, refused):
    name, content = BROKEN[case]
    list_images(place, name)
    (place / name).write_bytes(content())
    said = ["m.csv has 1 problem", f"line 8: can't read '{name}'"]
    refused("data", "manifest(path=m.csv)", "--size", SIZE, said=said)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "dangling", "circle", "device"])
def test_what_is_no_file_is_refused_with_its_line(kind, place, refused):
    list_images(place, "x.png")
    path = place / "x.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "missing":
        path.symlink_to({"dangling": "nowhere.png", "circle": "x.png", "device": "/dev/zero"}[kind])
    said = ["m.csv", "line 8: no image 'x.png'"]
    refused("data", "manifest(path=m.csv)", "--size", SIZE, said=said)
    refused("prepare", "m.csv", "out", "--detector", "none", said=said)


def test_all_broken_images_are_told_at_once(place, refused):
    (place / "f" / "fear").mkdir(parents=True)
    for row in range(3):
        (place / "f" / "fear" / f"{row}.png").write_bytes(b"no image")
    told = refused("data", "folders(root=f)", "--size", SIZE, said=["f has 3 problems"])
    assert [told.count(f"fear/{row}.png: can't read") for row in range(3)] == [1, 1, 1]
    refused("data", "folders(root=f, on_bad_image=skip)", "--size", SIZE, said=["3 problems"])


def _turned():
    file = io.BytesIO()
    image = Image.fromarray(np.repeat(np.arange(24, dtype=np.uint8)[None] * 10, 20, axis=0))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


def _animated():
    file = io.BytesIO()
    frames = [Image.new("P", (9, 9), value) for value in (0, 200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def _deep():
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(file, "PNG")
    return file.getvalue()


def _clear():
    file = io.BytesIO()
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(file, "PNG", transparency=0)
    return file.getvalue()


def _odd_exif():
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    return file.getvalue()


#: Odd images that are images, and the grey level or colour of their first pixel where it is known.
ODD = {
    "one pixel": (lambda: encoded("PNG", size=(1, 1)), None),
    "one row": (lambda: encoded("PNG", size=(300, 1)), None),
    "two levels": (lambda: encoded("PNG", "1"), None),
    "grey": (lambda: encoded("JPEG", "L"), None),
    "grey and clear": (lambda: encoded("PNG", "LA"), None),
    "four inks": (lambda: encoded("JPEG", "CMYK"), None),
    "16 bits": (_deep, (255, 255, 255)),
    "a palette": (lambda: encoded("PNG", "P"), None),
    "a clear palette": (_clear, (255, 255, 255)),
    "moving": (_animated, (0, 0, 0)),
    "turned": (_turned, (0, 0, 0)),
    "broken orientation": (_odd_exif, (254, 0, 0)),
    "more behind the end": (lambda: encoded("PNG") + b"more" * 100, None),
    "JPEG called PNG": (lambda: encoded("JPEG"), None),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_image_is_read(case, tmp_path):
    content, first = ODD[case]
    (tmp_path / "x.png").write_bytes(content())
    found = read_images([tmp_path / "x.png"], SIZE)
    assert found.problems == {}
    assert found.images.shape == (1, SIZE, SIZE, 3)
    if first is not None:
        np.testing.assert_allclose(found.images[0, 0, 0].astype(int), first, atol=12)


def test_a_turned_image_is_put_upright(tmp_path):
    (tmp_path / "x.jpg").write_bytes(_turned())
    pixels = read_images([tmp_path / "x.jpg"], SIZE).images[0].astype(int)
    assert pixels[-1, 0, 0] - pixels[0, 0, 0] > 150  # its left side is up: it grows brighter downwards
    assert abs(pixels[5, 0, 0] - pixels[5, -1, 0]) < 12


KINDS = {"PNG": "RGB", "JPEG": "RGB", "GIF": "P", "BMP": "L", "TIFF": "RGB", "WEBP": "RGB", "PPM": "RGB"}


@st.composite
def damaged(draw):
    """The bytes of an image after a few flips, cuts and insertions."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    content = bytearray(encoded(kind, KINDS[kind]))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, max(0, len(content) - 1)) | st.integers(0, min(80, max(0, len(content) - 1))))
        change = draw(st.sampled_from(["flip", "cut", "insert", "drop", "end"]))
        if change == "flip" and content:
            content[start] ^= draw(st.integers(1, 255))
        elif change == "insert":
            content[start:start] = draw(st.binary(min_size=1, max_size=8))
        elif change == "drop":
            del content[start : start + draw(st.integers(1, 30))]
        elif change == "cut":
            del content[start:]
        elif change == "end":
            content += b"\xff" * 4
    return bytes(content)


def read_damaged(place):
    path = place / "x.png"

    @given(damaged())
    def check(content):
        path.write_bytes(content)
        found = read_images([path], SIZE)
        assert found.images.shape == (1, SIZE, SIZE, 3)
        assert not found.problems or found.problems[0].startswith(f"can't read {str(path)!r}: ")

    return check


def examples(count):
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


def test_any_image_is_read_or_refused(place):
    examples(80)(read_damaged(place))()


@pytest.mark.release
def test_any_of_thousands_of_images_is_read_or_refused(place, patient):
    examples(5000)(read_damaged(place))()
