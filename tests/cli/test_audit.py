"""Audits of models that were trained elsewhere, from the command line to the results."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from fer_audit.cli.main import main
from fer_audit.data.synthface import Synthface
from fer_audit.results import read_results

SIZE = 16
ORDER = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


def write_list(folder, name, rows, classes, chosen):
    """A csv of drawn faces, and their pictures beside it."""
    (folder / name).mkdir()
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", "subject", "side"])
        for row in chosen:
            path = f"{name}/{row}.png"
            Image.fromarray(rows.images[row]).save(folder / path)
            side = "left" if row % 2 else "right"
            writer.writerow([path, classes[rows.labels[row]], rows.subjects[row], side])


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Lists of people that a model was trained on, of others, and of a population."""
    folder = tmp_path_factory.mktemp("faces")
    data = Synthface(rows=700, test_rows=70, population_rows=0, seed=3).load(SIZE, folder)
    pool = data.pool
    people = np.unique(pool.subjects)
    half, third = len(people) // 2, 4 * len(people) // 5
    sides = {"members": people[:half], "others": people[half:third], "population": people[third:]}
    for name, side in sides.items():
        write_list(folder, name, pool, data.classes, np.flatnonzero(np.isin(pool.subjects, side)))
    return folder, data, np.flatnonzero(np.isin(pool.subjects, sides["members"]))


def network(scaling):
    import keras

    images = keras.Input((SIZE, SIZE, 3))
    values = keras.layers.Rescaling(1 / 255)(images) if scaling else images
    hidden = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(values))
    return keras.Model(images, keras.layers.Dense(7)(hidden))


@pytest.fixture(scope="module")
def leaky(faces):
    """A `.keras` file that has learnt its members by heart; its outputs are in another order than ours."""
    import keras

    folder, data, members = faces
    keras.utils.set_random_seed(0)
    model = network(scaling=False)
    place = np.array([ORDER.index(name) for name in data.classes])
    images = data.pool.images[members] / np.float32(127.5) - 1
    labels = place[data.pool.labels[members]]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(images, labels, epochs=25, batch_size=70, verbose=0)
    model.save(folder / "half.keras")
    model.fit(images, labels, epochs=25, batch_size=70, verbose=0)
    model.save(folder / "leaky.keras")
    return folder / "leaky.keras"


DECLARED = ["--scaling", "-1..1", "--classes", ",".join(ORDER)]


