import io
import subprocess
import sys

import pandas as pd
import pytest

import fer_audit
from fer_audit.errors import ResultsError
from fer_audit.report.frame import IDENTITY
from fer_audit.report.frames import FRAMES, LoadedResults
from fer_audit.report.tidy import tidy_csv
from fer_audit.results import (
    Estimate,
    Exposed,
    ExposedRecord,
    PairedDifference,
    PluginRecord,
    read_results,
    write_results,
)

OF_CELLS = [name for name in FRAMES if name not in ("noise", "costs", "layers", "latencies")]


@pytest.fixture(scope="module")
def full(results, private, followed):
    """The results with what the fixture lacks: a band, exposed records, paired differences, a failed cell, defences."""
    first, second, *others = results.cells
    attack, *rest = first.privacy.attacks
    roc = attack.roc.model_copy(update={"low": [0.5 * y for y in attack.roc.tpr], "high": attack.roc.tpr})
    record = ExposedRecord(
        id="r-7",
        label=2,
        corrupted=True,
        member_targets=3,
        true_positives=2,
        exposure=0.93,
        exposure_sd=None,
        nonmember_exposure=0.5,
    )
    privacy = first.privacy.model_copy(
        update={
            "attacks": [attack.model_copy(update={"roc": roc}), *rest],
            "exposed": [Exposed(attack=attack.attack, unit="row", records=[record, record])],
        }
    )
    pairs = [
        PairedDifference(
            metric="auc",
            attack=PluginRecord(name="rmia", params={"gamma": 2}),
            cell=cell,
            baseline=second.id,
            difference=Estimate(value=0.1, low=0.05, high=0.2, n=9),
        )
        for cell in (first.id, "a cell that is gone")
    ]
    gone = dict.fromkeys(("utility", "privacy", "memorisation", "label_errors", "corruptions", "explanation"))
    failed = second.model_copy(update=gone | {"adversarial": None, "status": "failed", "error": "first\nsecond"})
    cells = [first.model_copy(update={"privacy": privacy}), failed, *others]
    cells += [cell for cell in private.cells if cell.defence != "none"]
    cells += [cell.model_copy(update={"model": "ghostface"}) for cell in followed.cells]
    return results.model_copy(update={"cells": cells, "comparisons": pairs, "matched": private.matched})


@pytest.fixture(scope="module")
def loaded(full):
    return LoadedResults(full)


def same(column, values):
    """Whether a column holds exactly these values, None being what is missing."""
    return [None if pd.isna(value) else value for value in column] == list(values)


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, fer_audit; fer_audit.load_results; "
        "sys.exit(str({'pandas', 'plotly', 'pydantic', 'numpy'} & set(sys.modules)).replace('set()', '') or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_folder_and_its_results_file_are_read_alike(few, make_folder):
    folder = make_folder(few)
    for path in (folder, str(folder), folder / "results.json"):
        loaded = fer_audit.load_results(path)
        assert loaded.results == few
        assert loaded.run.workers == 2
    (folder / "run.json").unlink()
    assert fer_audit.load_results(folder).run is None


@pytest.mark.parametrize(
    ("name", "content"), [("absent", None), ("run.txt", b"x"), ("results.json", b"\xff\xfe"), ("results.json", b"{}")]
)
def test_what_is_no_results_is_one_sentence(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ResultsError) as raised:
        fer_audit.load_results(tmp_path / name)
    assert str(raised.value).count("\n") == 0
    assert str(tmp_path / name) in str(raised.value)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_have_typed_columns_and_the_cell_in_front(loaded, name):
    found = getattr(loaded, name)
    assert found.columns.is_unique
    assert {str(kind) for kind in found.dtypes} <= {"float64", "Int64", "boolean", "str"}
    assert found is getattr(loaded, name)
    if name in OF_CELLS:
        assert tuple(found.columns[: len(IDENTITY)]) == IDENTITY
    if name != "latencies":
        assert len(found)


