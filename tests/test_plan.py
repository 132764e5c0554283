"""Plans: what shares a training, and what a key depends on."""

import fnmatch
import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from fer_audit.errors import FerAuditError, GridError, PluginError, SignalsError
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.runner.privacy import attack_entries
from fer_audit.specs import PluginIdentity, PrivateStep, ProgramSpec, SmoothedLabels, TrainingSpec
from fer_audit.store import Store
from fer_audit.time_left import Rate, seconds_left

BASE = {
    "dataset": {"name": "toy"},
    "models": ["net"],
    "augmentations": ["none", "mixup"],
    "attacks": {"labels": ["none", {"name": "symmetric", "params": {"rate": 0.3}}], "membership": ["loss-threshold"]},
    "seeds": [0],
    "training": {"image_size": 16, "epochs": 2, "batch_size": 8},
    "privacy": {"references": 4},
    "plugins": ["plugins"],
}

PLUGINS = {
    "toy": '''
import numpy as np
from fer_audit.data.dataset import Dataset, FaceData, Rows
from fer_audit.plugins import Parameters


class Toy(Dataset):
    """Noise; four rows a person; source: this test."""

    name = "toy"

    class Params(Parameters):
        """Parameters."""

        pixel: int = 0
        stranger: int = 0
        label: int = 0
        swapped: bool = False

    def read(self, size, base):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 255, (76, size, size, 3), dtype=np.uint8)
        images[0, 0, 0, 0] = self.params.pixel
        images[75, 0, 0, 0] = self.params.stranger
        # Four rows of one class a person: one other label does not change what most of them are.
        people = np.arange(60) // 4
        labels = people % 3
        labels[1] = self.params.label
        if self.params.swapped:
            images[[2, 5]] = images[[5, 2]]
        names = tuple(map(str, range(76)))
        pool = Rows(images[:60], labels, names[:60], subjects=people)
        test = Rows(images[60:70], np.arange(10) % 3, names[60:70])
        population = Rows(images[70:], np.arange(6) % 3, names[70:])
        return FaceData(("x", "y", "z"), pool, test, population, True)
''',
    "net": '''
from fer_audit.models.model import Model
from fer_audit.plugins import Parameters


class Net(Model):
    """Never built here; source: this test."""

    name = "net"

    class Params(Parameters):
        """Parameters."""

        width: int = 4

    def build(self, input_shape, classes):
        raise NotImplementedError
''',
    "grey": '''
from fer_audit.augmentations.augmentation import Augmentation


class Grey(Augmentation):
    """Never applied here; source: this test."""

    name = "grey"

    def apply(self, images, labels, rng):
        raise NotImplementedError
''',
    "flips": '''
from fer_audit.attacks.label_attack import LabelAttack


class Flips(LabelAttack):
    """Moves every tenth label on by one; source: this test."""

    name = "flips"

    def corrupt(self, labels, context):
        first = 0
        corrupted = labels.copy()
        corrupted[first::10] = (corrupted[first::10] + 1) % 3
        return corrupted
''',
    "guess": '''
from fer_audit.attacks.membership_attack import MembershipAttack


class Guess(MembershipAttack):
    """Never asked here; source: this test."""

    name = "guess"
    threat_model = "none"

    def infer(self, view):
        raise NotImplementedError
''',
}


