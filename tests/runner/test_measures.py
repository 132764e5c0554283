"""From a grid with every measure switched on to results: workers, arrays in the store, what is made of them."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image
from rich.console import Console

from fer_audit.errors import GridError
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.registry import Registry
from fer_audit.robustness.adversarial import AdversarialError
from fer_audit.robustness.corruptions import corrupt
from fer_audit.runner.collect import collect
from fer_audit.runner.engines.local import LocalEngine
from fer_audit.runner.galleries import write_galleries
from fer_audit.runner.run import run_plan
from fer_audit.store import Store
from fer_audit.training.weights import read_weights
from fer_audit.training.worker import Worker

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 63, "test_rows": 35}},
    "models": ["small", "small-too"],
    "augmentations": ["none", "mixup"],
    "attacks": {"labels": ["none", {"name": "symmetric", "params": {"rate": 0.4, "exact": True}}]},
    "training": {"image_size": 16, "epochs": 3, "batch_size": 8, "optimizer": {"learning_rate": 0.01}},
    "privacy": {"references": 4},
    "plugins": ["plugins"],
    "measures": {
        "memorisation": True,
        "label_errors": True,
        "corruptions": {"kinds": ["jpeg", "fog"], "severities": [1, 5], "rows": 20},
        "adversarial": {"epsilons": [2, 8], "steps": 2, "rows": 15},
        "batch_invariance": {"rows": 16},
        "explanations": {"rows": 14, "steps": 4},
    },
}

PLUGINS = '''
from fer_audit.lazy import keras
from fer_audit.models.model import Model


class Small(Model):
    """A small network; source: this test."""

    name = "small"
    pooled = 2

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Rescaling(1 / 255)(inputs)
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="seen")(x)
        x = keras.layers.MaxPooling2D(self.pooled)(x)
        return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))


class SmallToo(Small):
    """The same under another name; source: this test."""

    name = "small-too"


class Leaning(Small):
    """Its answers lean on the rest of the batch; source: this test."""

    name = "leaning"

    def build(self, input_shape, classes):
        network = super().build(input_shape, classes)
        logits = network.output - keras.ops.mean(network.output, axis=0, keepdims=True)
        return keras.Model(network.input, logits)


class Unfollowed(Model):
    """Its images are rounded, so that no gradient reaches them; source: this test."""

    name = "unfollowed"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.ops.cast(keras.ops.cast(inputs, "int32"), "float32")
        x = keras.layers.Conv2D(4, 3, padding="same")(keras.layers.Rescaling(1 / 255)(x))
        return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))


class Blind(Model):
    """It has no map to explain; source: this test."""

    name = "blind"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, keras.layers.Dense(classes)(x))
'''


class Study:
    """A grid whose trainings are made in this process."""

    def __init__(self, folder, *, train=True, **changes):
        self.folder = folder
        (folder / "plugins").mkdir(parents=True, exist_ok=True)
        (folder / "plugins" / "mine.py").write_text(PLUGINS)
        self.store = Store(folder / "store")
        (folder / "grid.yaml").write_text(yaml.safe_dump({**GRID, **changes}))
        self.plan = self.planned()
        self.events = []
        self.worker = Worker(self.store, Registry.load([folder / "plugins"]), self.events.append)
        if train:
            for training in self.plan.missing:
                self.worker.train(training.job.model_dump(mode="json"))
            self.results = self.collected(self.planned())

    def planned(self):
        return make_plan(read_grid(self.folder / "grid.yaml"), self.store)

    def collected(self, plan):
        return collect(plan, self.store, {}, self.folder, Console(quiet=True))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("measures"))


@pytest.fixture
def cells(study):
    return {(cell.model, cell.augmentation, bool(cell.corruption)): cell for cell in study.results.cells}


def test_everything_is_measured_once(study):
    assert [cell.status for cell in study.results.cells] == ["done"] * 8
    assert not study.planned().missing
    # Two kinds of corruption, made once for all eight utility models.
    assert len(list((study.store.root / "corrupted").iterdir())) == 2


def test_fates_of_corrupted_rows_add_up_and_end_at_the_finished_model(study, cells):
    for (_, _, corrupted), cell in cells.items():
        found = cell.memorisation
        assert (found is not None) == corrupted
        if found is None:
            continue
        assert found.corrupted_rows == round(0.4 * 63)
        assert found.memorised.value + found.recovered.value + found.neither.value == pytest.approx(1)
        assert len(found.epochs) == 3
        assert found.epochs[-1].memorised == pytest.approx(found.memorised.value)
        assert found.epochs[-1].clean_accuracy == pytest.approx(found.clean_accuracy.value)


def test_accuracy_on_corrupted_images_is_that_of_the_stored_weights(study, cells):
    cell = cells["small", "none", False]
    planned = next(one for one in study.plan.cells if one.id == cell.id)
    training = study.plan.trainings[planned.utility]
    program = study.worker._compiled(training.spec.program)
    program.load(read_weights(study.store, training.key))
    rows = np.sort(np.random.default_rng(0).permutation(35)[:20])
    images, labels = np.asarray(study.plan.data.test.images[rows]), np.asarray(study.plan.data.test.labels)[rows]
    for kind in cell.corruptions.kinds:
        for severity, found in zip((1, 5), kind.accuracy, strict=True):
            predicted = program.logits(corrupt(images, kind.kind, severity, seed=0)).argmax(axis=1)
            assert found.value == pytest.approx((predicted == labels).mean())
            assert found.low <= found.value <= found.high
    assert cell.corruptions.clean.value == pytest.approx((program.logits(images).argmax(axis=1) == labels).mean())


def test_corruption_errors_are_relative_to_the_baseline(study, cells):
    baseline = cells["small", "none", False]
    assert (baseline.corruptions.mce.value, baseline.corruptions.mce.low) == (1.0, 1.0)
    for cell in cells.values():
        found = cell.corruptions
        assert found.baseline == baseline.id
        for kind, theirs in zip(found.kinds, baseline.corruptions.kinds, strict=True):
            errors = [sum(1 - one.value for one in each.accuracy) for each in (kind, theirs)]
            assert kind.error.value == pytest.approx(errors[0] / errors[1])
        assert found.mce.value == pytest.approx(np.mean([kind.error.value for kind in found.kinds]))


def test_attacked_images_are_read_worse_and_stay_in_the_ball(cells):
    for cell in cells.values():
        found = cell.adversarial
        assert [(point.attack, point.epsilon) for point in found.points] == [
            ("fgsm", 2.0), ("fgsm", 8.0), ("pgd", 2.0), ("pgd", 8.0),
        ]  # fmt: skip
        for point in found.points:
            assert 0 < point.max_perturbation <= point.epsilon
            assert point.attack == "fgsm" or point.accuracy.value <= found.clean.value


def test_answers_do_not_depend_on_the_batch(cells):
    for cell in cells.values():
        assert cell.batch_invariance.passed
        assert cell.batch_invariance.max_difference <= cell.batch_invariance.tolerance


def test_heat_maps_are_measured_beside_random_ones(cells):
    for cell in cells.values():
        found = cell.explanation
        assert 0 <= found.empty < 14
        assert (found.layer, found.map_size, found.rows) == ("max_pooling2d", (8, 8), 14)
        assert [one.name for one in found.measures] == ["deletion", "insertion", "flip-agreement", "inside"]
        for one in found.measures:
            if one.value.value is not None:
                assert one.difference.value == pytest.approx(one.value.value - one.baseline.value)


def test_suspects_are_listed_for_a_person_to_check(study, cells):
    for (_, _, corrupted), cell in cells.items():
        found = cell.label_errors
        with (study.folder / found.file).open() as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == found.rows == 63
        suspicion = [float(line["suspicion"]) for line in lines]
        assert suspicion == sorted(suspicion, reverse=True)
        assert found.suspected == sum(value > 0 for value in suspicion)
        assert ("true" in lines[0]) == corrupted
        assert (found.average_precision is not None) == corrupted
        assert found.models == 2
        if corrupted:
            hits = np.mean([line["given"] != line["true"] for line in lines[:10]])
            assert found.precision_at["10"].value == pytest.approx(hits)
            assert found.chance == pytest.approx(round(0.4 * 63) / 63)


def test_a_curve_for_each_model_and_augmentation(study, cells):
    curves = study.results.noise_curves
    assert [(curve.model, curve.augmentation, curve.kind) for curve in curves] == [
        (model, augmentation, "symmetric(exact=True)")
        for model in ("small", "small-too")
        for augmentation in ("none", "mixup")
    ]
    for curve in curves:
        clean, noisy = (cells[curve.model, curve.augmentation, corrupted].utility for corrupted in (False, True))
        assert [point.accuracy for point in curve.points] == [clean.accuracy, noisy.accuracy]
        assert [point.balanced_accuracy for point in curve.points] == [clean.balanced_accuracy, noisy.balanced_accuracy]
        assert curve.points[1].drop.value == pytest.approx(clean.accuracy.value - noisy.accuracy.value)
        assert curve.area.value == pytest.approx((clean.accuracy.value + noisy.accuracy.value) / 2)


def test_of_chosen_cells_everything_is_shown_but_errors_relative_to_a_baseline_that_is_not_among_them(study, tmp_path):
    plan = make_plan(read_grid(study.folder / "grid.yaml"), study.store, ["small-too/*"])
    assert not plan.missing
    found = collect(plan, study.store, {}, tmp_path, Console(quiet=True))
    whole = {cell.id: cell for cell in study.results.cells}
    assert [cell.id for cell in found.cells] == [name for name in whole if name.startswith("small-too/")]
    note = "the baseline small/none/none/seed0 is not among the chosen cells"
    for cell in found.cells:
        same = whole[cell.id]
        assert (cell.status, cell.utility, cell.adversarial) == ("done", same.utility, same.adversarial)
        assert cell.corruptions.accuracy == same.corruptions.accuracy
        assert cell.corruptions.baseline == same.corruptions.baseline == "small/none/none/seed0"
        assert {one.note for one in (cell.corruptions.mce, *(kind.error for kind in cell.corruptions.kinds))} == {note}
        assert cell.corruptions.mce.value is None
    assert found.noise_curves == [curve for curve in study.results.noise_curves if curve.model == "small-too"]


def test_a_check_of_the_data_that_was_made_before_is_taken_as_it_is(study, tmp_path, monkeypatch):
    known = study.results.dataset.hygiene
    monkeypatch.setattr("fer_audit.runner.collect.check_hygiene", lambda *_: pytest.fail("checked again"))
    again = collect(study.planned(), study.store, {}, tmp_path, Console(quiet=True), known)
    assert again.model_dump_json() == study.results.model_dump_json()


def test_galleries_show_drawn_faces_and_real_ones_only_if_the_grid_says_so(study, tmp_path):
    kinds = [gallery.kind for gallery in study.results.galleries]
    assert kinds == ["heat-maps"] * 4 + ["corrupted-rows"] * 2
    heat = study.results.galleries[0]
    assert heat.columns == ["image", "none", "mixup", "mixup, augmented"]
    assert len(heat.rows) == 7
    for gallery in study.results.galleries:
        for row in gallery.rows:
            for tile in row.tiles:
                with Image.open(study.folder / tile.file) as image:
                    assert image.size == (16, 16)
    real = replace(study.plan, data=replace(study.plan.data, drawn=False))
    assert write_galleries(real, study.store, real.cells, tmp_path) == []
    allowed = replace(real, grid=real.grid.model_copy(update={"include_images": True}))
    assert write_galleries(allowed, study.store, allowed.cells, tmp_path)


def test_a_measure_that_was_lost_is_taken_again_without_training(study):
    before = study.results.model_dump_json()
    training = next(training for training in study.planned().trainings.values() if training.job.measures)
    for name in training.job.measured():
        study.store.remove(*name)
    [missing] = study.planned().missing
    assert missing.fitted
    study.worker.train(missing.job.model_dump(mode="json"))
    assert "steps" not in study.events[-1]["laps"]
    assert study.collected(study.planned()).model_dump_json() == before


def test_a_model_that_leans_on_its_batch_fails_with_the_reason_and_shows_its_accuracy(tmp_path):
    study = Study(
        tmp_path,
        models=["leaning", "blind"],
        augmentations=["none"],
        attacks={"labels": ["none"]},
        measures={
            "batch_invariance": {"rows": 16},
            "explanations": {"rows": 8, "steps": 2},
            "corruptions": {"kinds": ["jpeg"], "severities": [1]},
        },
    )
    leaning, blind = study.results.cells
    # What leans on its batch is no baseline.
    assert blind.corruptions.baseline == leaning.id
    assert (blind.corruptions.mce.value, blind.corruptions.kinds[0].error.value) == (None, None)
    assert leaning.status == "failed"
    assert "depend on what else is in its batch" in leaning.error
    assert leaning.error == leaning.batch_invariance.explanation
    assert leaning.utility is not None
    # Nothing to explain is no failure: it is said where the heat maps would be.
    assert blind.status == "done"
    assert "no" in blind.explanation.refused
    assert blind.explanation.measures == []


ALONE = {"models": ["small"], "augmentations": ["none"], "attacks": {"labels": ["none"]}}


def test_a_layer_that_the_grid_names_must_be_there_before_anything_is_trained(tmp_path):
    study = Study(tmp_path, **ALONE, measures={"explanations": {"layer": "sen"}}, train=False)
    engine, quiet = LocalEngine(study.store, study.plan.file.plugin_folders, 2), Console(quiet=True)
    with engine, pytest.raises(GridError, match=r"measures.explanations.layer: .*did you mean 'seen'"):
        run_plan(study.plan, study.store, tmp_path, engine=engine, console=quiet, command="")
    assert not (tmp_path / "store" / "trainings").exists()


def test_each_model_may_have_a_layer_of_its_own(tmp_path):
    layer = {"small": "seen"}
    measures = {"explanations": {"layer": layer, "rows": 8, "steps": 2}}
    study = Study(tmp_path, **{**ALONE, "models": ["small", "small-too"]}, measures=measures)
    assert [cell.explanation.layer for cell in study.results.cells] == ["seen", "max_pooling2d"]


def test_a_measure_that_fails_leaves_all_others(tmp_path):
    study = Study(tmp_path, **{**ALONE, "models": ["unfollowed"]}, measures={"adversarial": True, "explanations": True},
                  train=False)  # fmt: skip
    [training] = study.plan.missing
    with pytest.raises(AdversarialError, match="no gradient with respect to its images") as failure:
        study.worker.train(training.job.model_dump(mode="json"))
    failures = {training.key: str(failure.value)}
    [cell] = collect(study.planned(), study.store, failures, tmp_path, Console(quiet=True)).cells
    assert (cell.status, cell.error) == ("failed", str(failure.value))
    assert cell.utility is not None
    assert cell.adversarial is None
    assert cell.explanation is not None
