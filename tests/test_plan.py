"""Plans: what shares a training, and what a key depends on."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from fer_audit.errors import FerAuditError, GridError, PluginError, SignalsError
from fer_audit.grid import read_grid
from fer_audit.plan import Rate, make_plan, seconds_left
from fer_audit.store import Store

BASE = {
    "dataset": {"name": "toy"},
    "models": ["net"],
    "augmentations": ["none", "mixup"],
    "attacks": {"labels": ["none", {"name": "label-noise", "params": {"rate": 0.3}}], "membership": ["loss-threshold"]},
    "seeds": [0],
    "training": {"image_size": 16, "epochs": 2, "batch_size": 8},
    "privacy": {"references": 4},
    "plugins": ["plugins"],
}

PLUGINS = '''
import numpy as np
from fer_audit.data.dataset import Dataset, FaceData, Rows
from fer_audit.models.model import Model
from fer_audit.plugins import Parameters


class Toy(Dataset):
    """Noise; source: this test."""

    name = "toy"

    class Params(Parameters):
        """Parameters."""

        pixel: int = 0
        label: int = 0
        swapped: bool = False

    def read(self, size, base):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 255, (60, size, size, 3), dtype=np.uint8)
        images[0, 0, 0, 0] = self.params.pixel
        labels = np.arange(60) % 3
        labels[1] = self.params.label
        order = np.arange(60)
        if self.params.swapped:
            order[[2, 5]] = order[[5, 2]]
        rows = Rows(images, labels, tuple(map(str, range(60))))
        test = Rows(images[:6], labels[:6].copy(), tuple("abcdef"))
        return FaceData(("x", "y", "z"), rows.take(order), test, rows.take(np.arange(0)), True)


class Net(Model):
    """Never built here; source: this test."""

    name = "net"

    class Params(Parameters):
        """Parameters."""

        width: int = 4

    def build(self, input_shape, classes):
        raise NotImplementedError
'''


class Workshop:
    """A folder with a grid and plug-ins, planned again and again."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "plugins").mkdir(parents=True)
        (folder / "plugins" / "toys.py").write_text(PLUGINS)
        self.store = Store(folder / "store")

    def plan(self, store=None, **changes):
        path = self.folder / "grid.yaml"
        path.write_text(yaml.safe_dump({**BASE, **changes}))
        return make_plan(read_grid(path), store or self.store)

    def keys(self, **changes):
        """Keys of all trainings by title."""
        return {training.title: training.key for training in self.plan(**changes).trainings.values()}


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "one")


def test_cells_and_trainings_are_counted(workshop):
    plan = workshop.plan()
    assert [cell.id for cell in plan.cells] == [
        "net/none/none/seed0",
        "net/mixup/none/seed0",
        "net/none/label-noise(rate=0.3)/seed0",
        "net/mixup/label-noise(rate=0.3)/seed0",
    ]
    assert len(plan.trainings) == 4 * (1 + 4)
    assert len(plan.programs) == 1
    assert len(plan.missing) == 20
    assert not plan.done


def test_halves_are_shared_by_cells_and_complementary(workshop):
    cells = workshop.plan().cells
    for cell in cells:
        np.testing.assert_array_equal(cell.keep, cells[0].keep)
    np.testing.assert_array_equal(cells[0].keep[0], ~cells[0].keep[1])
    np.testing.assert_array_equal(cells[0].keep.sum(axis=0), 2)


def test_without_membership_attacks_only_utility_models_are_trained(workshop):
    plan = workshop.plan(attacks={"labels": ["none"]})
    assert len(plan.trainings) == 2
    assert all(cell.keep is None and not cell.privacy for cell in plan.cells)


def test_cells_with_the_same_training_share_it(workshop):
    attacks = {"labels": ["none", {"name": "label-noise", "params": {"rate": 0}}]}
    plan = workshop.plan(attacks=attacks, augmentations=["none"])
    assert len(plan.cells) == 2
    assert len(plan.trainings) == 1


def test_only_train_labels_are_corrupted_and_what_was_done_is_recorded(workshop):
    clean, noisy = (workshop.plan(augmentations=["none"]).cells[place] for place in (0, 1))
    assert clean.labels.corruption is None
    changed = noisy.labels.given != clean.labels.given
    assert noisy.labels.corruption.rate == changed.mean() > 0