class Workshop:
    """A folder with a grid and plug-ins, planned again and again."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "plugins").mkdir(parents=True)
        for name, source in PLUGINS.items():
            (folder / "plugins" / f"{name}.py").write_text(source)
        self.store = Store(folder / "store")

    def plan(self, store=None, cells=(), **changes):
        path = self.folder / "grid.yaml"
        path.write_text(yaml.safe_dump({**BASE, **changes}))
        return make_plan(read_grid(path), store or self.store, cells)

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
        "net/none/symmetric(rate=0.3)/seed0",
        "net/mixup/symmetric(rate=0.3)/seed0",
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
    attacks = {"labels": ["none", {"name": "symmetric", "params": {"rate": 0}}]}
    plan = workshop.plan(attacks=attacks, augmentations=["none"])
    assert len(plan.cells) == 2
    assert len(plan.trainings) == 1


def test_only_train_labels_are_corrupted_and_what_was_done_is_recorded(workshop):
    clean, noisy = (workshop.plan(augmentations=["none"]).cells[place] for place in (0, 1))
    assert clean.labels.corruption is None
    changed = noisy.labels.given != clean.labels.given
    assert noisy.labels.corruption.rate == changed.mean() > 0


def test_cells_that_train_on_the_same_keep_it_once(workshop, monkeypatch):
    asked = []
    write_array = Store.write_array
    monkeypatch.setattr(
        Store, "write_array", lambda *given, **how: asked.append(write_array(*given, **how)) or asked[-1]
    )
    models = ["net", {"name": "net", "params": {"width": 5}}]
    plan = workshop.plan(models=models, augmentations=["none", "grey"], privacy={"references": 4, "loss_trace": True})
    assert len(plan.cells) == 8
    # All rows and four halves; of clean and of corrupted labels those of each.
    assert len(asked) == len(set(asked)) == 5 + 2 * 5
    assert set(asked) == {digest for kind, digest in plan.wanted() if kind == "arrays"}
    clean, noisy = plan.cells[:4], plan.cells[4:]
    for cells in (clean, noisy):
        assert all(cell.labels is cells[0].labels for cell in cells)
    assert clean[0].labels.identity is None
    assert noisy[0].labels.identity.params == {"exact": False, "rate": 0.3}
    programs = {id(training.spec.program) for training in plan.trainings.values()}
    assert len(programs) == len(plan.programs) == 2


def test_more_cells_on_the_same_rows_ask_the_store_no_more_often(workshop, monkeypatch):
    has, looks = Store.has, []
    monkeypatch.setattr(Store, "has", lambda store, *name: looks.append(name) or has(store, *name))
    seen = []
    for cells in (4, 24):
        widths = [{"name": "net", "params": {"width": width}} for width in range(cells)]
        assert len(workshop.plan(models=widths, augmentations=["none"], attacks={}).trainings) == cells
        seen.append(len(looks))
        looks.clear()
    assert seen[0] == seen[1] > 0


PRIVATE = {"name": "dp-sgd", "params": {"epsilon": 8, "batch_size": 20}}


def test_trainings_without_a_defence_have_the_keys_that_they_had_before_there_were_any(workshop):
    plain, defended = workshop.keys(), workshop.keys(defences=["none", "label-smoothing"])
    assert plain.items() <= defended.items()
    spec = next(iter(workshop.plan().trainings.values())).spec
    assert "defence" not in spec.content()
    assert "private" not in spec.content()["program"]


def test_private_trainings_share_a_program_whatever_their_noise(workshop):
    defences = ["none", *({"name": "dp-sgd", "params": {"epsilon": epsilon}} for epsilon in (3, 8))]
    plan = workshop.plan(augmentations=["none"], attacks={"membership": ["loss-threshold"]}, defences=defences)
    assert [cell.id for cell in plan.cells] == [
        "net/none/none/seed0",
        "net/none/dp-sgd(epsilon=3)/none/seed0",
        "net/none/dp-sgd(epsilon=8)/none/seed0",
    ]
    assert len(plan.programs) == 2
    plain, stricter, looser = plan.cells
    assert plain.guarantee is plain.halves_guarantee is None
    assert stricter.guarantee.epsilon <= 3 < looser.guarantee.epsilon <= 8
    assert stricter.guarantee.noise_multiplier > looser.guarantee.noise_multiplier
    assert stricter.guarantee.group.images == 4
    # Each half has half the rows, so that an image is in a step twice as often, which takes more noise.
    assert looser.halves_guarantee.rows == max(looser.keep.sum(axis=1)) < 40
    assert looser.halves_guarantee.noise_multiplier > looser.guarantee.noise_multiplier
    for cell in (stricter, looser):
        halves = {plan.trainings[key].spec.defence for key in cell.privacy}
        assert {half.noise_multiplier for half in halves} == {cell.halves_guarantee.noise_multiplier}
        assert plan.trainings[cell.utility].spec.defence.noise_multiplier == cell.guarantee.noise_multiplier


def test_no_two_private_trainings_share_their_noise_and_all_else_shares_seeds(workshop):
    defences = ["none", *({"name": "dp-sgd", "params": {"epsilon": epsilon}} for epsilon in (3, 8))]
    plan = workshop.plan(augmentations=["none", "grey"], defences=["none", "label-smoothing"])
    assert len({plan.trainings[cell.utility].spec.seed for cell in plan.cells}) == 1
    plan = workshop.plan(augmentations=["none"], defences=defences, canaries={"count": 10})
    seeds = [plan.trainings[key].spec.seed for cell in plan.cells if cell.guarantee for key in cell.trainings]
    assert len(set(seeds)) == len(seeds) == 2 * 2 * (1 + 4 + 1)


def test_bounds_on_all_promises_hold_together(workshop):
    plan = workshop.plan(augmentations=["none"], defences=["none", PRIVATE], canaries={"count": 10})
    # Two private cells, on clean and on corrupted labels, with an audit by canaries and one by attacks each.
    assert plan.confidence == pytest.approx(1 - 0.05 / 4)
    assert workshop.plan(augmentations=["none"]).confidence == pytest.approx(0.95)


@pytest.mark.parametrize(("sampling", "rows"), [("poisson", 60), ("shuffle", 60 - 12 + 2 * 12)])
def test_shuffled_canaries_all_have_a_place(workshop, sampling, rows):
    private = {"name": "dp-sgd", "params": {"sampling": sampling}}
    canaries = {"kind": "duplicates", "count": 12}
    plan = workshop.plan(attacks={}, augmentations=["none"], defences=[private], canaries=canaries)
    assert plan.cells[0].canaries.guarantee.rows == rows


def test_augmentations_that_mix_rows_are_left_out_of_private_training_and_said(workshop):
    plan = workshop.plan(attacks={}, defences=["none", PRIVATE])
    assert [cell.id for cell in plan.cells] == [
        "net/none/none/seed0",
        "net/none/dp-sgd(batch_size=20, epsilon=8)/none/seed0",
        "net/mixup/none/seed0",
    ]
    assert [cell.id for cell in plan.left_out] == ["net/mixup/dp-sgd(batch_size=20, epsilon=8)/none/seed0"]
    assert "mixup mixes rows" in plan.left_out[0].reason
    with pytest.raises(GridError, match=r"no cell is left to run: .* mixup mixes rows"):
        workshop.plan(attacks={}, augmentations=["mixup"], defences=[PRIVATE])


def test_rows_that_early_stopping_holds_out_are_part_of_the_key_and_wanted(workshop):
    defences = [{"name": "early-stopping", "params": {"held_out": share}} for share in (0.1, 0.4)]
    plan = workshop.plan(attacks={}, augmentations=["none"], defences=defences)
    specs = [plan.trainings[cell.utility].spec for cell in plan.cells]
    assert len({spec.key for spec in specs}) == 2
    for spec, least in zip(specs, (6, 24), strict=True):
        places = workshop.store.read_array(spec.held_out[0])
        assert least <= len(places) < least + 4
        assert ("arrays", spec.held_out[0]) in plan.wanted()


@pytest.mark.parametrize("kind", ["mislabelled", "blank", "out-of-distribution", "duplicates"])
def test_canaries_are_one_more_training_of_each_cell_under_the_same_promise(workshop, kind):
    plan = workshop.plan(
        attacks={},
        augmentations=["none"],
        defences=["none", "early-stopping", PRIVATE],
        canaries={"kind": kind, "count": 12},
    )
    assert len(plan.trainings) == 3 * 2
    plain, _, private = plan.cells
    assert plain.canaries.planted is private.canaries.planted  # the same coins and pictures under every defence
    for cell in plan.cells:
        spec = plan.trainings[cell.canaries.training].spec
        assert np.array_equal(workshop.store.read_array(spec.rows), cell.canaries.planted.rows)
        assert ("datasets", spec.data) in plan.wanted()
        assert spec.key in cell.trainings
    assert plain.canaries.guarantee is None
    assert private.canaries.guarantee.noise_multiplier == private.guarantee.noise_multiplier
    assert private.canaries.guarantee.steps == private.guarantee.steps
    if kind == "duplicates":
        assert private.canaries.guarantee.group.images == 2


def test_too_many_canaries_are_refused_before_anything_runs(workshop):
    with pytest.raises(FerAuditError, match="can't make 60 mislabelled canaries"):
        workshop.plan(attacks={}, canaries={"count": 60})


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
        {"attacks": {**BASE["attacks"], "labels": ["none", {"name": "symmetric", "params": {"rate": 0.9}}]}},
        lambda title: "symmetric" in title,
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


#: Another value for every field of a training but those in NOT_IN_THE_KEY; a new field must be added to either.
MUTATIONS = {
    "augmentations": (PluginIdentity(kind="augmentation", name="other", params={}, source=""),),
    "epochs": 99,
    "learning_rate": 0.5,
    "schedule": "constant",
    "seed": 99,
    "pixels": "another image, or two that changed places",
    "labels": "another label",
    "test_pixels": "another image to test on",
    "test_labels": "another label to test on",
    "versions": {"tensorflow": "99"},
    "defence": SmoothedLabels(smoothing=0.1),
}
PROGRAM_MUTATIONS = {
    "model": PluginIdentity(kind="model", name="net", params={"width": 4}, source="a changed line"),
    "input_shape": (17, 17, 3),
    "classes": 4,
    "batch_size": 9,
    "optimizer": "adam",
    "weight_decay": 0.5,
    "momentum": 0.5,
    "clip_norm": 0.5,
    "private": PrivateStep(physical_batch=8, clipping="auto"),
}
NOT_IN_THE_KEY = {"rows", "data"}


def test_every_field_of_a_training_is_in_its_key_or_known_not_to_be(workshop):
    spec = workshop.plan().missing[0].spec
    assert MUTATIONS.keys() | NOT_IN_THE_KEY | {"program"} == TrainingSpec.model_fields.keys()
    assert PROGRAM_MUTATIONS.keys() == ProgramSpec.model_fields.keys()
    for field, value in MUTATIONS.items():
        assert spec.model_copy(update={field: value}).key != spec.key, field
    for field, value in PROGRAM_MUTATIONS.items():
        program = spec.program.model_copy(update={field: value})
        assert spec.model_copy(update={"program": program}).key != spec.key, field
        assert program.key != spec.program.key, field
    for field in NOT_IN_THE_KEY:
        assert spec.model_copy(update={field: "elsewhere"}).key == spec.key, field


def altered(workshop, **params):
    """The plan before and after a change to the dataset, and which of its trainings changed key, by title."""
    before, after = (workshop.plan(dataset={"name": "toy", "params": chosen}) for chosen in ({}, params))
    for old, new in zip(before.cells, after.cells, strict=True):
        np.testing.assert_array_equal(old.keep, new.keep)
    titles = ({training.title: key for key, training in plan.trainings.items()} for plan in (before, after))
    old, new = titles
    assert old.keys() == new.keys()
    return before, after, {title for title in old if old[title] != new[title]}


def learning_from(workshop, plan, row):
    """Titles of the trainings that see `row` of the pool."""
    return {t.title for t in plan.trainings.values() if row in workshop.store.read_array(t.spec.rows)}


def test_a_pixel_changes_the_trainings_that_learn_from_it_and_all_answers(workshop):
    before, after, changed = altered(workshop, pixel=1)
    assert changed == learning_from(workshop, before, 0)
    assert 0 < len(changed) < len(before.trainings)
    kept = before.trainings.keys() & after.trainings.keys()
    for key in kept:
        assert not set(before.trainings[key].job.answers()) & set(after.trainings[key].job.answers())


def test_a_label_changes_the_trainings_that_learn_it(workshop):
    before, _, changed = altered(workshop, label=2)
    assert changed == learning_from(workshop, before, 1)
    assert 0 < len(changed) < len(before.trainings)


def test_two_rows_that_change_places_change_the_trainings_that_learn_from_them(workshop):
    before, _, changed = altered(workshop, swapped=True)
    assert changed == learning_from(workshop, before, 2) | learning_from(workshop, before, 5)
    assert 0 < len(changed) < len(before.trainings)


def test_an_image_of_the_population_changes_answers_only(workshop):
    before, after, changed = altered(workshop, stranger=1)
    assert not changed
    for key, training in before.trainings.items():
        assert not set(training.job.answers()) & set(after.trainings[key].job.answers())


@pytest.mark.parametrize(
    ("kind", "depends"),
    [
        ("net", lambda title: True),
        ("grey", lambda title: "grey" in title),
        ("flips", lambda title: "flips" in title),
        ("guess", lambda title: False),
        ("toy", lambda title: False),
    ],
)
def test_a_line_of_source_changes_exactly_what_depends_on_it(workshop, kind, depends):
    attacks = {"labels": ["none", "flips"], "membership": ["guess"]}
    changes = {"augmentations": ["none", "grey"], "attacks": attacks}
    before = workshop.keys(**changes)
    path = workshop.folder / "plugins" / f"{kind}.py"
    # Another seed in the label attack's source gives other labels; elsewhere a comment is enough.
    path.write_text(path.read_text().replace("first = 0", "first = 1") + "\n# edited\n")
    after = workshop.keys(**changes)
    assert {title for title in before if before[title] != after[title]} == {title for title in before if depends(title)}


def test_more_references_keep_the_first_ones(workshop):
    before, after = workshop.keys(), workshop.keys(privacy={"references": 6})
    assert set(before.values()) < set(after.values())
    assert len(after) == len(before) + 4 * 2


@pytest.mark.parametrize("pattern", ["*", "net/mixup/*", "*/symmetric(rate=0.3)/seed1", "net/none/none/seed0"])
def test_chosen_cells_are_those_of_the_whole_grid(workshop, pattern):
    changes = {"seeds": [0, 1], "measures": ALL_MEASURES}
    whole, part = workshop.plan(**changes), workshop.plan(cells=[pattern], **changes)
    ids = [cell.id for cell in whole.cells]
    assert [cell.id for cell in part.cells] == fnmatch.filter(ids, pattern) != []
    assert part.trainings.items() <= whole.trainings.items()  # to the title and all that is asked
    for cell in part.cells:
        same = whole.cells[ids.index(cell.id)]
        assert (cell.utility, cell.privacy) == (same.utility, same.privacy)
        np.testing.assert_array_equal(cell.keep, same.keep)
        np.testing.assert_array_equal(cell.labels.given, same.labels.given)
    # Nothing is planned but what these cells want.
    assert set(part.trainings) == {key for cell in part.cells for key in (cell.utility, *cell.privacy)}


def test_what_was_done_for_a_chosen_cell_is_done_for_the_grid(workshop):
    part = workshop.plan(cells=["net/mixup/none/seed0"])
    for training in part.missing:
        finish(workshop.store, training, "trainings", "signals")
    assert not workshop.plan(cells=["net/mixup/none/seed0"]).missing
    assert workshop.plan().done == set(part.trainings)


def test_a_pattern_without_cells_is_refused_before_anything_is_read(workshop):
    with pytest.raises(GridError, match="the nearest ids are 'net/mixup/none/seed0'"):
        workshop.plan(cells=["net/mixup/none/seed7"], dataset={"name": "no such dataset"})


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
    assert {key for key, training in plan.trainings.items() if training.fitted} == {first.key, second.key}
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


ALL_MEASURES = {
    "memorisation": True,
    "label_errors": True,
    "corruptions": {"kinds": ["jpeg", "grey"], "severities": [1, 5]},
    "adversarial": True,
    "batch_invariance": True,
    "explanations": True,
}


def test_measures_change_no_training_and_are_taken_on_stored_weights(workshop):
    before = workshop.plan()
    for training in before.missing:
        finish(workshop.store, training, "trainings", "signals")
    measures = {name: value for name, value in ALL_MEASURES.items() if name != "memorisation"}
    after = workshop.plan(measures=measures)
    assert after.trainings.keys() == before.trainings.keys()
    assert {training.title.rpartition(" · ")[2] for training in after.missing} == {"utility"}
    for training in after.missing:
        kinds = [measure.kind for measure in training.job.measures]
        assert kinds == ["corruption", "corruption", "adversarial", "batch-invariance", "explanation"]
        assert training.fitted
        assert training.images == 0 < training.measured
    for training in after.missing:
        finish(workshop.store, training, "measures")
    assert not workshop.plan(measures=measures).missing


def test_one_more_kind_of_corruption_is_all_that_is_measured_anew(workshop):
    names = [
        {name for training in workshop.plan(measures={"corruptions": {"kinds": kinds}}).missing
         for name in training.job.measured()}
        for kinds in (["jpeg"], ["jpeg", "grey"])
    ]  # fmt: skip
    assert len(names[0]) * 2 == len(names[1])
    assert names[0] < names[1]


def test_the_room_of_corrupted_images_is_known_before(workshop):
    plan = workshop.plan(measures={"corruptions": {"kinds": ["jpeg", "grey"], "severities": [1, 5], "rows": 7}})
    assert plan.room(workshop.store) == 2 * 2 * 7 * 16 * 16 * 3
    for _, key in {name for training in plan.missing for name in training.job.corrupted()}:
        workshop.store.write("corrupted", key, lambda folder: (folder / "file").write_text("done"))
    assert plan.room(workshop.store) == 0


def test_predictions_along_the_way_are_followed_where_labels_are_corrupted(workshop):
    for training in workshop.plan().missing:
        finish(workshop.store, training, "trainings", "signals")
    plan = workshop.plan(measures={"memorisation": True})
    assert len(plan.missing) == 2
    for training in plan.missing:
        assert "symmetric" in training.title
        assert "utility" in training.title
        assert not training.fitted


def test_wrong_labels_are_sought_with_references_even_where_nobody_attacks(workshop):
    plan = workshop.plan(attacks={"labels": ["none"]}, measures={"label_errors": True})
    assert all(len(cell.privacy) == 4 for cell in plan.cells)


def test_all_that_is_measured_is_wanted(workshop):
    wanted = workshop.plan(measures=ALL_MEASURES).wanted()
    kinds = {"arrays", "corrupted", "costs", "datasets", "measures", "predictions", "signals", "trainings"}
    assert {kind for kind, _ in wanted} == kinds
    assert sum(kind == "corrupted" for kind, _ in wanted) == 2  # all models are asked about the same images


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


# --- editing code

#: A study of plug-ins of one's own, two models and two augmentations, with a helper that some of them share.
OWN = {
    "models": ["net", "wide"],
    "augmentations": ["none", "grey", "dim"],
    "attacks": {"labels": ["none", "flips"], "membership": ["guess", "loss-threshold"]},
}


@pytest.fixture
def own(workshop):
    folder = workshop.folder / "plugins"
    import_shared = "import zz_plan_shared\n"
    (folder / "wide.py").write_text(import_shared + PLUGINS["net"].replace('"net"', '"wide"'))
    (folder / "dim.py").write_text(import_shared + PLUGINS["grey"].replace('"grey"', '"dim"'))
    (folder / "zz_plan_shared.py").write_text("SCALE = 1\n")
    (folder / "zz_plan_unused.py").write_text("")
    (folder / "unused.py").write_text("import zz_plan_unused\n" + PLUGINS["grey"].replace('"grey"', '"unused"'))
    (folder / "test_net.py").write_text("")
    return workshop


def edit(workshop, name):
    path = workshop.folder / "plugins" / name
    path.write_text(path.read_text() + "\n# edited\n")


def of_model(name):
    return lambda title: title.startswith(f"{name} · ")


def with_augmentation(name):
    return lambda title: f" · {name} · " in title


EDITS = {
    "net.py": of_model("net"),
    "wide.py": of_model("wide"),
    "grey.py": with_augmentation("grey"),
    "dim.py": with_augmentation("dim"),
    "zz_plan_shared.py": lambda title: of_model("wide")(title) or with_augmentation("dim")(title),
    "flips.py": lambda title: False,  # labels are in the keys, not who made them
    "guess.py": lambda title: False,
    "toy.py": lambda title: False,  # images are, not who read them
    "unused.py": lambda title: False,
    "zz_plan_unused.py": lambda title: False,
    "test_net.py": lambda title: False,
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_exactly_the_trainings_that_depend_on_the_file(own, name):
    before = own.keys(**OWN)
    edit(own, name)
    after = own.keys(**OWN)
    assert before.keys() == after.keys()
    changed = {title for title in before if before[title] != after[title]}
    assert changed == {title for title in before if EDITS[name](title)}


def test_an_edited_label_attack_trains_anew_where_it_gives_other_labels(own):
    before = own.keys(**OWN)
    path = own.folder / "plugins" / "flips.py"
    path.write_text(path.read_text().replace("first = 0", "first = 1"))
    after = own.keys(**OWN)
    changed = {title for title in before if before[title] != after[title]}
    assert changed
    assert all(" · flips · " in title for title in changed)
    assert {title for title in before if " · flips · " in title and "utility" in title} <= changed


def attack_keys(plan):
    """Key of the result of each attack on each cell, by cell and name."""
    found = {}
    for cell in plan.cells:
        jobs = [plan.trainings[key].job for key in cell.privacy]
        given = {"keep": cell.keep, "given": cell.labels.given, "jobs": jobs, "seed": cell.seed}
        entries = attack_entries(plan.attacks, plan.data, **given)
        found |= {(cell.id, attack.name): entry for attack, entry in zip(plan.attacks, entries, strict=True)}
    return found


@pytest.mark.parametrize(
    ("name", "depends"),
    [
        ("guess.py", lambda cell, attack: attack == "guess"),
        ("net.py", lambda cell, attack: cell.startswith("net/")),  # other answers
        ("unused.py", lambda cell, attack: False),
        ("flips.py", lambda cell, attack: False),
        ("toy.py", lambda cell, attack: False),
    ],
)
def test_an_edit_changes_exactly_the_attacks_that_depend_on_the_file(own, name, depends):
    before = attack_keys(own.plan(**OWN))
    edit(own, name)
    after = attack_keys(own.plan(**OWN))
    assert {key for key in before if before[key] != after[key]} == {key for key in before if depends(*key)}


def test_the_code_from_outside_is_known_with_what_it_is_part_of(own):
    edit(own, "unused.py")
    (own.folder / "plugins" / "broken.py").write_text("import zz_plan_nowhere, zz_plan_shared\n")
    code = own.plan(**OWN).code
    assert {file.path.removeprefix("plugins/"): file.plugins for file in code} == {
        "broken.py": [],
        "dim.py": ["augmentation dim"],
        "flips.py": ["label-attack flips"],
        "grey.py": ["augmentation grey"],
        "guess.py": ["membership-attack guess"],
        "net.py": ["model net"],
        "toy.py": ["dataset toy"],
        "unused.py": [],
        "wide.py": ["model wide"],
        "zz_plan_shared.py": ["model wide", "augmentation dim"],
        "zz_plan_unused.py": [],
    }
    assert [file.path for file in code if not file.loaded] == ["plugins/broken.py"]
    for file in code:
        assert file.sha256 == hashlib.sha256((own.folder / file.path).read_bytes()).hexdigest()


def test_a_grid_of_built_in_plugins_has_no_code_from_outside(workshop):
    plan = workshop.plan(dataset={"name": "synthface", "params": {"rows": 40, "test_rows": 20}}, models=["ghostface"],
                         training={"image_size": 32}, plugins=[])  # fmt: skip
    assert plan.code == []


def test_a_plugin_that_raises_while_planning_is_named_with_its_place(workshop):
    path = workshop.folder / "plugins" / "toy.py"
    path.write_text(path.read_text().replace("rng = np.random.default_rng(0)", "raise ValueError('odd')"))
    with pytest.raises(FerAuditError, match=r"dataset 'toy' failed at .*toy\.py:\d+: ValueError: odd"):
        workshop.plan()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"models": ["ghostfac"]}, PluginError, "did you mean 'ghostface'"),
        ({"augmentations": ["mixupp"]}, PluginError, "did you mean 'mixup'"),
        ({"attacks": {"membership": ["loss-thresold"]}}, PluginError, "did you mean 'loss-threshold'"),
        ({"attacks": {"labels": [{"name": "symmetric", "params": {"rate": 2}}]}}, PluginError, "rate"),
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
