"""Audits of answers alone, from the command line to the results."""

import numpy as np
import pandas as pd
import pytest

from fer_audit.cli.main import main
from fer_audit.results import read_results

CLASSES = ("neutral", "happiness", "anger")


def answers(path, rows, leak, seed):
    """Answers about `rows` rows, two a person, whose label gains `leak` logits."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    logits = rng.normal(size=(rows, 3))
    logits[np.arange(rows), labels] += 1.5 + leak
    columns = {"label": [CLASSES[label] for label in labels], "subject": [f"{seed}-{row // 2}" for row in range(rows)]}
    columns |= {f"logit_{name}": logits[:, place] for place, name in enumerate(CLASSES)}
    table = pd.DataFrame(columns | {"light": ["day", "lamp"] * (rows // 2)})
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)


@pytest.fixture
def lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers(tmp_path / "in.csv", 400, 1.5, 0)
    answers(tmp_path / "out.parquet", 600, 0.0, 1)
    return ["audit", "--members", "in.csv", "--nonmembers", "out.parquet", "--store", "store"]


def test_answers_are_audited_without_a_model(lists, tmp_path, capsys):
    assert main([*lists, "--name", "given"]) == 0
    told = capsys.readouterr().out
    assert "left out: " in told
    results = read_results(tmp_path / "reports" / "given" / "results.json")
    (cell,) = results.cells
    assert (cell.audited.format, cell.audited.file, cell.audited.warnings) == ("answers", "in.csv + out.parquet", [])
    names = {attack.attack.name for attack in cell.privacy.attacks}
    assert {"loss-threshold", "attack-p", "quantile", "gap"} <= names
    loss = next(one for one in cell.privacy.attacks if one.attack.name == "loss-threshold")
    held = cell.audited.calibration
    assert held.members + loss.confusion.tp + loss.confusion.fn == 400
    assert loss.auc.low > 0.6
    assert loss.unit == "row"
    assert {part.family for part in loss.slices} >= {"class", "light"}
    assert results.dataset.classes == list(CLASSES)
    assert results.dataset.population.rows == pytest.approx(200, abs=4)
    assert (tmp_path / "reports" / "given" / "report.html").exists()
    assert (tmp_path / "reports" / "given" / "records.csv").exists()


def test_labels_that_look_permuted_are_told(lists, tmp_path, capsys):
    for name in ("in.csv", "out.parquet"):
        path = tmp_path / name
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        swapped = {"logit_neutral": "logit_anger", "logit_anger": "logit_neutral"}
        table = table.rename(columns=swapped)
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    assert main([*lists, "--name", "swapped", "--attacks", "gap"]) == 0
    told = capsys.readouterr().out
    assert "labels look permuted: your class 0 is our" in told
    assert "name the columns" in told
    (cell,) = read_results(tmp_path / "reports" / "swapped" / "results.json").cells
    assert "permuted" in cell.privacy.invalid


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scaling", "-1..1"], "--scaling is about a model"),
        (["--trust"], "--trust is about a model"),
        (["--include-images"], "--include-images is about a model"),
        (["--queries", "up"], "--queries is about a model"),
        (["--population", "in.csv"], "in.csv is given for two sides"),
        (["--calibration", "2"], "--calibration must lie between 0 and 1"),
        (["--attacks", "rmia"], "reference"),
        (["--population", "other.csv"], "other.csv"),
    ],
)
def test_what_does_not_fit_is_a_sentence(lists, tmp_path, capsys, options, said):
    assert main([*lists, *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "reports").exists()
