"""Networks that look at their batch are caught; rounding is not."""

import numpy as np
import pytest

from fer_audit.robustness.batch_invariance import probe

MODES = ("alone", "shuffled", "sorted by class")
WEIGHTS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)


@pytest.fixture
def rows():
    """Images (60, 2, 2, 3) whose brightness goes with their class."""
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.repeat([0, 1, 2], 20))
    return (rng.integers(0, 90, (60, 2, 2, 3)) + 80 * labels[:, None, None, None]).astype(np.uint8), labels


def features(images):
    return images.reshape(len(images), -1).astype(np.float32) / 255


def pure(images):
    # Row by row: BLAS may round a row otherwise in another batch, which is what another test is about.
    return np.stack([row @ WEIGHTS for row in features(images)])


def batch_normalising(images):
    x = features(images)
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3)) @ WEIGHTS


def leaking_the_mean(images):
    return pure(images) + np.float32(1e-2) * images.mean(dtype=np.float32)


def leaking_its_place(images):
    return pure(images) + np.float32(0.1) * np.arange(len(images), dtype=np.float32)[:, None]


def rounding_by_length(images):
    return pure(images) * np.float32(1 + 3e-7 * (len(images) % 7))


def test_a_network_of_single_images_passes(rows):
    found = probe(pure, *rows, batch_size=16, seed=0)
    assert found.passed
    assert (found.rows, found.max_difference, found.changed, found.explanation) == (60, 0, 0, "")
    assert found.tolerance == pytest.approx(1e-3 * np.abs(pure(rows[0])).max())
    assert tuple(found.differences) == tuple(found.changed_by_mode) == MODES


@pytest.mark.parametrize("network", [batch_normalising, leaking_the_mean, leaking_its_place])
@pytest.mark.parametrize("mode", MODES)
def test_a_network_that_looks_at_its_batch_is_caught_in_each_mode(network, mode, rows):
    found = probe(network, *rows, batch_size=16, seed=0)
    assert not found.passed
    assert found.differences[mode] > found.tolerance
    assert found.max_difference == max(found.differences.values())


def test_the_explanation_tells_the_worst_mode_its_size_and_the_usual_cause(rows):
    found = probe(batch_normalising, *rows, batch_size=16, seed=0)
    worst = max(found.differences, key=found.differences.get)
    assert found.changed_by_mode[worst] > 0
    assert max(found.changed_by_mode.values()) <= found.changed <= 60
    for part in (
        worst.removeprefix("in batches "),
        f"{found.max_difference:.3g}",
        f"{found.changed} of 60 predictions",
        "batch normalisation in training mode",
    ):
        assert part in found.explanation


def test_rounding_passes_and_a_tie_that_it_turns_is_no_change(rows):
    assert probe(rounding_by_length, *rows, batch_size=16, seed=0).passed

    def tied(images):
        return np.tile(np.float32([5, 5 + 1e-6 * (-1) ** len(images)]), (len(images), 1))

    found = probe(tied, *rows, batch_size=15, seed=0)
    assert found.max_difference > 0
    assert found.passed
    assert found.changed == 0


def test_logits_that_are_not_finite_do_not_pass(rows):
    def broken(images):
        return pure(images) if len(images) > 1 else np.full((1, 3), np.nan, np.float32)

    found = probe(broken, *rows, batch_size=16, seed=0)
    assert not found.passed
    assert found.max_difference == np.inf


def test_the_same_seed_gives_the_same_batches(rows):
    first, again, other = (probe(batch_normalising, *rows, batch_size=16, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.differences["shuffled"] != other.differences["shuffled"]