@pytest.mark.parametrize("name", FRAMES)
def test_empty_results_give_the_same_columns(loaded, name):
    nothing = {"cells": [], "costs": [], "noise_curves": [], "comparisons": [], "matched": []}
    empty = getattr(LoadedResults(loaded.results.model_copy(update=nothing)), name)
    assert len(empty) == 0
    assert empty.dtypes.equals(getattr(loaded, name).dtypes)


def test_attacks_are_results_csv(full, loaded):
    read = pd.read_csv(io.StringIO(tidy_csv(full)), dtype=dict(loaded.attacks.dtypes))
    for name in ("error", "augmentation", "label_attack"):
        read[name] = read[name].fillna("")  # CSV knows no empty text
    pd.testing.assert_frame_equal(loaded.attacks, read)


def test_every_cell_has_one_row_with_its_costs(full, loaded):
    assert list(loaded.cells["cell"]) == [cell.id for cell in full.cells]
    macs = {cost.model: cost.macs for cost in full.costs}
    assert same(loaded.cells["macs"], [macs[cell.model] for cell in full.cells])
    accuracies = [cell.utility.accuracy.value if cell.utility else None for cell in full.cells]
    assert same(loaded.cells["accuracy"], accuracies)
    assert loaded.cells["error"][1] == "first"
    assert "attack" not in loaded.cells.columns


def test_confusion_loses_no_image(full, loaded):
    sums = loaded.confusion.groupby("cell")["rows"].sum()
    assert dict(sums) == {cell.id: sum(map(sum, cell.utility.confusion)) for cell in full.cells if cell.utility}
    names, cell = full.dataset.classes, full.cells[0]
    mine = loaded.confusion[loaded.confusion["cell"] == cell.id]
    square = mine.pivot_table(index="true", columns="predicted", values="rows", sort=False).loc[names, names]
    assert square.to_numpy().astype(int).tolist() == cell.utility.confusion


def test_classes_agree_with_the_confusion(full, loaded):
    right = loaded.confusion[loaded.confusion["true"] == loaded.confusion["predicted"]]["rows"]
    assert same(loaded.classes["class"], full.dataset.classes * (len(full.cells) - 1))
    assert same(loaded.classes["recall_low"], [r.low for c in full.cells if c.utility for r in c.utility.per_class])
    assert (loaded.classes["recall"] * loaded.classes["rows"] - right.to_numpy()).abs().max() < 1


def test_counts_of_targets_add_up_to_those_of_the_cells(full, loaded):
    assert len(loaded.targets) == sum(len(a.targets) for c in full.cells if c.privacy for a in c.privacy.attacks)
    expected = [t.confusion.tp for c in full.cells if c.privacy for a in c.privacy.attacks for t in a.targets]
    assert same(loaded.targets["tp"], expected)
    assert set(loaded.targets["target"]) == {0, 1, 2, 3}


def test_epochs_are_numbered_from_one(full, loaded):
    cell = full.cells[3]
    mine = loaded.history[loaded.history["cell"] == cell.id]
    assert same(mine["epoch"], range(1, 13))
    assert same(mine["test_loss"], [epoch.test_loss for epoch in cell.utility.history])
    followed = loaded.memorisation_epochs[loaded.memorisation_epochs["cell"] == cell.id]
    assert same(followed["neither"], [epoch.neither for epoch in cell.memorisation.epochs])


def test_roc_points_have_their_band_where_there_is_one(full, loaded):
    curve, other = (attack.roc for attack in full.cells[0].privacy.attacks[:2])
    assert same(loaded.roc["tpr"][: len(curve.fpr)], curve.tpr)
    assert same(loaded.roc["tpr_low"][: len(curve.fpr)], curve.low)
    assert loaded.roc["tpr_low"][len(curve.fpr) : len(curve.fpr) + len(other.fpr)].isna().all()
    assert len(loaded.roc) == sum(len(a.roc.fpr) for c in full.cells if c.privacy for a in c.privacy.attacks)