UNRELATED = {
    "name": {"name": "another"},
    "order of models and augmentations": {"augmentations": ["mixup", "none"]},
    "order of attacks": {"attacks": {**BASE["attacks"], "membership": ["shadow-mia", "loss-threshold"]}},
    "workers": {"resources": {"workers": 1}},
    "images in the report": {"include_images": True},
    "queries": {"privacy": {"references": 4, "queries": ["identity", "flip"]}},
    "losses along the way": {"privacy": {"references": 4, "loss_trace": True}},
}


@pytest.mark.parametrize("change", UNRELATED)
def test_what_can_not_change_a_training_is_not_in_its_key(workshop, change):
    assert workshop.keys() == workshop.keys(**UNRELATED[change])


def test_the_place_on_disk_is_not_in_the_key(workshop, tmp_path):
    assert workshop.keys() == Workshop(tmp_path / "elsewhere with ümlaut").keys()


RELATED = {
    "a pixel": ({"dataset": {"name": "toy", "params": {"pixel": 1}}}, lambda title: True),
    "the place of a row": ({"dataset": {"name": "toy", "params": {"swapped": True}}}, lambda title: True),
    "a parameter of the model": ({"models": [{"name": "net", "params": {"width": 5}}]}, lambda title: True),
    "epochs": ({"training": {**BASE["training"], "epochs": 3}}, lambda title: True),
    "the learning rate": (
        {"training": {**BASE["training"], "optimizer": {"learning_rate": 0.1}}},
        lambda title: True,
    ),
    "the clipping of gradients": (
        {"training": {**BASE["training"], "optimizer": {"clip_norm": 1.0}}},
        lambda title: True,
    ),
    "the batch size": ({"training": {**BASE["training"], "batch_size": 4}}, lambda title: True),
    "the seed": ({"seeds": [1]}, lambda title: True),
    "the noise rate": (
        {"attacks": {**BASE["attacks"], "labels": ["none", {"name": "label-noise", "params": {"rate": 0.9}}]}},
        lambda title: "label-noise" in title,
    ),
    "a parameter of an augmentation": (
        {"augmentations": ["none", {"name": "mixup", "params": {"alpha": 0.9}}]},
        lambda title: "mixup" in title,
    ),
}


@pytest.mark.parametrize("change", RELATED)
def test_what_can_change_a_training_changes_exactly_its_key(workshop, change):
    changes, depends = RELATED[change]
    before, after = set(workshop.keys().values()), workshop.keys(**changes)
    for title, key in after.items():
        assert (key not in before) == depends(title), title


def test_a_label_changes_the_trainings_that_see_it(workshop):
    before = workshop.plan(augmentations=["none"], attacks={"membership": ["loss-threshold"]})
    after = workshop.plan(
        augmentations=["none"],
        attacks={"membership": ["loss-threshold"]},
        dataset={"name": "toy", "params": {"label": 2}},
    )
    seen = [before.cells[0].keep[model, 1] for model in range(4)]
    # Row 1 is also a test row here, and the utility model follows the test split.
    assert before.cells[0].utility != after.cells[0].utility
    same_halves = (before.cells[0].keep == after.cells[0].keep).all()
    changed = [a != b for a, b in zip(before.cells[0].privacy, after.cells[0].privacy, strict=True)]
    assert changed == ([bool(value) for value in seen] if same_halves else changed)
    assert any(changed)


def test_a_line_of_source_changes_the_key(workshop):
    before = workshop.keys()
    path = workshop.folder / "plugins" / "toys.py"
    path.write_text(path.read_text() + "\n# edited\n")
    assert not set(before.values()) & set(workshop.keys().values())


def test_more_references_keep_the_first_ones(workshop):
    before, after = workshop.keys(), workshop.keys(privacy={"references": 6})
    assert set(before.values()) < set(after.values())
    assert len(after) == len(before) + 4 * 2


def finish(store, training, *kinds):
    """Leaves what a worker would leave, without training."""
    for kind, key in training.job.artefacts():
        if kind in kinds:
            store.write(kind, key, lambda folder: (folder / "file").write_text("done"))


def test_a_training_is_done_when_all_that_is_wanted_of_it_is_there(workshop):
    first, second, third, *_ = workshop.plan().missing
    finish(workshop.store, first, "trainings", "signals")
    finish(workshop.store, second, "trainings")
    finish(workshop.store, third, "signals")
    plan = workshop.plan()
    assert plan.done == {first.key}
    assert [key for key, training in plan.trainings.items() if training.fitted] == [first.key, second.key]
    assert plan.trainings[second.key].images == 0 < plan.trainings[third.key].images


