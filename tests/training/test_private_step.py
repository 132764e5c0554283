"""The step of differentially private SGD: what it promises, on networks small enough to check it by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from fer_audit.errors import FerAuditError
from fer_audit.models.model import Model
from fer_audit.specs import PluginIdentity, PrivateStep, PrivateTraining, ProgramSpec
from fer_audit.training.flat_weights import FlatWeights
from fer_audit.training.optimizer import Optimizer
from fer_audit.training.private_step import DpSgdStep, chunks
from fer_audit.training.program import Program
from fer_audit.training.recorded_layers import NotRecordedError

SIZE, CLASSES, ROWS = 10, 3, 8
WAYS = ["ghost", "per-example"]
#: Weights of the first kernel of `Small`; 0.2 w is the gradient of their penalty, and the others have none.
PENALISED = 3 * 3 * 3 * 8
#: Longer than any gradient here, and short enough for float32 to hold it times its square.
UNCLIPPED = 1e6


class Small(Model):
    """Convolutions, group normalisation in place of batch normalisation, a penalty on weights; source: this test."""

    name = "small"
    rate = 0.0

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
        x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1))(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.SeparableConv2D(8, 3, strides=2)(x)
        x = keras.layers.Conv2D(8, 7, padding="same", activation="relu")(x)
        x = keras.layers.Dropout(self.rate)(keras.layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, keras.layers.Dense(classes)(x), name="small")


class Dropping(Small):
    """The same with dropout; source: this test."""

    name = "dropping"
    rate = 0.5


class Penalised(Model):
    """A layer that is penalised for what it returns, so that its loss depends on the images; source: this test."""

    name = "penalised"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        x = keras.layers.Dense(4, kernel_regularizer="l2", activity_regularizer=keras.regularizers.L1(0.1))(x)
        return keras.Model(inputs, keras.layers.Dense(classes)(x), name="penalised")


def program_for(model=Small, clipping="ghost", optimizer="sgd", physical_batch=ROWS, **changes):
    values = {
        "model": PluginIdentity(kind="model", name=model.name, params={}, source=""),
        "input_shape": (SIZE, SIZE, 3),
        "classes": CLASSES,
        "batch_size": ROWS,
        "optimizer": optimizer,
        "weight_decay": 0.01 if optimizer == "adamw" else 0.0,
        "momentum": 0.9,
        "private": PrivateStep(physical_batch=physical_batch, clipping=clipping),
    }
    return Program(ProgramSpec(**{**values, **changes}), model())


def mechanism(clip_norm=UNCLIPPED, noise_multiplier=0.0):
    return PrivateTraining(
        clip_norm=clip_norm, noise_multiplier=noise_multiplier, sampling="poisson", nominal_rows=100, source=""
    )


def rows(count=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8), np.eye(CLASSES, dtype=np.float32)[
        rng.integers(0, CLASSES, count)
    ]


def vector(program):
    return np.concatenate([np.ravel(weight) for weight in program.network.trainable_variables])


def train(program, seed=3, steps=4, how=None, batch=None):
    images, labels = batch or rows()
    program.reset(seed, images)
    for step in range(steps):
        program.private_step(images, labels, step + 1, 0.01, how or mechanism(1.0, 0.5))
    return vector(program)


@pytest.fixture(scope="module", params=WAYS)
def step(request):
    """A step alone, whose sums can be read; chunks of up to 20 rows are filled up to multiples of 3."""
    program = program_for(clipping=request.param, physical_batch=20)
    program.reset(1, rows()[0])
    weights = FlatWeights(program.network)
    weights.gather()
    return DpSgdStep(
        program.spec, program.spec.private, program.network, weights, Optimizer(program.spec, weights.vector)
    )


def summed(step, images, labels, clip_norm):
    step.accumulate(images, labels, clip_norm)
    return step.sum.numpy()


def test_a_gradient_alone_is_no_longer_than_the_clip_and_whole_where_it_is_shorter(step):
    images, labels = rows()
    whole = [summed(step, images[row : row + 1], labels[row : row + 1], UNCLIPPED) for row in range(ROWS)]
    lengths = [np.linalg.norm(gradient) for gradient in whole]
    clip = float(np.sort(lengths)[ROWS // 2])
    assert min(lengths) < clip < max(lengths)
    for row, (gradient, length) in enumerate(zip(whole, lengths, strict=True)):
        found = summed(step, images[row : row + 1], labels[row : row + 1], clip)
        assert np.linalg.norm(found) <= clip * (1 + 1e-5)
        np.testing.assert_allclose(found, gradient * min(1, clip / length), rtol=1e-4, atol=1e-6 * clip)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("clip", [0.01, 0.3, UNCLIPPED])
def test_a_row_moves_the_sum_by_at_most_the_clip(step, seed, clip):
    """Sensitivity, for every row of random batches of 1 to 8 rows; what rounding adds is the sums' own."""
    count = 1 + 2 * seed
    images, labels = rows(count, seed)
    together = summed(step, images, labels, clip)
    for row in range(count):
        others = np.arange(count) != row
        moved = np.linalg.norm(together - summed(step, images[others], labels[others], clip))
        assert moved <= clip * (1 + 1e-4)
        assert moved > 0