def test_thresholds_that_the_references_cannot_set_are_missing(full, loaded):
    wide = loaded.transferred.set_index(["cell", "attack", "wanted_fpr"]).sort_index()
    done = full.cells[0].privacy.attacks[0].transferred["0.01"]
    row = wide.loc[(full.cells[0].id, "shadow-mia", 0.01)]
    assert (row["fp"], row["tpr_high"]) == (done.confusion.fp, done.tpr.high)
    assert wide.xs(0.001, level="wanted_fpr")[["tp", "fpr", "tpr_low"]].isna().all(axis=None)


def test_slices_are_named_by_class(full, loaded):
    attack = full.cells[0].privacy.attacks[0]
    mine = loaded.slices[(loaded.slices["cell"] == full.cells[0].id) & (loaded.slices["attack"] == "shadow-mia")]
    assert same(mine["group"], full.dataset.classes)
    assert same(mine["difference_low"], [one.difference.low for one in attack.slices])
    assert same(mine["p_adjusted"], [one.p_adjusted for one in attack.slices])


def test_exposed_records_are_ranked(full, loaded):
    assert same(loaded.exposed["rank"], [1, 2])
    first = loaded.exposed.iloc[0]
    assert (first["record"], first["label"], first["corrupted"], first["exposure"]) == ("r-7", "sadness", True, 0.93)
    assert pd.isna(first["exposure_sd"])


def test_comparisons_know_the_cell_also_where_it_is_gone(full, loaded):
    there, gone = loaded.comparisons.itertuples(index=False)
    assert (there.model, there.baseline) == (full.cells[0].model, full.cells[1].id)
    assert (there.attack_params, there.difference, there.difference_high, there.rows) == ('{"gamma": 2}', 0.1, 0.2, 9)
    assert gone.cell == "a cell that is gone"
    assert pd.isna(gone.model)


def test_guarantees_are_a_row_a_kind_of_training(full, loaded):
    cells = [cell for cell in full.cells if cell.guarantee]
    mine = loaded.guarantees[loaded.guarantees["cell"] == cells[0].id]
    assert list(mine["training"]) == ["utility model", "training with canaries", "trainings on halves"]
    assert len(loaded.guarantees) == 3 * len(cells)
    found = [cells[0].guarantee, cells[0].canaries.guarantee, cells[0].many_runs.guarantee]
    for name in ("epsilon", "delta", "epsilon_rdp", "epsilon_shuffled", "noise_multiplier", "steps", "rows"):
        assert same(mine[name], [getattr(one, name) for one in found])
    assert same(mine["group_images"], [14, 14, 14])
    assert same(mine["group_epsilon"], [one.group.epsilon for one in found])


def test_audits_are_a_row_a_bound(full, loaded):
    cell = next(cell for cell in full.cells if cell.guarantee)
    mine = loaded.audits[loaded.audits["cell"] == cell.id]
    assert list(mine["audit"]) == ["one run", "many runs"]
    assert same(mine["attack"], [None, "loss-threshold"])
    assert same(mine["lower_bound"], [cell.canaries.lower_bound, cell.many_runs.lower_bound])
    assert same(mine["promised"], [cell.canaries.promised, cell.many_runs.promised])
    assert same(mine["decisions"], [None, 80])
    assert not loaded.audits["refuted"].any()


def test_canaries_have_their_counts(full, loaded):
    cell = next(cell for cell in full.cells if cell.canaries)
    row = loaded.canaries.set_index("cell").loc[cell.id]
    assert (row["count"], row["included"], row["guesses"]) == (256, 131, 40)
    assert (row["auc_low"], row["kind"]) == (cell.canaries.auc.low, "mislabelled")


def test_matched_comparisons_name_the_private_cells(full, loaded):
    first = full.matched[0]
    row = loaded.matched.iloc[0]
    assert (row["below"], row["above"], row["attack"]) == (first.below, first.above, first.attack.name)
    assert (row["reference"], row["difference_low"]) == (first.reference, first.difference.low)
    assert len(loaded.matched) == len(full.matched)


