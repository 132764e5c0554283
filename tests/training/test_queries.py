"""What a model is asked about a row."""

from typing import get_args

import numpy as np

from fer_audit.grid import Query
from fer_audit.training.queries import QUERIES

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


def test_the_grid_knows_every_query():
    assert set(get_args(Query)) == set(QUERIES)


def test_every_query_keeps_shape_and_type_and_asks_something_else():
    asked = {name: query(IMAGES) for name, query in QUERIES.items()}
    assert all(images.shape == IMAGES.shape and images.dtype == np.uint8 for images in asked.values())
    assert len({images.tobytes() for images in asked.values()}) == len(QUERIES)


def test_a_shift_moves_the_face_and_repeats_the_edge():
    down, left = QUERIES["down"](IMAGES), QUERIES["left"](IMAGES)
    np.testing.assert_array_equal(down[:, 2:], IMAGES[:, :-2])
    np.testing.assert_array_equal(down[:, :2], IMAGES[:, [0, 0]])
    np.testing.assert_array_equal(left[:, :, :-2], IMAGES[:, :, 2:])
    np.testing.assert_array_equal(left[:, :, -2:], IMAGES[:, :, [-1, -1]])


def test_queries_take_no_images_too():
    assert all(query(IMAGES[:0]).shape == IMAGES[:0].shape for query in QUERIES.values())