def test_chunks_make_the_sum_of_all(step):
    images, labels = rows(3 * ROWS - 3)
    expected = sum(summed(step, images[row : row + 1], labels[row : row + 1], 0.3) for row in range(len(images)))
    loss, correct = step.accumulate(images, labels, 0.3)
    np.testing.assert_allclose(step.sum, expected, rtol=1e-3, atol=1e-5)
    alone = [step.accumulate(images[row : row + 1], labels[row : row + 1], 0.3) for row in range(len(images))]
    assert loss == pytest.approx(sum(one for one, _ in alone), rel=1e-5)
    assert correct == sum(one for _, one in alone)


@given(st.integers(0, 300), st.integers(1, 80))
def test_chunks_hold_every_row_once_and_few_sizes(count, most):
    found = list(chunks(count, most))
    assert [int(place) for places, kept in found for place in places[:kept]] == list(range(count))
    assert all(1 <= kept <= len(places) <= most for places, kept in found)
    assert all(set(places) <= set(range(count)) for places, _ in found)
    assert max((kept for _, kept in found), default=0) - min((kept for _, kept in found), default=0) <= 1


@pytest.mark.parametrize("most", [1, 3, 8, 9, 64])
def test_chunks_have_few_sizes(most):
    assert len({len(places) for count in range(200) for places, _ in chunks(count, most)}) <= 8


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(("model", "clipping"), [(Small, "ghost"), (Small, "per-example"), (Penalised, "per-example")])
def test_without_noise_and_clip_it_is_the_plain_step(model, clipping, optimizer):
    program = program_for(model, clipping, optimizer)
    images, labels = rows()
    program.reset(3, images)
    plain = [program.step(images, labels, step + 1, 0.01) for step in range(6)]
    expected = vector(program)
    program.reset(3, images)
    private = [program.private_step(images, labels, step + 1, 0.01, mechanism()) for step in range(6)]
    # As one vector, not weight by weight: where a gradient vanishes, Adam turns its rounding into whole steps.
    assert np.linalg.norm(vector(program) - expected) <= 1e-4 * np.linalg.norm(expected)
    np.testing.assert_allclose([loss for loss, _ in private], [loss for loss, _ in plain], rtol=1e-3)
    assert [correct for _, correct in private] == [correct for _, correct in plain]


@pytest.mark.parametrize("clipping", WAYS)
def test_three_rows_at_once_train_as_eight(clipping):
    together, apart = (train(program_for(clipping=clipping, physical_batch=most)) for most in (8, 3))
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)


def test_an_empty_batch_is_a_step_of_noise_alone():
    program = program_for(momentum=0.0)
    images, labels = rows()
    program.reset(3, images)
    before = vector(program)
    assert program.private_step(images[:0], labels[:0], 1, 1.0, mechanism(1.0, 0.0)) == (0.0, 0)
    np.testing.assert_allclose(vector(program)[:PENALISED], 0.8 * before[:PENALISED], rtol=1e-5)
    np.testing.assert_array_equal(vector(program)[PENALISED:], before[PENALISED:])
    program.private_step(images[:0], labels[:0], 1, 1.0, mechanism(1.0, 1.0))
    assert np.all(vector(program)[PENALISED:] != before[PENALISED:])


def test_the_sum_is_divided_by_the_nominal_batch_size():
    def moved(batch_size):
        program = program_for(momentum=0.0, batch_size=batch_size)
        program.reset(3, rows()[0])
        before = vector(program)
        program.private_step(*rows(5), 1, 1.0, mechanism())
        return (vector(program) - before)[PENALISED:]

    np.testing.assert_allclose(moved(4), 4 * moved(16), rtol=1e-3, atol=1e-5)


CLIP, MULTIPLIER, DRAWS = 2.0, 1.5, 60


@pytest.fixture(scope="module")
def noise():
    """Noise of 60 steps (60, P): steps at rate 1 without momentum, rows or penalties move weights by -noise / 8."""
    program = program_for(momentum=0.0)
    program.reset(5, rows()[0])
    images, labels = rows(0)
    found, before = [], vector(program)
    for number in range(DRAWS):
        program.private_step(images, labels, number + 1, 1.0, mechanism(CLIP, MULTIPLIER))
        found.append((before - vector(program)) * ROWS)
        before = vector(program)
    return np.array(found, np.float64)[:, PENALISED:]


