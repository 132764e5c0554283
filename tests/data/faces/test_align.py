import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.data.faces.align import aligned, cropped, eye_places, similarity, whole


@given(
    st.floats(-3, 3),
    st.floats(0.2, 4),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
)
def test_a_known_turn_scale_and_shift_is_recovered(angle, scale, shift, start):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    source = np.array([start, (start[0] + 20, start[1] + 3)])
    target = source @ turn.T + shift
    matrix = similarity(tuple(map(tuple, source)), tuple(map(tuple, target)))
    assert np.allclose(matrix, np.column_stack([turn, shift]), atol=1e-9)


def test_eyes_have_stated_places():
    assert np.allclose(eye_places(100, 0.25), [(30, 40), (70, 40)])
    assert np.allclose(eye_places(100, 0), [(25, 37.5), (75, 37.5)])


def portrait(eyes, size=(300, 400), radius=9):
    """A grey picture with two white discs, centred on points measured from the corner of the first pixel."""
    image = np.full((*size, 3), 90, np.uint8)
    for x, y in eyes:
        cv2.circle(
            image, (round((x - 0.5) * 16), round((y - 0.5) * 16)), radius * 16, (255, 255, 255), -1, cv2.LINE_AA, 4
        )
    return image


def discs(image):
    """Centres of the two discs, left to right, measured from the corner of the first pixel."""
    light = image[:, :, 0].astype(float) - 90
    half = image.shape[1] // 2
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    sides = [np.s_[:, :half], np.s_[:, half:]]
    return np.array([[(grid[side] * light[side]).sum() / light[side].sum() for grid in (x, y)] for side in sides])


@pytest.mark.parametrize("size", [48, 112, 400])
@pytest.mark.parametrize("eyes", [((150, 150), (230, 150)), ((160, 180), (220, 140)), ((120.5, 90.25), (260.75, 160))])
def test_eyes_land_where_they_should(eyes, size):
    found = discs(aligned(portrait(eyes), eyes, size, 0.25))
    assert np.abs(found - eye_places(size, 0.25)).max() < 0.02 * size + 0.3


def test_shrinking_averages():
    checks = np.repeat((np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    cut = aligned(checks, ((96, 100), (160, 100)), 32, 0.25)
    assert np.abs(cut[4:-4, 4:-4].astype(int) - 127).max() <= 40


def test_boxes_are_cut_as_squares_with_room():
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 30:70] = 200
    cut = cropped(image, (30, 40, 70, 60), 80, 0)
    assert (cut[24:56] >= 150).all()
    assert (cut[:16] < 50).all()
    roomy = cropped(image, (30, 40, 70, 60), 80, 1)
    assert (roomy[:, :15] < 50).all()


def test_edges_are_drawn_out_and_whole_images_scaled():
    image = np.full((40, 60, 3), 77, np.uint8)
    assert (cropped(image, (-50, -50, 20, 20), 32, 0.5) == 77).all()
    assert whole(image, 16).shape == (16, 16, 3)
