"""What every model must do.

TensorFlow is only imported when a network is built, and then runs on one thread, as in a worker.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.errors import PluginError
from fer_audit.lazy import keras
from fer_audit.metrics.compute import count
from fer_audit.models.model import Model
from fer_audit.specs import PluginIdentity, ProgramSpec
from fer_audit.testing.check import CheckFailed, NotApplicable, Rule, Subject, require
from fer_audit.testing.checked_network import (
    CLASSES,
    Images,
    Logits,
    build,
    fresh,
    logits,
    random_images,
    restored,
    settled,
    side_of,
    start_tensorflow,
)
from fer_audit.testing.profiled_macs import profiled_macs
from fer_audit.training.quiet import quiet

#: Sizes that are built beside `minimum_size`: that of the smallest datasets, and one that no stride divides.
_SIDES = (48, 101)

#: float32 sums are taken in another order where a batch has another length; relative to the largest logit.
_TOLERANCE = 1e-4

#: Logits of a digest are rounded to this share of the largest: threads don't change that, another network does.
_GRAIN = 1e-2

#: Batches that a weight may wait for its gradient, as behind layers that leave out branches at random.
_BATCHES = 4
_ROWS = 8


def result_digest(plugin: Model) -> str:
    """SHA-256 (hex) of the weights that a network starts with for a fixed seed, and of its logits, rounded."""
    network = build(plugin, side_of(plugin))
    digest = hashlib.sha256()
    for weight in network.weights:
        digest.update(f"{weight.path} {weight.shape} {weight.dtype}".encode() + np.array(weight).tobytes())
    found = logits(network, random_images(4, side_of(plugin)))
    largest = float(np.abs(found).max()) or 1.0
    digest.update(np.rint(found / (_GRAIN * largest)).astype(np.int64).tobytes())
    return digest.hexdigest()


def declared_sizes_are_built(subject: Subject) -> str:
    """Networks of `minimum_size`, 48 and 101 px, for 2 and 7 classes, give finite float32 logits (B, C).

    Set `minimum_size` to what the network needs: strides and convolutions without padding use up small images.
    """
    model = subject.make()
    sides = sorted({model.minimum_size, *(max(side, model.minimum_size) for side in _SIDES)})
    for side in sides:
        classes = CLASSES if side == side_of(model) else 2
        try:
            found = logits(build(model, side, classes), random_images(2, side))
        except PluginError:
            raise
        except Exception as error:
            raise CheckFailed(f"expected a network for {side} px, received {_said(error)}") from error
        _require_logits(found, (2, classes), f"random images of {side} px")
    return f"{', '.join(map(str, sides))} px"


def smaller_images_are_refused(subject: Subject) -> str:
    """Images one pixel below `minimum_size` are refused with a PluginError.

    `create` does it; leave `create` alone.
    """
    model = subject.make()
    if model.minimum_size <= 1:
        raise NotApplicable("minimum_size is 1 px")
    side = model.minimum_size - 1
    for shape in ((side, side, 3), (model.minimum_size, side, 3)):
        try:
            model.create(shape, CLASSES)
        except PluginError:
            continue
        raise CheckFailed(f"expected a PluginError for {shape[0]}x{shape[1]} px, a network was built")
    return f"below {model.minimum_size} px"


def logits_are_finite(subject: Subject) -> None:
    """Random, black and white images have finite float32 logits, in a fresh network and in one that has learnt.

    Divide by a deviation only after adding an epsilon: a black image has none.
    """
    random = random_images(2, side_of(subject.make()))
    images = np.concatenate([random, np.zeros_like(random), np.full_like(random, 255)])
    for what, network in (("a fresh network", fresh(subject)), ("a network with statistics", settled(subject))):
        found = logits(network, images)
        _require_logits(found[:2], (2, CLASSES), f"random images in {what}")
        _require_logits(found[2:4], (2, CLASSES), f"black images in {what}")
        _require_logits(found[4:], (2, CLASSES), f"white images in {what}")


def answers_are_logits(subject: Subject) -> None:
    """Answers are logits, not probabilities: some row leaves 0..1, or does not sum to one.

    Leave out a last softmax; training takes it of the logits, and a second one keeps the network from learning.
    """
    found = logits(settled(subject), random_images(_ROWS, side_of(subject.make()))).astype(np.float64)
    sums = found.sum(axis=1)
    likely = found.min() >= 0 and found.max() <= 1 and bool((np.abs(sums - 1) < _TOLERANCE).all())
    require(not likely, "expected logits, received probabilities: every row lies in 0..1 and sums to one")


def an_image_is_judged_alone(subject: Subject) -> str:
    """An image has the same logits alone as in any batch, and each time it is asked.

    In inference, normalise with moving statistics and switch chance off: a layer of your own does what the `training`
    that it is called with says.
    """
    network, images = settled(subject), random_images(4, side_of(subject.make()))
    alone = np.concatenate([logits(network, images[row : row + 1]) for row in range(len(images))])
    largest = float(np.abs(alone).max())
    extremes = np.concatenate([images[:1], np.zeros_like(images[:2]), np.full_like(images[:2], 255)])
    asked = {
        "again": (logits(network, images[:1]), alone[:1]),
        "with others": (logits(network, images), alone),
        "in another order": (logits(network, images[::-1]), alone[::-1]),
        "with black and white ones": (logits(network, extremes)[:1], alone[:1]),
    }
    worst = 0.0
    for how, (found, expected) in asked.items():
        differs = float(np.abs(found.astype(np.float64) - expected).max())
        require(
            differs <= _TOLERANCE * largest,
            f"expected the logits that an image has alone (up to {largest:.3g}), asked {how} they differ by "
            f"{differs:.3g}",
        )
        worst = max(worst, differs)
    return f"differs by {worst / largest if largest else 0:.0e} of the largest logit"


def gradients_reach_every_trained_weight(subject: Subject) -> str:
    """Every trained weight has a finite gradient, and one that is not zero unless it is a bias.

    Let the logits depend on every weight, by operations that have a gradient (`argmax`, rounding and `stop_gradient`
    have none). A bias before a batch normalisation is spared.
    """
    network, side = settled(subject), side_of(subject.make())
    weights = network.trainable_variables
    waiting = {weight.path for weight in weights}
    with restored(network):
        for seed in range(_BATCHES):
            for weight, gradient in zip(weights, _gradients(network, random_images(_ROWS, side, seed)), strict=True):
                require(gradient is not None, f"expected a gradient of weight {weight.path!r}, the logits have none")
                given = np.asarray(gradient)
                require(bool(np.isfinite(given).all()), f"expected a finite gradient of weight {weight.path!r}")
                if given.any() or weight.path.endswith("bias"):
                    waiting.discard(weight.path)
            if not waiting:
                break
    require(not waiting, f"expected gradients other than zero, that of {', '.join(sorted(waiting)[:3])} always is")
    return f"{len(weights)} weights"


def weights_have_stable_unique_names(subject: Subject) -> str:
    """No two weights have the same name, and a network built again has the same names and shapes in the same order.

    Name your layers, or leave the numbering to Keras; take no name from a counter or a set of your own.
    """
    first, second = _shapes(settled(subject)), _shapes(fresh(subject))
    paths = [path for path, _ in first]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    require(not twice, f"expected a name for each weight, {', '.join(twice[:3])} stands for several")
    require(len(first) == len(second), f"expected {len(first)} weights in a second network, received {len(second)}")
    for expected, found in zip(first, second, strict=True):
        require(expected == found, f"expected the weight {expected} in a second network, received {found}")
    return f"{len(paths)} weights"


def counted_macs_are_the_profilers(subject: Subject) -> str:
    """The MACs that are counted of the layers are those of TensorFlow's profiler for convolutions and dense layers.

    A layer with kernels of its own declares `macs(input_shape)`, which counts each product with one of its weights,
    of one image. Products of two activations are not counted.
    """
    network, side = settled(subject), side_of(subject.make())
    found, counted = profiled_macs(network, (side, side, 3)), count(network).macs
    if found.loops:
        raise NotApplicable(f"products run in a loop, of which the profiler knows no length ({found.loops[0]})")
    if not counted and not found.share:
        raise NotApplicable("the network has no convolution and no product with a weight")
    seen = f"{found.profiler:,} by the profiler"
    if found.shapes:
        seen += f" and {found.shapes:,} from the shapes of operations that it does not see rightly"
    apart = f"; {found.apart:,} more are no layer's, being products without a weight" if found.apart else ""
    require(counted == found.share, f"expected {found.share:,} MACs ({seen}), the layers count {counted:,}{apart}")
    return f"{counted:,} MACs, {seen}{apart}"


def a_saved_network_comes_back(subject: Subject) -> str:
    """A network saved as `.keras` is loaded in safe mode and has the same weights and logits.

    Register a layer of your own with `@keras.saving.register_keras_serializable(package=...)` and give it a
    `get_config` with all its arguments; write a layer where you would write `Lambda`.
    """
    network = settled(subject)
    images = random_images(4, side_of(subject.make()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        try:
            network.save(path)
            loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            raise CheckFailed(f"expected Keras to save and load the network, received {_said(error)}") from error
        size = path.stat().st_size
    _require_same_weights(network, loaded.get_weights(), "from the file")
    _require_same(logits(network, images), logits(loaded, images), "of the loaded network")
    return f"{size / 1e6:.1f} MB"


def kept_weights_make_the_network_again(subject: Subject) -> None:
    """A network built afresh has the same logits once it has the weights that were kept of another.

    Whatever shapes the logits is a weight, or follows from the parameters: a table that is drawn when the network is
    built belongs in a weight that is not trained.
    """
    network, other = settled(subject), fresh(subject)
    images = random_images(4, side_of(subject.make()))
    with restored(other):
        other.set_weights(_kept(network.get_weights()))
        _require_same(logits(network, images), logits(other, images), "of a network with the kept weights")


def a_training_starts_from_its_seed(subject: Subject) -> None:
    """Every weight can be drawn again from a seed, whatever it was meanwhile.

    Give a layer the attribute `<weight>_initializer` for each weight of its own. Initializers draw by `keras.random`
    with the seed that is in their `get_config`.
    """
    from fer_audit.training.initial_weights import InitialWeights

    network = settled(subject)
    images = random_images(4, side_of(subject.make()))
    with restored(network):
        initial = InitialWeights(network)
        initial.assign(1)
        weights, expected = network.get_weights(), logits(network, images)
        initial.assign(2)
        initial.assign(1)
        _require_same_weights(network, weights, "for the same seed")
        _require_same(expected, logits(network, images), "for the same seed")


def a_training_step_is_taken(subject: Subject) -> str:
    """A step, traced as trainings trace it, has a finite loss and leaves finite weights and logits.

    What training refuses, such as constraints, weights that are not float32 and layers that assign to a trained
    weight, it refuses here.
    """
    from fer_audit.training.program import Program

    model = subject.make()
    side = side_of(model)
    spec = ProgramSpec(
        model=PluginIdentity(**model.identity()),
        input_shape=(side, side, 3),
        classes=CLASSES,
        batch_size=_ROWS,
        optimizer="adamw",
        weight_decay=0.0,
        momentum=0.9,
    )
    images, labels = random_images(_ROWS, side), np.arange(_ROWS) % CLASSES
    start_tensorflow()
    with quiet():  # TensorFlow warns of the tracing
        program = Program(spec, model)
        program.reset(0, images)
        loss, _ = program.step(images, labels, 1, 1e-3)
        found, weights = program.logits(images), program.weights()
    require(bool(np.isfinite(loss)), f"expected a finite loss, received {loss}")
    for name, value in weights.items():
        require(bool(np.isfinite(value).all()), f"expected weight {name!r} to be finite after a step")
    _require_logits(found, (_ROWS, CLASSES), "random images after a step")
    return f"loss {loss / _ROWS:.2f}"


CHECKS: tuple[Rule, ...] = (
    declared_sizes_are_built,
    smaller_images_are_refused,
    logits_are_finite,
    answers_are_logits,
    an_image_is_judged_alone,
    gradients_reach_every_trained_weight,
    weights_have_stable_unique_names,
    counted_macs_are_the_profilers,
    a_saved_network_comes_back,
    kept_weights_make_the_network_again,
    a_training_starts_from_its_seed,
    a_training_step_is_taken,
)


def _require_logits(found: Logits, shape: tuple[int, int], what: str) -> None:
    fits = found.shape == shape and found.dtype == np.float32
    require(fits, f"expected float32 logits {shape} of {what}, received {found.dtype} {found.shape}")
    wrong = int((~np.isfinite(found)).sum())
    require(wrong == 0, f"expected finite logits of {what}, {wrong} of {found.size} are not")


def _require_same(expected: Logits, found: Logits, what: str) -> None:
    differs, largest = float(np.abs(found.astype(np.float64) - expected).max()), float(np.abs(expected).max())
    require(
        differs <= _TOLERANCE * largest,
        f"expected the same logits {what} (up to {largest:.3g}), they differ by {differs:.3g}",
    )


def _require_same_weights(network: Any, expected: list[npt.NDArray[Any]], when: str) -> None:
    weights = network.weights
    require(len(weights) == len(expected), f"expected {len(weights)} weights {when}, received {len(expected)}")
    for weight, value in zip(weights, expected, strict=True):
        same = np.array_equal(np.array(weight), value)
        require(same, f"expected the same value of weight {weight.path!r} {when}, received another one")


def _shapes(network: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(weight.path, tuple(weight.shape)) for weight in network.weights]


def _gradients(network: Any, images: Images) -> list[Any]:
    """The gradient of the mean loss by each trained weight, None where the logits don't depend on it."""
    import tensorflow as tf

    labels = np.arange(len(images)) % CLASSES
    with tf.GradientTape() as tape:
        answers = network(images.astype(np.float32), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, answers))
    return list(tape.gradient(loss, [weight.value for weight in network.trainable_variables]))


def _kept(weights: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Weights as the store gives them back: written as arrays and read without pickle."""
    file = io.BytesIO()
    np.savez(file, *weights)
    file.seek(0)
    with np.load(file, allow_pickle=False) as kept:
        return [kept[name] for name in kept.files]


def _said(error: Exception) -> str:
    """The part of an error of Keras that tells what is wrong: it adds whole configurations, and examples."""
    told = str(error).rpartition("Exception encountered: ")[2].partition(" Full object config")[0]
    return f"{type(error).__name__}: {' '.join(told.strip().partition(chr(10) * 2)[0].split())}"