def test_noise_has_the_deviation_of_clip_times_multiplier(noise):
    """Sum of squares against chi-square: a sound one fails in one of a million."""
    scaled = (noise**2).sum() / (CLIP * MULTIPLIER) ** 2
    assert chi2.ppf(5e-7, noise.size) <= scaled <= chi2.ppf(1 - 5e-7, noise.size)


def test_noise_has_mean_zero_and_is_drawn_anew_each_step(noise):
    """Each within its interval but for one chance in a million, shared by all."""
    least = norm.ppf(1 - 5e-7)
    assert abs(noise.mean()) <= least * CLIP * MULTIPLIER / np.sqrt(noise.size)
    pairs = np.corrcoef(noise)[np.triu_indices(DRAWS, 1)]
    most = norm.ppf(1 - 5e-7 / len(pairs)) / np.sqrt(noise.shape[1])
    assert np.abs(pairs).max() <= most
    columns = np.corrcoef(noise[:, :100].T)[np.triu_indices(100, 1)]
    # Of 60 draws, the Fisher transform is normal with variance 1 / 57.
    assert np.abs(np.arctanh(columns)).max() <= norm.ppf(1 - 5e-7 / len(columns)) / np.sqrt(DRAWS - 3)


def test_noise_is_added_once_however_many_chunks():
    def moved(physical_batch):
        program = program_for(physical_batch=physical_batch, momentum=0.0)
        images, labels = rows()
        program.reset(3, images)
        before = vector(program)
        program.private_step(images, labels, 1, 1.0, mechanism(1e-3, 1e3))
        return vector(program) - before

    np.testing.assert_allclose(moved(1), moved(8), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", [Small, Dropping])
def test_a_training_is_a_function_of_its_seed(model):
    program = program_for(model)
    first, second = train(program, seed=3), train(program, seed=4)
    tf.random.normal([3])  # whatever else draws numbers
    program.logits(rows()[0])
    np.testing.assert_array_equal(train(program, seed=4), second)
    np.testing.assert_array_equal(train(program, seed=3), first)
    np.testing.assert_array_equal(train(program_for(model), seed=3), first)
    assert not np.allclose(first, second)


def test_noise_differs_between_seeds():
    def moved(seed):
        program = program_for(momentum=0.0)
        program.reset(seed, rows()[0])
        before = vector(program)
        program.private_step(*rows(0), 1, 1.0, mechanism(1.0, 100.0))
        return (vector(program) - before)[PENALISED:]

    found = [moved(seed) for seed in range(3)]
    most = norm.ppf(1 - 5e-7 / 3) / np.sqrt(len(found[0]))
    assert np.abs(np.corrcoef(found)[np.triu_indices(3, 1)]).max() <= most


@pytest.mark.parametrize("clipping", WAYS)
def test_one_trace_serves_all_batches_and_mechanisms(clipping):
    program = program_for(clipping=clipping)
    program.warm_up()
    traced = program.traces
    assert traced == 3  # the sum, the update, the answers
    for count in (0, 1, 3, 8, 9, 20):
        program.reset(count, rows()[0])
        program.private_step(*rows(count), 1, 0.01, mechanism(0.1 + count, 0.5 * count))
        program.logits(rows(2)[0])
    assert program.traces == traced


def test_ghost_clipping_is_the_choice_where_it_can_be():
    assert program_for(clipping="auto").clipping == "ghost"
    assert program_for(Penalised, clipping="auto").clipping == "per-example"
    with pytest.raises(NotRecordedError, match="network 'penalised': a layer adds a loss of its own"):
        program_for(Penalised, clipping="ghost")


def test_layers_see_no_training_rows_of_a_private_training():
    class Learning(Model):
        """GhostFace's input normalisation alone; source: this test."""

        name = "learning"

        def build(self, input_shape, classes):
            from fer_audit.models.layers.input_normalization import InputNormalization

            inputs = keras.Input(input_shape)
            x = keras.layers.Flatten()(InputNormalization(name="normalization")(inputs))
            return keras.Model(inputs, keras.layers.Dense(classes)(x))

    program = program_for(Learning, input_shape=(16, 16, 3))
    program.reset(0, np.zeros((4, 16, 16, 3), np.uint8))
    layer = program.network.get_layer("normalization")
    assert float(layer.mean.value) == 127.5
    assert float(layer.variance.value) == pytest.approx((256**2 - 1) / 12)


def test_hard_labels_are_one_hot_labels():
    program, (images, labels) = program_for(), rows()
    soft = train(program)
    assert np.array_equal(soft, train(program, batch=(images, labels.argmax(axis=1))))


def test_a_plain_program_has_no_private_step():
    program = program_for(private=None)
    assert program.clipping is None
    with pytest.raises(FerAuditError, match="no private step; expected a spec with `private` set, received None"):
        program.private_step(*rows(), 1, 0.01, mechanism())
