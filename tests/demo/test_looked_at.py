import numpy as np
import pytest
from PIL import Image

from fer_audit.data.faces.detection import Face
from fer_audit.data.faces.prepare import Settings, cut_out
from fer_audit.data.images import read_images
from fer_audit.demo.looked_at import WHOLE, Cut, first_choice, look_at, names


class Known:
    """Finds what it is told, in the pixels of what it is shown."""

    def __init__(self, *boxes):
        self.boxes = boxes

    def find(self, image):
        room = round(0.2 / 1.4 * max(image.shape[:2]))
        return [self.face(*(edge + room for edge in box)) for box in self.boxes]

    @staticmethod
    def face(left, top, right, bottom):
        y, width = top + 0.4 * (bottom - top), right - left
        return Face((left, top, right, bottom), 0.9, ((left + 0.3 * width, y), (left + 0.7 * width, y)))


@pytest.fixture
def image():
    noise = np.random.default_rng(0).integers(0, 256, (20, 25, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((500, 400), Image.Resampling.BICUBIC))


def test_the_largest_face_is_first_and_the_whole_is_last(image):
    picture = look_at(image, Known((10, 10, 60, 60), (200, 100, 350, 280)), 32, Cut())
    assert names(picture) == ["face 1 (largest)", "face 2", WHOLE]
    assert picture.parts[0].box == pytest.approx((200, 100, 350, 280))
    assert {part.image.shape for part in picture.parts} == {(32, 32, 3)}
    assert first_choice(picture, prefer_whole=False) == "face 1 (largest)"
    assert first_choice(picture, prefer_whole=True) == WHOLE
    assert picture.part("face 2") is picture.parts[1]
    assert picture.part("nobody") is None


def test_without_a_face_nothing_is_chosen_but_the_whole_is_offered(image):
    picture = look_at(image, Known(), 32, Cut())
    assert names(picture) == [WHOLE]
    assert picture.faces == 0
    assert first_choice(picture, prefer_whole=False) is None


def test_a_picture_of_the_models_size_is_shown_to_it_as_it_is():
    face = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(look_at(face, Known(), 32, Cut()).parts[-1].image, face)


@pytest.mark.parametrize("size", [48, 112])
@pytest.mark.parametrize("align", [True, False])
def test_a_face_is_cut_out_as_training_data_are(tmp_path, image, size, align):
    detector = Known((120, 90, 300, 310))
    Image.fromarray(image).save(tmp_path / "photograph.png")
    cut_out(tmp_path / "photograph.png", None, tmp_path, "face.png", Settings("mtcnn", align=align), detector, False)
    expected = read_images([tmp_path / "face.png"], size).images[0]
    found = look_at(image, detector, size, Cut(align=align)).parts[0].image
    np.testing.assert_array_equal(found, expected)


def test_a_large_picture_is_searched_small_and_cut_large(image):
    large = np.asarray(Image.fromarray(image).resize((4000, 3200)))
    box = (200, 100, 350, 280)
    scale = 1024 / 4000
    found = look_at(large, Known(tuple(8 * scale * edge for edge in box)), 112, Cut())
    small = look_at(image, Known(box), 112, Cut())
    assert found.shown.shape == (819, 1024, 3)
    difference = np.abs(found.parts[0].image.astype(int) - small.parts[0].image)
    assert difference.mean() < 3
