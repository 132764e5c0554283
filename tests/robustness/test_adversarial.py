"""Attacks against closed forms, against a trained network, and against Foolbox."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.robustness.adversarial import ATTACKS, LossGradient, ascent, attack, fgsm, pgd

CLASSES = 3


def linear(scale):
    """The gradient of two classes whose logits are linear in the pixels, and the weights (pixels, 2)."""
    network = keras.Sequential([keras.Input((5, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    weights = scale * np.random.default_rng(0).normal(0, 0.01, (75, 2)).astype(np.float32)
    network.set_weights([weights, np.zeros(2, np.float32)])
    return LossGradient(network), weights


def striped(rows, seed):
    """Images (rows, 12, 12, 3) with a bright, noisy stripe in the third of their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, rows)
    images = rng.normal(110, 25, (rows, 12, 12, 3))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 7
    return np.clip(images, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def trained():
    """A small convolutional network that tells stripes apart, with test rows."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Rescaling(1 / 64, offset=-2),
            keras.layers.Conv2D(8, 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.2),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.01), loss)
    network.fit(*striped(600, 0), batch_size=60, epochs=8, verbose=0)
    return network, *striped(90, 1)


@pytest.fixture
def foolbox(monkeypatch):
    # It imports GitPython for a download that is never made here; that wants git unless told to keep quiet.
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    with warnings.catch_warnings():
        # Old names of SciPy inside Foolbox 3.3.4 (2024).
        warnings.simplefilter("ignore", DeprecationWarning)
        import foolbox
    return foolbox


def accuracy(predictions, labels):
    return (predictions == labels).mean(axis=-1)


def test_the_gradient_is_that_of_each_rows_own_loss(trained):
    network, images, labels = trained
    gradient, x = LossGradient(network), images.astype(np.float32)
    slopes, logits = gradient(x[:8], labels[:8])
    np.testing.assert_allclose(logits, network(x[:8], training=False), rtol=1e-4, atol=1e-4)
    for row in range(8):
        alone, _ = gradient(x[row : row + 1], labels[row : row + 1])
        np.testing.assert_allclose(alone[0], slopes[row], rtol=1e-3, atol=1e-7)


def test_the_gradient_is_that_of_the_cross_entropy_but_for_a_positive_factor(trained):
    network, images, labels = trained
    x = keras.ops.convert_to_tensor(images.astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = network(x, training=False)
        loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    expected, slopes = tape.gradient(loss, x).numpy(), LossGradient(network)(x, labels)[0]
    odds = np.exp(logits.numpy().astype(float))
    against = 1 - odds[np.arange(len(labels)), labels] / odds.sum(axis=1)
    unsure = against > 0.01
    assert unsure.sum() > 10
    np.testing.assert_allclose(
        against[unsure, None, None, None] * slopes[unsure], expected[unsure], rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("scale", [1, 30])
def test_on_a_linear_network_fgsm_and_pgd_are_the_exact_worst_case_however_sure_it_is(epsilon, scale):
    gradient, weights = linear(scale)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(60, 190, (6, 5, 5, 3)).astype(np.float32), rng.integers(0, 2, 6)

    def margin(images):
        _, logits = gradient(images, y)
        return logits[np.arange(6), y] - logits[np.arange(6), 1 - y]

    fall = epsilon * np.abs(weights[:, 0] - weights[:, 1]).sum()
    assert np.abs(margin(x)).max() > 5 * scale
    np.testing.assert_allclose(margin(x) - margin(fgsm(gradient, x, y, epsilon)), fall, rtol=1e-3)
    climbed = pgd(gradient, x, y, epsilon, steps=5, seed=0)
    np.testing.assert_allclose(margin(x) - margin(climbed), fall, rtol=1e-3)


@settings(deadline=None, max_examples=50)
@given(epsilon=st.floats(0, 300), step=st.floats(0, 500), steps=st.integers(0, 4), seed=st.integers(0, 9))
def test_every_point_lies_in_the_ball_and_in_the_box(epsilon, step, steps, seed):
    rng = np.random.default_rng(seed)

    def gradient(images, labels):
        return rng.normal(size=images.shape).astype(np.float32), np.zeros((len(images), 2), np.float32)

    x, y = rng.integers(0, 256, (3, 4, 4, 3)).astype(np.float32), np.zeros(3, np.int64)
    for found in (
        fgsm(gradient, x, y, epsilon),
        pgd(gradient, x, y, epsilon, steps=steps, seed=seed),
        pgd(gradient, x, y, epsilon, steps=steps, step_size=step, seed=seed),
    ):
        assert found.dtype == np.float32
        # A float32 near 255 is known to 2^-17.
        assert np.abs(found - x).max() <= epsilon + 2**-16
        assert found.min() >= 0
        assert found.max() <= 255


def test_at_epsilon_zero_attacked_images_are_the_images(trained):
    network, images, labels = trained
    gradient = LossGradient(network)
    found = attack(gradient, images, labels, epsilons=(0, 1), steps=3, batch_size=32, seed=0)
    assert found.predictions.shape == (len(ATTACKS), 2, len(images))
    assert found.predictions.dtype == found.clean.dtype == np.int64
    np.testing.assert_array_equal(found.clean, network(images.astype(np.float32), training=False).numpy().argmax(1))
    for predictions in found.predictions[:, 0]:
        np.testing.assert_array_equal(predictions, found.clean)
    np.testing.assert_array_equal(found.max_perturbation, [[0, 1], [0, 1]])


def test_pgd_finds_what_fgsm_finds_and_more(trained):
    network, images, labels = trained
    epsilons = (2, 4, 8)
    found = attack(LossGradient(network), images, labels, epsilons=epsilons, steps=10, batch_size=45, seed=0)
    clean, (once, climbed) = accuracy(found.clean, labels), accuracy(found.predictions, labels)
    assert 0.8 < clean < 1
    assert (climbed <= once).all()
    assert (np.diff([clean, *climbed]) < 0).all()
    assert (once < clean).all()
    # A row that is misread as it is counts for PGD whatever the changes make of it.
    assert (found.predictions[1][:, found.clean != labels] != labels[found.clean != labels]).all()
    np.testing.assert_allclose(found.max_perturbation, [epsilons, epsilons], rtol=1e-6)


def test_pgd_counts_any_misread_point_of_its_path_and_keeps_the_one_of_highest_loss():
    asked_of_the_image, asked_twice_by_fgsm = [[9, 0, 0, 0]], [[9, 0, 0, 0]] * 2
    asked_on_the_path = [[0, 2, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1], [9, 0, 0, 0]]
    answers = iter(asked_of_the_image + asked_twice_by_fgsm + asked_on_the_path)

    def gradient(images, labels):
        return np.ones_like(images), np.array([next(answers)], np.float32)

    images, labels = np.full((1, 2, 2, 3), 100, np.uint8), np.array([0])
    found = attack(gradient, images, labels, epsilons=(1,), steps=3, batch_size=1, seed=0)
    assert found.clean.tolist() == [0]
    assert found.predictions[:, 0, 0].tolist() == [0, 2]


def test_a_seed_gives_the_same_attack_whatever_the_batches(trained):
    network, images, labels = trained
    gradient, options = LossGradient(network), {"epsilons": (1, 3), "steps": 4}
    first = attack(gradient, images, labels, **options, batch_size=90, seed=7)
    for batch_size in (90, 32, 7):
        again = attack(gradient, images, labels, **options, batch_size=batch_size, seed=7)
        for field, array in vars(first).items():
            np.testing.assert_array_equal(getattr(again, field), array)
    x = images[:9].astype(np.float32)
    one, same, other = (pgd(gradient, x, labels[:9], 3, steps=1, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    part = pgd(gradient, x[:4], labels[:4], 3, steps=0, seed=7)
    np.testing.assert_array_equal(part, pgd(gradient, x, labels[:9], 3, steps=0, seed=7)[:4])


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_fgsm_and_pgd_agree_with_foolbox(trained, foolbox, epsilon):
    network, images, labels = trained
    theirs = foolbox.TensorFlowModel(lambda x: network(x, training=False), bounds=(0, 255), device="/CPU:0")
    gradient, x = LossGradient(network), images.astype(np.float32)
    tensors = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(labels)
    changed = foolbox.attacks.LinfFastGradientAttack().run(theirs, *tensors, epsilon=epsilon).numpy()
    apart = np.abs(fgsm(gradient, x, labels, epsilon) - changed) > 1e-4
    # Foolbox takes the gradient of the cross-entropy itself, whose smallest entries are rounding where p_y is almost 1.
    logits = gradient(x, labels)[1]
    unsure = np.sort(logits)[:, -1] - np.sort(logits)[:, -2] < 5
    assert unsure.sum() > 10
    assert not apart[unsure].any()
    assert apart.mean() < 0.001

    # Without a random start all steps are determined.
    iterated = foolbox.attacks.LinfBasicIterativeAttack(rel_stepsize=0.25, steps=10, random_start=False)
    climbed = iterated.run(theirs, *tensors, epsilon=epsilon).numpy()
    *_, (last, _) = ascent(gradient, x, labels, epsilon, start=np.zeros_like(x), steps=10)
    assert (np.abs(last - climbed) > 1e-3).mean() < 0.005

    started = foolbox.attacks.LinfPGD(rel_stepsize=0.25, steps=10).run(theirs, *tensors, epsilon=epsilon).numpy()
    last = pgd(gradient, x, labels, epsilon, steps=10, seed=0)
    ours, its = (accuracy(gradient(points, labels)[1].argmax(axis=1), labels) for points in (last, started))
    assert ours == pytest.approx(its, abs=2.5 / len(labels))
