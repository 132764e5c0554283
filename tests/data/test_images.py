import numpy as np
import pytest
from PIL import Image

from fer_audit.data.images import read_images
from fer_audit.errors import DataError


def read(*paths, size=8):
    return read_images("here", paths, [path.name for path in paths], size)


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


def test_floating_point_and_cut_off_images_are_refused(tmp_path, write_image):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "f.tif")
    cut = write_image(tmp_path / "cut.jpg", size=(64, 64))
    cut.write_bytes(cut.read_bytes()[:300])
    with pytest.raises(
        DataError, match=r"here has 2 problems(.|\n)*f\.tif: (.|\n)*mode 'F'(.|\n)*cut\.jpg: can't read"
    ):
        read(tmp_path / "f.tif", cut)