def run(folder, *options):
    lists = ["--members", folder / "members.csv", "--nonmembers", folder / "others.csv"]
    return main(["audit", *map(str, lists), *map(str, options)])


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Where the command is run, and its store and reports are."""
    monkeypatch.chdir(tmp_path)
    return ["--store", "store", "--reports", "reports"]


def test_a_model_is_audited_as_it_is(faces, leaky, places, tmp_path, capsys):
    folder, _, members = faces
    options = ["--model", leaky, "--population", folder / "population.csv", *DECLARED, "--measures", "corruptions"]
    assert run(folder, *options, *places, "--name", "mine") == 0
    told = capsys.readouterr().out
    assert "report: reports/mine/report.html" in told
    results = read_results(tmp_path / "reports" / "mine" / "results.json")
    (cell,) = results.cells
    assert cell.status == "done"
    assert (cell.audited.format, cell.audited.outputs, cell.audited.warnings) == ("keras", "logits", [])
    names = {attack.attack.name for attack in cell.privacy.attacks}
    assert names >= {"loss-threshold", "entropy", "modified-entropy", "confidence", "gap", "attack-p", "quantile"}
    assert "label-only" in names
    assert not names & {"rmia", "lira-online", "shadow-mia"}
    loss = next(one for one in cell.privacy.attacks if one.attack.name == "loss-threshold")
    assert loss.auc.low > 0.6
    held = cell.audited.calibration
    assert held.members + loss.confusion.tp + loss.confusion.fn == len(members)
    assert 0.15 < held.members / len(members) < 0.35
    assert cell.utility.train_accuracy > 0.9
    assert {part.family for part in loss.slices} >= {"class", "side"}
    assert cell.corruptions.rows == results.dataset.test.rows
    assert results.costs[0].params_total == SIZE * SIZE * 3 * 128 + 128 + 128 * 7 + 7
    assert {check.one for check in results.dataset.hygiene.blind} == {"members", "non-members"}


def test_what_was_asked_is_a_grid_that_does_the_same_again(faces, leaky, places, tmp_path):
    folder, _, _ = faces
    assert run(folder, "--model", leaky, *DECLARED, *places, "--attacks", "loss-threshold,gap", "--seed", "5") == 0
    first = (tmp_path / "reports" / "leaky" / "results.json").read_bytes()
    grid = yaml.safe_load((tmp_path / "reports" / "leaky" / "audit.yaml").read_text())
    assert not Path(grid["audit"]["models"][0]["file"]).is_absolute()
    assert main(["run", "reports/leaky/audit.yaml", *places]) == 0
    assert (tmp_path / "reports" / "leaky" / "results.json").read_bytes() == first


def test_a_wrong_order_of_classes_is_called_out(faces, leaky, places, tmp_path, capsys):
    folder, _, _ = faces
    options = ["--scaling", "-1..1", *places, "--attacks", "loss-threshold"]
    assert run(folder, "--model", leaky, *options) == 0
    told = capsys.readouterr().out
    assert "labels look permuted" in told
    assert ",".join(ORDER) in told.replace("\n", "")
    (cell,) = read_results(tmp_path / "reports" / "leaky" / "results.json").cells
    assert "permuted" in cell.privacy.invalid
    assert cell.privacy.invalid in cell.audited.warnings


def test_another_scaling_that_fits_is_named_with_the_order_of_classes(faces, leaky, places, capsys):
    folder, _, _ = faces
    wrong = ["--scaling", "mean=9,9,9 std=.5,.5,.5", "--colour", "bgr"]
    assert run(folder, "--model", leaky, *wrong, "--attacks", "gap", "--measures", "", *places) == 0
    told = capsys.readouterr().out.replace("\n", " ")
    assert "near chance" in told
    assert f"with scaling -1..1, colour rgb, classes {','.join(ORDER)} accuracy would be" in told


def test_checkpoints_are_cells_with_their_epochs(faces, leaky, places, tmp_path):
    folder, _, _ = faces
    options = ["--model", folder / "half.keras", "--model", leaky, "--epochs", "25,50", "--attacks", "loss-threshold"]
    assert run(folder, *options, *DECLARED, *places, "--name", "both") == 0
    results = read_results(tmp_path / "reports" / "both" / "results.json")
    assert [cell.audited.checkpoint for cell in results.cells] == [25, 50]
    aucs = [cell.privacy.attacks[0].auc.value for cell in results.cells]
    assert aucs[1] > aucs[0]


def test_references_of_a_folder_set_the_thresholds(faces, leaky, places, tmp_path):
    """Four networks like the audited one on known halves; attacks that need references can then be run."""
    import keras

    folder, _, members = faces
    texts = [(folder / f"{name}.csv").read_text().splitlines() for name in ("members", "others")]
    lists = [row for text in texts for row in csv.DictReader(text)]
    images = np.stack([np.asarray(Image.open(folder / row["image"])) for row in lists]) / np.float32(127.5) - 1
    labels = np.array([ORDER.index(row["label"]) for row in lists])
    people = np.array([row["subject"] for row in lists])
    rng, target = np.random.default_rng(0), tmp_path / "references"
    target.mkdir()
    keep = []
    for pair in range(2):
        inside = np.isin(people, rng.permutation(np.unique(people))[: len(np.unique(people)) // 2])
        for number, rows in enumerate((inside, ~inside)):
            model = network(scaling=False)
            model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            model.fit(images[rows], labels[rows], epochs=8, batch_size=50, verbose=0)
            model.save(target / f"{2 * pair + number}.keras")
            keep.append(rows)
    with (target / "references.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *(f"{number}.keras" for number in range(4))])
        writer.writerows([row["image"], *map(int, column)] for row, column in zip(lists, np.array(keep).T, strict=True))
    # All non-members, so that every row has a line.
    options = ["--model", leaky, "--population", folder / "population.csv", "--references", target, *DECLARED, *places]
    assert run(folder, *options, "--attacks", "loss-threshold,rmia,attack-r") == 0
    (cell,) = read_results(tmp_path / "reports" / "leaky" / "results.json").cells
    assert (cell.privacy.references, cell.audited.calibration) == (4, None)
    assert "references" in cell.audited.references
    assert {one.attack.name for one in cell.privacy.attacks} == {"loss-threshold", "rmia", "attack-r"}
    assert all(one.confusion.tp + one.confusion.fn == len(members) for one in cell.privacy.attacks)


def test_a_recipe_trains_references(faces, leaky, places, tmp_path):
    folder, _, members = faces
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: synthface\nmodels: [mini-xception]\nattacks: {membership: [rmia]}\n"
        "training: {image_size: 16, epochs: 1, batch_size: 64}\nprivacy: {references: 4}\n"
    )
    options = [
        "--model",
        leaky,
        "--recipe",
        recipe,
        *DECLARED,
        *places,
        "--attacks",
        "attack-r",
        "--queries",
        "identity",
    ]
    assert run(folder, *options, "--workers", "2") == 0
    (cell,) = read_results(tmp_path / "reports" / "leaky" / "results.json").cells
    assert cell.privacy.references == 4
    assert "mini-xception" in cell.audited.references
    assert cell.privacy.attacks[0].confusion.tp + cell.privacy.attacks[0].confusion.fn == len(members)
    trainings = list((tmp_path / "store" / "trainings").iterdir())
    assert len(trainings) == 4  # and none on all rows


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "missing.onnx"], "missing.onnx"),
        (["--model", "{leaky}", "--attacks", "rmia"], "reference"),
        (["--model", "{leaky}", "--epochs", "3,4"], "--epochs must be a whole number for each of the 1 models"),
        (["--model", "{leaky}", "--classes", "happiness,fear"], "classes"),
        (["--model", "{leaky}", "--size", "24"], "24"),
        (["--model", "{leaky}", "--measures", "everything"], "--measures: unknown measure 'everything'"),
        (["--model", "{leaky}", "--bundle", "out.txt"], "expected a file that ends in .zip"),
        (["--model", "a:b.keras"], "no file 'a:b.keras'"),
        (["--model", "{leaky}", "--queries", "upside-down"], "upside-down"),
        (["--model", "{leaky}", "--scaling", "mean=.5 std=.5,.5,.5"], "mean"),
        (["--model", "{leaky}", "--bundle", "nowhere/out.zip"], "nowhere"),
        (["--model", "{leaky}", "--name", "../up"], "--name"),
        (["--model", "{leaky}", "--references", "a", "--recipe", "b"], "either --references or --recipe"),
    ],
)
def test_what_cannot_be_audited_is_said_in_a_sentence(faces, leaky, places, tmp_path, capsys, options, said):
    folder, _, _ = faces
    given = [option.format(leaky=leaky) for option in options]
    assert run(folder, *given, *places) == 2
    error = capsys.readouterr().err
    assert error.startswith("fer-audit: ")
    assert error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "reports" / "leaky" / "results.json").exists()


def test_results_of_a_grid_are_not_overwritten(faces, leaky, places, tmp_path, capsys):
    folder, _, _ = faces
    report = tmp_path / "reports" / "leaky"
    report.mkdir(parents=True)
    (report / "results.json").write_text(json.dumps({"cells": [{"audited": None}]}))
    assert run(folder, "--model", leaky, *places) == 2
    assert "holds the results of a grid" in capsys.readouterr().err
