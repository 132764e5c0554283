import numpy as np
import pytest

from fer_audit.data.blind import LEAST_UNITS, Statistics, blind_baseline, statistics_of
from fer_audit.data.dataset import Rows
from fer_audit.data.manifest import Manifest
from fer_audit.data.splits import membership_matrix


def noise(rows, seed=0, features=6):
    rng = np.random.default_rng(seed)
    return Statistics(tuple(f"f{i}" for i in range(features)), rng.normal(size=(rows, features))), rng.random(
        rows
    ) < 0.5


def test_a_shifted_statistic_is_found_and_named():
    statistics, side = noise(600)
    statistics.values[side, 3] += 1
    found = blind_baseline(statistics, side, None)
    assert found.auc.low > 0.6
    assert found.telling == "f3"
    assert found.telling_auc == pytest.approx(0.76, abs=0.05)


def test_nothing_is_found_in_noise():
    above = 0
    for seed in range(20):
        statistics, side = noise(300, seed)
        found = blind_baseline(statistics, side, None, seed=seed)
        above += found.auc.low > 0.5
    assert above <= 2  # of 20 at 2.5 %: three or more come once in a hundred


def test_a_person_is_never_both_learnt_and_judged():
    """Each person looks unlike any other, and half of them are members: by person there is nothing to learn."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(120), 8)
    values = rng.normal(size=(120, 6))[people] + 0.01 * rng.normal(size=(960, 6))
    side = (np.arange(120) % 2 == 0)[people]
    statistics = Statistics(tuple("abcdef"), values)
    assert blind_baseline(statistics, side, None).auc.value > 0.95
    found = blind_baseline(statistics, side, people)
    assert found.auc.low < 0.5


def test_few_units_resolve_nothing():
    statistics, side = noise(300)
    found = blind_baseline(statistics, side, np.arange(300) // 7)
    assert found.auc.value is None
    assert f"needs at least {LEAST_UNITS}" in found.auc.note


def test_statistics_tell_colour_light_and_size():
    images = np.zeros((3, 12, 12, 3), np.uint8)
    images[1] = 200
    images[2, :, :, 0] = 90
    rows = Rows(images, np.zeros(3, np.int64), tuple("abc"), traits=np.array([[20.0, 10, 2, 0, 5]] * 3))
    found = statistics_of(rows)
    column = dict(zip(found.names, found.values.T, strict=True))
    assert column["green mean"].tolist() == [0, 200, 0]
    assert column["saturation"].tolist() == [0, 0, 90]
    assert column["share of grey pixels"].tolist() == [1, 1, 0]
    assert column["aspect ratio"].tolist() == [2, 2, 2]
    assert column["brightness of tile 7"].tolist()[:2] == [0, 200]


def test_colour_is_found_on_real_faces_when_the_split_is_by_colour_and_not_on_a_random_one(real_faces):
    data = Manifest(path="labels.csv").load(32, real_faces)
    statistics = statistics_of(data.pool)
    colour = statistics.values[:, statistics.names.index("saturation")] > 8
    assert 0.05 < colour.mean() < 0.95
    assert blind_baseline(statistics, colour, data.pool.units).auc.low > 0.9
    half = membership_matrix(2, data.pool.labels, data.pool.units, 0)[0]
    found = blind_baseline(statistics, half, data.pool.units)
    assert found.auc.low <= 0.5