def test_a_defence_is_a_column_of_every_frame_of_cells(full, loaded):
    for name in OF_CELLS:
        frame = getattr(loaded, name)
        known = {cell.id: cell.defence for cell in full.cells}
        there = frame[frame["cell"].isin(known)]
        assert same(there["defence"], [known[cell] for cell in there["cell"]])


def test_noise_is_a_row_a_point(full, loaded):
    points = [point for curve in full.noise_curves for point in curve.points]
    assert same(loaded.noise["rate"], [point.rate for point in points])
    assert same(loaded.noise["balanced_drop_low"], [point.balanced_drop.low for point in points])


def test_corruptions_are_a_row_a_kind_and_severity(full, loaded):
    done = full.cells[0].corruptions
    mine = loaded.corruptions[loaded.corruptions["cell"] == full.cells[0].id]
    assert same(mine["accuracy"], [one.value for kind in done.kinds for one in kind.accuracy])
    assert same(mine["severity"], [1, 2, 3, 4, 5] * len(done.kinds))
    assert mine.groupby("kind")["error"].nunique().eq(1).all()
    assert mine["accuracy"].mean() == pytest.approx(done.accuracy.value, abs=0.05)


def test_adversarial_points_stand_beside_clean_accuracy(full, loaded):
    done = full.cells[0].adversarial
    mine = loaded.adversarial[loaded.adversarial["cell"] == full.cells[0].id]
    assert [tuple(row) for row in mine[["attack", "epsilon", "accuracy"]].itertuples(index=False)] == [
        (point.attack, point.epsilon, point.accuracy.value) for point in done.points
    ]
    assert (mine["clean_high"] == done.clean.high).all()


def test_label_errors_have_the_precision_at_every_level(full, loaded):
    found = full.cells[3].label_errors
    row = loaded.label_errors.set_index("cell").loc[full.cells[3].id]
    assert (row["suspected"], row["average_precision_low"]) == (found.suspected, found.average_precision.low)
    assert {level: row[f"precision_at_{level}"] for level in found.precision_at} == {
        level: estimate.value for level, estimate in found.precision_at.items()
    }


def test_explanations_leave_out_refused_heat_maps(full, loaded):
    there = [cell for cell in full.cells if cell.explanation]
    assert len(loaded.explanations) == sum(len(cell.explanation.measures) for cell in there)
    assert full.cells[2].id not in set(loaded.explanations["cell"])
    measure = there[0].explanation.measures[0]
    assert (loaded.explanations["random"][0], loaded.explanations["better"][0]) == (measure.baseline.value, "lower")


def test_layers_add_up_to_their_model(full, loaded):
    sums = loaded.layers.groupby("model")[["macs", "params_total"]].sum()
    cost = next(one for one in full.costs if one.layers)
    assert tuple(sums.loc[cost.model]) == (cost.macs, cost.params_total)
    assert same(loaded.layers["output_shape"], ["24x24x8", "7"])
    assert same(loaded.costs["keras_file_bytes"], [one.keras_file_bytes for one in full.costs])


def test_latencies_come_from_the_run(few, make_folder):
    loaded = fer_audit.load_results(make_folder(few))
    assert same(loaded.latencies["p50_ms"], [one.p50_ms for one in loaded.run.latencies])
    assert same(loaded.latencies["images_per_s"], [118.0, 520.0, None])


def test_frames_of_a_written_file_are_those_of_the_results(full, loaded, tmp_path):
    write_results(full, tmp_path / "results.json")
    again = LoadedResults(read_results(tmp_path / "results.json"))
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(loaded, name))


def test_answers_alone_make_frames(audited):
    loaded = LoadedResults(audited)
    assert len(loaded.attacks) == 3
    assert len(loaded.confusion) == len(loaded.costs) == 0


def test_what_is_there_is_named(few):
    loaded = LoadedResults(few.model_copy(update={"grid": "<b>x</b>"}))
    assert "4 cells (4 done), 3 attacks" in repr(loaded)
    page = loaded._repr_html_()
    assert "&lt;b&gt;x" in page
    assert "<b>" not in page
    assert all(name in page and name in repr(loaded) for name in FRAMES)
