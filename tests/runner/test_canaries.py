"""The audit of a stored training by canaries, and the csv of them."""

import csv

import numpy as np
import pytest
from scipy.special import logsumexp

from fer_audit.canary_section import Canaries
from fer_audit.data.canaries import plant
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.results import GroupGuarantee, Guarantee
from fer_audit.runner.canaries import audit_canaries, canary_file, log_canaries
from fer_audit.specs import PluginIdentity, ProgramSpec, TrainingJob, TrainingSpec
from fer_audit.store import Store

CLASSES = ("calm", "=joy", "fear")
COUNT, POOL = 40, 60


def rows(count):
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return Rows(images, np.arange(count) % 3, tuple(map(str, range(count))))


FACES = FaceData(CLASSES, rows(POOL), rows(9), rows(0), drawn=True)
JOB = TrainingJob(
    training=TrainingSpec(
        program=ProgramSpec(
            model=PluginIdentity(kind="model", name="m", params={}, source=""),
            input_shape=(4, 4, 3),
            classes=3,
            batch_size=8,
            optimizer="sgd",
            weight_decay=0.0,
            momentum=0.0,
        ),
        augmentations=(),
        epochs=1,
        learning_rate=0.1,
        schedule="constant",
        seed=0,
        pixels="",
        labels="",
        test_pixels="",
        test_labels=None,
        versions={},
        rows="",
        data="",
    ),
    queries=("identity", "flip"),
    pool="pool",
    population="population",
)


def guarantee(epsilon, group=None, delta=1e-6):
    return Guarantee(
        epsilon=epsilon,
        delta=delta,
        accountant="PLD, Poisson sampling",
        epsilon_pld=epsilon,
        epsilon_rdp=epsilon,
        epsilon_shuffled=9.0,
        noise_multiplier=1.0,
        clip_norm=1.0,
        sampling="poisson",
        sampling_rate=0.1,
        batch_size=6,
        steps=10,
        epochs=1,
        rows=60,
        group=None if group is None else GroupGuarantee(images=group[0], epsilon=group[1]),
    )


@pytest.fixture
def audited(tmp_path):
    """Audits canaries of `section` by a model whose confidence in the label of an included one is larger by `leak`."""

    def audit(section, promise, leak=10.0, seed=0):
        planted = plant(FACES, np.asarray(FACES.pool.labels), section, seed)
        store, rng = Store(tmp_path / "store"), np.random.default_rng(seed)
        logits = rng.normal(size=(2, POOL + section.count, 3)).astype(np.float32)
        canaries = POOL + np.arange(section.count)
        logits[:, canaries, planted.labels[POOL:]] += leak * planted.included
        for name, answers in zip(JOB.answers(), logits, strict=True):
            store.remove(*name)
            store.write(*name, lambda folder, answers=answers: np.save(folder / "pool.npy", answers))
        about = {"section": section, "guarantee": promise, "confidence": 0.95}
        found = audit_canaries(store, JOB, planted, **about, folder=tmp_path, file=canary_file(3))
        return found, planted, logits

    return audit


def lines(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["mislabelled", "blank"])
def test_coins_are_written_before_anything_is_trained(kind, tmp_path):
    planted = plant(FACES, np.asarray(FACES.pool.labels), Canaries(kind=kind, count=COUNT), 1)
    path = tmp_path / canary_file(0)
    log_canaries(path, planted, CLASSES)
    found = lines(path)
    assert list(found[0]) == ["id", "source", "label", "included"]
    assert [line["id"] for line in found] == [f"canary-{number}" for number in range(COUNT)]
    assert [line["included"] for line in found] == [str(coin) for coin in planted.included]
    assert [line["source"] for line in found] == ["" if row < 0 else str(row) for row in planted.source]
    names = [CLASSES[label] for label in planted.labels[POOL:]]
    assert "=joy" in names
    assert [line["label"] for line in found] == [name.replace("=", "'=") for name in names]


def test_a_leak_is_bounded_and_the_csv_holds_what_the_bound_was_counted_on(audited, tmp_path):
    section = Canaries(kind="mislabelled", count=COUNT)
    found, planted, logits = audited(section, guarantee(1.0))
    assert (found.count, found.included, found.copies, found.unit) == (COUNT, planted.included.sum(), 1, "image")
    assert (found.training, found.delta, found.confidence) == (JOB.training.key, 1e-6, 0.95)
    assert 1.0 < found.lower_bound < found.cap  # as many guesses in as out, whatever the coins
    assert found.auc.value == 1.0
    assert (found.promised, found.broken) == (1.0, True)
    written = lines(tmp_path / found.file)
    guesses = [line["guess"] for line in written]
    right = [line["guess"] == ("in" if line["included"] == "True" else "out") for line in written]
    assert (len(guesses) - guesses.count(""), sum(right)) == (found.guesses, found.correct)
    labels, canaries = planted.labels[POOL:], logits[:, POOL:].astype(float)
    others = np.where(np.eye(3, dtype=bool)[labels], -np.inf, canaries)
    own = np.take_along_axis(canaries, np.broadcast_to(labels[:, None], (2, COUNT, 1)), axis=2)[..., 0]
    expected = (own - logsumexp(others, axis=2)).mean(axis=0)
    np.testing.assert_allclose([float(line["score"]) for line in written], expected, rtol=1e-6)


def test_nothing_is_broken_where_nothing_is_promised_or_nothing_leaks(audited):
    section = Canaries(kind="blank", count=COUNT)
    found, *_ = audited(section, None)
    assert (found.promised, found.broken, found.guarantee, found.delta) == (None, False, None, 1e-5)
    assert found.lower_bound > 1
    found, *_ = audited(section, guarantee(0.5), leak=0.0)
    assert (found.promised, found.broken) == (0.5, False)


@pytest.mark.parametrize(
    ("group", "promised"), [(None, None), ((2, 1.5), 1.5), ((3, 2.5), 2.5), ((1, 0.9), None), ((2, None), None)]
)
def test_copies_are_hidden_by_a_guarantee_for_as_many_images(audited, group, promised):
    found, *_ = audited(Canaries(kind="duplicates", count=COUNT), guarantee(0.8, group))
    assert (found.copies, found.unit) == (2, "group")
    assert (found.promised, found.broken) == (promised, promised is not None and found.lower_bound > promised)
    once, *_ = audited(Canaries(kind="duplicates", count=COUNT, copies=1), guarantee(0.8, group))
    assert (once.unit, once.promised, once.broken) == ("image", 0.8, True)
