import numpy as np
import pytest

from fer_audit.data.faces.detection import Face, choose, find_faces, load_detector, ordered_eyes
from fer_audit.data.faces.haar import HaarDetector
from fer_audit.data.faces.retinaface_detector import RetinaFaceDetector, face_of
from fer_audit.data.images import read_whole
from fer_audit.errors import DataError


def face(left, top, right, bottom, score=1.0):
    return Face((left, top, right, bottom), score, ((left, top), (right, top)))


def test_the_largest_face_is_taken_or_the_nearest_to_the_centre():
    large, central = face(0, 0, 40, 40), face(45, 45, 55, 55)
    assert choose([central, large], 100, 100, "largest") is large
    assert choose([large, central], 100, 100, "nearest-centre") is central
    assert choose([], 100, 100, "largest") is None


def test_equals_are_decided_by_the_other_measure_and_then_the_score():
    far, near = face(0, 0, 10, 10), face(40, 40, 50, 50)
    assert choose([far, near], 100, 100, "largest") is near
    sure = face(40, 40, 50, 50, 2.0)
    assert choose([near, sure], 100, 100, "largest") is sure
    small = face(44, 44, 46, 46)
    assert choose([small, near], 90, 90, "nearest-centre") is near


def test_eyes_are_ordered_from_left_to_right():
    assert ordered_eyes((5, 1), (2, 9)) == ((2, 9), (5, 1))


def test_small_images_are_enlarged_and_places_mapped_back():
    class Corner:
        def find(self, image):
            self.shape = image.shape
            light = np.argwhere(image[:, :, 0] > 128)
            (top, left), (bottom, right) = light.min(axis=0), light.max(axis=0) + 1
            return [Face((left, top, right, bottom), 1.0, ((left, top), (right, top)), others=((right, bottom),))]

    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 24:40] = 255
    detector = Corner()
    (found,) = find_faces(detector, image)
    assert min(detector.shape[:2]) >= 160
    assert np.abs(np.array(found.box) - (24, 10, 40, 20)).max() <= 0.6
    assert np.abs(np.array(found.others) - (40, 20)).max() <= 0.6


def test_haar_finds_most_real_faces_and_guesses_eyes_where_it_must(real_faces):
    detector, found = HaarDetector(), []
    for path in sorted((real_faces / "images").iterdir())[::75]:
        image = read_whole(path)
        chosen = choose(find_faces(detector, image), image.shape[1], image.shape[0], "largest")
        found.append(chosen)
    faces = [one for one in found if one]
    assert len(faces) >= 0.85 * len(found)
    for one in faces:
        (left, top), (right, bottom) = one.eyes
        assert one.box[0] < left < right < one.box[2]
        assert one.box[1] < min(top, bottom) <= max(top, bottom) < one.box[3]


def test_missing_weights_are_a_plain_sentence_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    with pytest.raises(
        DataError, match=r"expected the file .*retinaface\.onnx .*fetch it from https://.*--detector mtcnn"
    ):
        RetinaFaceDetector()
    assert not list(tmp_path.iterdir())


def test_a_retinaface_answer_is_read():
    answer = {
        "score": 0.99,
        "facial_area": [10, 20, 50, 80],
        "landmarks": {
            "right_eye": [20.0, 40.0],
            "left_eye": [40.0, 41.0],
            "nose": [30.0, 50.0],
            "mouth_right": [22.0, 65.0],
            "mouth_left": [38.0, 66.0],
        },
    }
    assert face_of(answer) == Face((10, 20, 50, 80), 0.99, ((20, 40), (40, 41)), others=((30, 50), (22, 65), (38, 66)))


def test_no_detector_has_no_name_but_none():
    assert load_detector("none") is None
    with pytest.raises(DataError, match="unknown detector 'mtcn': did you mean 'mtcnn'"):
        load_detector("mtcn")
