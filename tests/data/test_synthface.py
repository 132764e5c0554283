import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.data.dataset import EXPRESSIONS
from fer_audit.data.drawn_people import draw_looks
from fer_audit.data.facial_actions import ACTIONS, PROTOTYPES
from fer_audit.data.synthface import ATTRIBUTES, Synthface

HERE = Path()
FEW = {"rows": 40, "test_rows": 14, "identities": 10}


@pytest.fixture(scope="module")
def faces():
    return Synthface(rows=160, test_rows=40, population_rows=20).load(32, HERE)


def test_it_is_drawn_and_complete(faces):
    assert faces.drawn
    assert faces.classes == EXPRESSIONS
    assert [len(rows) for rows in (faces.pool, faces.test, faces.population)] == [160, 40, 20]
    for rows in (faces.pool, faces.test, faces.population):
        assert rows.images.shape == (len(rows), 32, 32, 3)
        assert tuple(rows.attributes) == ATTRIBUTES
        assert {len(values) for values in rows.attributes.values()} == {len(rows)}
        assert len(set(rows.names)) == len(rows)
        assert set(rows.labels.tolist()) == set(range(7))


def test_splits_share_no_person_and_about_four_images_a_person(faces):
    pool, test, population = (set(rows.subjects.tolist()) for rows in (faces.pool, faces.test, faces.population))
    assert not pool & test
    assert not pool & population
    assert not test & population
    assert (len(pool), len(test), len(population)) == (40, 10, 5)
    assert np.unique(faces.pool.subjects, return_counts=True)[1].tolist() == [4] * 40


def test_fear_is_rare_and_happiness_is_not(faces):
    counts = np.bincount(faces.pool.labels)
    assert EXPRESSIONS[counts.argmin()] == "fear"
    assert EXPRESSIONS[counts.argmax()] == "happiness"
    balanced = Synthface(rows=70, test_rows=7, imbalance=0).load(8, HERE)
    assert np.bincount(balanced.pool.labels).tolist() == [10] * 7


def test_masks_cover_a_part_of_every_face(faces):
    share = faces.pool.masks.mean(axis=(1, 2))
    assert faces.pool.masks.dtype == np.bool_
    assert share.min() > 0.05
    assert share.max() < 0.4


def test_drawing_twice_gives_the_same_and_another_seed_another():
    first, second, other = (Synthface(**FEW, seed=seed).load(24, HERE).digest() for seed in (0, 0, 1))
    assert first == second != other


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(7, 300))
def test_an_image_does_not_depend_on_how_many_follow(seed, rows):
    few, many = (Synthface(rows=n, test_rows=7, identities=6, seed=seed).load(16, HERE).pool for n in (rows, 300))
    assert np.array_equal(few.images, many.images[:rows])
    assert np.array_equal(few.masks, many.masks[:rows])
    assert np.array_equal(few.labels, many.labels[:rows])
    assert np.array_equal(few.subjects, many.subjects[:rows])


def test_looks_depend_on_the_person_alone():
    alone, among = draw_looks(5, [17]), draw_looks(5, [3, 17, 99]).take(np.array([1]))
    for field in dataclasses.fields(alone):
        assert np.array_equal(getattr(alone, field.name), getattr(among, field.name)), field.name


def test_person_attributes_belong_to_the_person(faces):
    for attribute in ("glasses", "skin", "age"):
        values = np.array(faces.pool.attributes[attribute])
        for person in np.unique(faces.pool.subjects):
            assert len(set(values[faces.pool.subjects == person])) == 1


def test_images_of_one_person_are_alike():
    data = Synthface(**FEW, pose=0, light=0, occlusion=0, noise=0, imbalance=0).load(16, HERE).pool
    # The middle of the forehead and the cheeks: what neither clothes nor background change.
    pixels = data.images[:, 3:12, 4:12].reshape(len(data), -1).astype(float)
    distance = np.linalg.norm(pixels[:, None] - pixels[None], axis=-1)
    same = data.subjects[:, None] == data.subjects[None]
    apart = ~np.eye(len(data), dtype=bool)
    assert distance[same & apart].mean() < 0.6 * distance[~same].mean()


def test_every_expression_is_an_own_pattern_of_actions():
    assert PROTOTYPES.shape == (len(EXPRESSIONS), len(ACTIONS))
    assert not PROTOTYPES[EXPRESSIONS.index("neutral")].any()
    distance = np.abs(PROTOTYPES[:, None] - PROTOTYPES[None]).sum(axis=-1)
    assert distance[~np.eye(7, dtype=bool)].min() > 1.5


def test_expressions_are_learnable_from_pixels():
    from sklearn.linear_model import RidgeClassifier

    easy = {"intensity": 1, "habit": 0, "wobble": 0, "pose": 0, "light": 0, "occlusion": 0, "imbalance": 0}
    data = Synthface(rows=280, test_rows=140, **easy).load(24, HERE)
    flat = [rows.images.reshape(len(rows), -1) / 255.0 for rows in (data.pool, data.test)]
    accuracy = RidgeClassifier(alpha=30).fit(flat[0], data.pool.labels).score(flat[1], data.test.labels)
    assert accuracy > 0.5


def test_neutral_faces_have_no_intensity(faces):
    for label, intensity in zip(faces.pool.labels, faces.pool.attributes["intensity"], strict=True):
        assert (intensity == "none") == (label == 0)


def test_the_population_may_be_empty_and_occlusion_may_be_everywhere():
    data = Synthface(**FEW, occlusion=1).load(16, HERE)
    assert len(data.population) == 0
    assert set(data.pool.attributes["occlusion"]) == {"hand", "scarf", "bar"}
