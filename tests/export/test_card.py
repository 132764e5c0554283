import re
from pathlib import Path

import pytest
import yaml

from fer_audit.export.card import model_card
from fer_audit.report.finished_run import read_finished
from fer_audit.results import (
    AdversarialPoint,
    AdversarialRobustness,
    CorruptionRobustness,
    Estimate,
    Guarantee,
)

EXAMPLE = Path(__file__).parents[2] / "reports" / "example"


@pytest.fixture(scope="module")
def finished():
    return read_finished(EXAMPLE)


def card_of(finished, cell, exported=()):
    """The card with plain spaces, as a reader sees it."""
    text = model_card(finished.results, finished.record, cell, exported)
    return text.replace("\u202f", " ").replace("\u2013", "-").replace("\\_", "_")


def told(one):
    return f"{100 * one.value:.1f} % ({100 * one.low:.1f}-{100 * one.high:.1f} %)"


def test_the_numbers_of_every_card_are_those_of_the_results(finished):
    for cell in finished.results.cells:
        card = card_of(finished, cell)
        assert f"Accuracy: {told(cell.utility.accuracy)}, 400 images" in card
        assert told(cell.utility.balanced_accuracy) in card
        for name, recall in zip(finished.results.dataset.classes, cell.utility.per_class, strict=True):
            assert f"| {name} | {told(recall)} | {recall.n} |" in card
        for attack in cell.privacy.attacks:
            auc, rate = attack.auc, attack.tpr_at_fpr["0.01"]
            line = next(line for line in card.splitlines() if line.startswith(f"| {attack.attack.name} |"))
            assert f"{auc.value:.3f} ({auc.low:.3f}-{auc.high:.3f})" in line
            assert told(rate) in line
            assert f"cap {attack.epsilon.cap:.2f}" in line
        cost = next(one for one in finished.results.costs if one.model == cell.model)
        assert f"{cost.params_total:,}" in card
        assert f"{cost.macs:,}" in card
        latency = next(one for one in finished.record.latencies if (one.model, one.batch) == (cell.model, 1))
        assert f"p50 {latency.p50_ms:.2f} ms, p95 {latency.p95_ms:.2f} ms" in card
        assert cell.utility.training in card


def test_the_front_matter_is_yaml_with_the_figures(finished):
    cell = finished.results.cells[0]
    _, head, rest = model_card(finished.results, finished.record, cell).split("---\n", 2)
    known = yaml.safe_load(head)
    assert known["pipeline_tag"] == "image-classification"
    (index,) = known["model-index"]
    metrics = {one["type"]: one["value"] for one in index["results"][0]["metrics"]}
    utility = cell.utility
    assert metrics == {"accuracy": utility.accuracy.value, "balanced_accuracy": utility.balanced_accuracy.value}
    assert rest.lstrip().startswith("# ")


def test_limits_are_told_and_what_was_not_measured_says_so(finished):
    card = card_of(finished, finished.results.cells[0])
    assert "not what a person feels" in card
    assert "drawn faces alone" in card
    assert re.search(r"Corrupted images: not measured", card)
    assert re.search(r"Adversarial images: not measured", card)
    bare = finished.results.cells[0].model_copy(update={"privacy": None})
    assert "Membership inference: not measured" in card_of(finished, bare)
    without = model_card(finished.results, None, bare)
    assert "Latency of one image: not measured" in without
    people = finished.results.model_copy(
        update={"dataset": finished.results.dataset.model_copy(update={"drawn": False})}
    )
    assert "drawn faces" not in model_card(people, finished.record, bare)


def test_robustness_and_promises_are_told_where_there_are_any(finished):
    one = Estimate(value=0.5, low=0.4, high=0.6, n=100)
    robust = CorruptionRobustness(
        severities=[1, 3], rows=100, clean=one, accuracy=one, kinds=[], mce=Estimate(value=1.25), baseline="other"
    )
    point = AdversarialPoint(attack="pgd", epsilon=4, accuracy=Estimate(value=0.125), max_perturbation=4)
    cell = finished.results.cells[0].model_copy(
        update={
            "corruptions": robust,
            "adversarial": AdversarialRobustness(rows=100, steps=10, clean=one, points=[point]),
            "guarantee": GUARANTEE,
        }
    )
    card = card_of(finished, cell)
    assert "mean corruption error 1.25 relative to cell other" in card
    assert "| PGD | 4 | 12.5 % |" in card
    assert "epsilon 8.00 at delta 1e-05" in card


GUARANTEE = Guarantee(
    epsilon=8.0,
    delta=1e-5,
    accountant="PLD, Poisson sampling",
    epsilon_pld=8.0,
    epsilon_rdp=8.5,
    epsilon_shuffled=30.0,
    noise_multiplier=1.1,
    clip_norm=1.0,
    sampling="poisson",
    sampling_rate=0.1,
    batch_size=32,
    steps=100,
    epochs=10,
    rows=512,
)
