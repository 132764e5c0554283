import numpy as np
import pytest
from PIL import Image

from fer_audit.data.images import TRAITS, read_images, refuse, scaled_pixels
from fer_audit.errors import DataError


def read(*paths, size=8):
    files = read_images(paths, size)
    assert not files.problems
    return files.images


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path, write_image, mode):
    path = write_image(tmp_path / "x.tif", 255, mode=mode)
    assert (read(path) == 255).all()


def test_sixteen_bits_are_scaled(tmp_path):
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(tmp_path / "x.png")
    assert (read(tmp_path / "x.png") == 40000 // 256).all()


def test_transparent_pixels_are_white(tmp_path):
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "x.png")
    assert (read(tmp_path / "x.png") == 255).all()


def test_exif_rotation_is_applied(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    image = read(tmp_path / "x.png")[0]
    assert (image[:4] == 0).all()
    assert (image[4:] == 255).all()


def test_images_are_stretched_to_a_square_and_kept_in_order(tmp_path, write_image):
    paths = [write_image(tmp_path / f"{i}.jpg", 10 * i, size=(20 + i, 60)) for i in range(20)]
    images = read(*paths)
    assert images.shape == (20, 8, 8, 3)
    assert images.dtype == np.uint8
    assert np.abs(images.mean(axis=(1, 2, 3)) - 10 * np.arange(20)).max() <= 1


def test_downscaling_averages(tmp_path):
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checks).save(tmp_path / "x.png")
    assert np.abs(read(tmp_path / "x.png").astype(int) - 127).max() <= 2


def test_floating_point_and_cut_off_images_are_told_apart_from_good_ones(tmp_path, write_image):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "f.tif")
    cut = write_image(tmp_path / "cut.jpg", size=(64, 64))
    cut.write_bytes(cut.read_bytes()[:300])
    good = write_image(tmp_path / "good.png", 7)
    files = read_images([tmp_path / "f.tif", good, cut], 8)
    assert sorted(files.problems) == [0, 2]
    assert "mode 'F'" in files.problems[0]
    assert "cut.jpg" in files.problems[2]
    assert (files.images[1] == 7).all()


@pytest.mark.parametrize("limit", [50, 80])  # Pillow warns above the limit and raises above twice the limit
def test_decompression_bombs_are_problems(tmp_path, write_image, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    path = write_image(tmp_path / "x.png", size=(10, 11))
    assert "decompression bomb" in read_images([path], 8).problems[0]


def test_boxes_cut_faces_and_are_clipped(tmp_path):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[5:15, 20:] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png")
    path = tmp_path / "x.png"
    files = read_images([path, path, path], 8, [(20, 5, 30, 15), (20, 5, 99, 15), (40, 5, 50, 15)])
    assert (files.images[:2] == 200).all()
    assert "outside of 30 x 20" in files.problems[2]


def test_traits_tell_size_and_compression(tmp_path, write_image):
    coarse = write_image(tmp_path / "a.jpg", size=(20, 10), quality=20)
    fine = write_image(tmp_path / "b.jpg", size=(20, 10), quality=95)
    grey = write_image(tmp_path / "c.png", size=(20, 10), mode="L")
    traits = dict(zip(TRAITS, read_images([coarse, fine, grey], 8).traits.T, strict=True))
    assert traits["width"].tolist() == [20, 20, 20]
    assert traits["height"].tolist() == [10, 10, 10]
    assert traits["grey file"].tolist() == [0, 0, 1]
    assert traits["JPEG quantisation"][0] > traits["JPEG quantisation"][1] > traits["JPEG quantisation"][2] == 0
    assert traits["bytes a pixel"].tolist() == [path.stat().st_size / 200 for path in (coarse, fine, grey)]


def test_arrays_of_pixels_are_scaled():
    grey = np.arange(4, dtype=np.uint8).repeat(16).reshape(4, 4, 4)
    assert (scaled_pixels(grey, 8) == np.arange(4)[:, None, None, None]).all()
    assert (scaled_pixels(grey, 4)[:, :, :, 1] == grey).all()


def test_problems_are_counted_and_cut():
    with pytest.raises(DataError, match=r"here has 12 problems; expected sense:\n  a0(.|\n)*  a9\n  ... and 2 more$"):
        refuse("here", [f"a{i}" for i in range(12)], "sense")
    with pytest.raises(DataError, match=r"a11$"):
        refuse("here", [f"a{i}" for i in range(12)], "sense", shown=12)
