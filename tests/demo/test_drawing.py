import re

import numpy as np

from fer_audit.demo.drawing import found_text, percent, picture_html, readings_html, status_html
from fer_audit.demo.looked_at import WHOLE, Part, Picture
from fer_audit.demo.reader import Reading, read, softmax

FACE = np.full((8, 8, 3), 90, np.uint8)
PICTURE = Picture(
    np.zeros((60, 80, 3), np.uint8),
    (Part("face 1 (largest)", FACE, (10, 10, 50, 50)), Part("face 2", FACE, (60, 5, 75, 20)), Part(WHOLE, FACE, None)),
)
HOSTILE = "<img src=x onerror=alert(1)>"


def reading(heat=None, no_heat=""):
    return Reading(HOSTILE, ("fear", HOSTILE), np.array([0.25, 0.75]), FACE, heat, no_heat)


def test_every_face_has_a_box_and_one_is_chosen():
    html = picture_html(PICTURE, PICTURE.parts[1])
    assert html.count("<rect") == 2
    assert re.search(r'class="chosen"><rect x="60.0" y="5.0" width="15.0" height="15.0"', html)
    assert 'aria-label="the picture, with 2 faces marked"' in html


def test_what_is_said_of_faces():
    assert found_text(PICTURE, PICTURE.parts[0]) == "2 faces found; what is read is face 1 (largest)."
    none = Picture(PICTURE.shown, PICTURE.parts[2:])
    assert found_text(none, none.parts[0]) == "No face was found; what is read is the whole picture."
    assert "choose the whole picture" in found_text(none, None)


def test_a_reading_has_its_bars_and_pictures():
    html = readings_html([reading(heat=np.eye(8, dtype=np.float32))])
    assert 'data-probability="0.750000"' in html
    assert "width:75.00%" in html
    assert html.count("data:image/jpeg;base64,") == 2
    assert percent(0.12345) == "12.3\u202f%"


def test_without_a_heat_map_the_reason_stands_there():
    assert "No heat map: the network has no map" in readings_html([reading(no_heat="the network has no map")])


def test_a_map_without_heat_is_said_to_be_one():
    html = readings_html([reading(heat=np.zeros((8, 8), np.float32))])
    assert "finds no place that speaks for" in html
    assert html.count("data:image/jpeg;base64,") == 1


def test_names_are_text():
    assert HOSTILE not in readings_html([reading()]) + status_html(HOSTILE)


def test_a_reader_is_asked_for_the_heat_of_its_first_class():
    class Fake:
        name, classes, image_size, no_heat = "fake", ("a", "b"), 8, ""

        def probabilities(self, image):
            return softmax(np.array([0.0, np.log(3)], np.float32))

        def heat(self, image, of):
            return np.full((8, 8), of, np.float32)

    found = read(Fake(), PICTURE.parts[0])
    np.testing.assert_allclose(found.probabilities, [0.25, 0.75], rtol=1e-6)
    assert found.top == 1
    assert (found.heat == 1).all()