def test_another_query_only_has_to_be_asked(workshop):
    for training in workshop.plan().missing:
        finish(workshop.store, training, "trainings", "signals")
    plan = workshop.plan(privacy={"references": 4, "queries": ["identity", "flip"]})
    assert len(plan.missing) == 4 * 4
    assert all(training.fitted for training in plan.missing)


def test_losses_along_the_way_need_the_training_again(workshop):
    for training in workshop.plan().missing:
        finish(workshop.store, training, "trainings", "signals")
    plan = workshop.plan(privacy={"references": 4, "loss_trace": True})
    assert len(plan.missing) == 4 * 4
    assert not any(training.fitted for training in plan.missing)
    assert all("utility" not in training.title for training in plan.missing)


NEEDY = '''
from fer_audit.attacks.membership_attack import MembershipAttack, Needs


class Needy(MembershipAttack):
    """Reads losses; source: this test."""

    name = "needy"
    threat_model = "the attacker saw every epoch"
    needs = Needs(loss_trace=True)

    def infer(self, view):
        return -view.loss_trace.mean(axis=1)
'''


def test_an_attack_that_needs_losses_along_the_way_gets_them(workshop):
    (workshop.folder / "plugins" / "needy.py").write_text(NEEDY)
    plain = workshop.plan()
    needy = workshop.plan(attacks={**BASE["attacks"], "membership": ["needy"]})
    assert not any(training.job.traces for training in plain.trainings.values())
    for cell in needy.cells:
        assert not needy.trainings[cell.utility].job.traces
        for key in cell.privacy:
            [digest] = needy.trainings[key].job.traces
            np.testing.assert_array_equal(workshop.store.read_array(digest), cell.labels.given)


def test_everything_that_a_plan_wants_is_named(workshop):
    plan = workshop.plan()
    wanted = plan.wanted()
    assert {kind for kind, _ in wanted} == {"arrays", "costs", "datasets", "signals", "trainings"}
    assert {key for kind, key in wanted if kind == "trainings"} == set(plan.trainings)
    for kind, key in wanted:
        if kind in ("arrays", "datasets"):
            assert workshop.store.has(kind, key)
    assert wanted < workshop.plan(privacy={"references": 6}).wanted()


def test_a_plugin_that_raises_while_planning_is_named_with_its_place(workshop):
    path = workshop.folder / "plugins" / "toys.py"
    path.write_text(path.read_text().replace("rng = np.random.default_rng(0)", "raise ValueError('odd')"))
    with pytest.raises(FerAuditError, match=r"dataset 'toy' failed at .*toys\.py:\d+: ValueError: odd"):
        workshop.plan()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"models": ["ghostfac"]}, PluginError, "did you mean 'ghostface'"),
        ({"augmentations": ["mixupp"]}, PluginError, "did you mean 'mixup'"),
        ({"attacks": {"membership": ["loss-thresold"]}}, PluginError, "did you mean 'loss-threshold'"),
        ({"attacks": {"labels": [{"name": "label-noise", "params": {"rate": 2}}]}}, PluginError, "rate"),
        ({"attacks": {"labels": [{"name": "none", "params": {"rate": 2}}]}}, GridError, "takes no parameters"),
        ({"dataset": "synthfac"}, PluginError, "did you mean 'synthface'"),
        ({"plugins": ["absent"]}, PluginError, "does not exist"),
        ({"models": ["mobilenet-v2"]}, GridError, "at least 32 px, received training.image_size: 16"),
        (
            {"attacks": {"membership": [{"name": "loss-threshold", "params": {"queries": [1]}}]}},
            SignalsError,
            "queries must lie within 0..0",
        ),
    ],
)
def test_mistakes_come_before_any_work(workshop, changes, error, said):
    with pytest.raises(error, match=said) as raised:
        workshop.plan(**changes)
    assert isinstance(raised.value, FerAuditError)


def test_the_estimate_follows_measured_rates(workshop):
    plan = workshop.plan()
    program = next(iter(plan.programs))
    images = sum(training.images for training in plan.missing)
    rates = {program: Rate(images_per_second=10, start_seconds=3, overhead_seconds=0)}
    assert seconds_left(plan.missing, rates, workers=2) == pytest.approx((images / 10 + 2 * 3) / 2)
    assert seconds_left([], rates, workers=2) == 0
    guess = Rate.guess(plan.programs[program])
    assert seconds_left(plan.missing, {}, workers=1) > images / guess.images_per_second
