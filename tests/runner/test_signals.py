import numpy as np

from fer_audit.attacks import Signals, create
from fer_audit.runner.exposed import pseudonym
from fer_audit.runner.signals import SignalsAudit, row_columns


def signals(rows=40, models=4):
    rng = np.random.default_rng(0)
    half = np.arange(rows) % 2 == 0
    keep = np.array([half, ~half, np.arange(rows) < rows // 2, np.arange(rows) >= rows // 2])
    labels = rng.integers(0, 3, rows)
    logits = rng.normal(0, 1, (models, rows, 1, 3)).astype(np.float32)
    logits[:, np.arange(rows), 0, labels] += 2 * keep
    return Signals(logits, keep, labels)


def test_answers_alone_have_bands_and_exposed_rows():
    audit = SignalsAudit("known", signals(), [0, 1, 2, 3])
    found = [audit.run(create("loss-threshold"))]
    privacy = audit.results(found, "digest", records=False).cells[0].privacy
    (attack,), (exposed,) = privacy.attacks, privacy.exposed
    assert len(attack.roc.fpr) == len(attack.roc.low) == len(attack.roc.high)
    assert exposed.attack == attack.attack
    assert len(exposed.records) == 10
    best = int(np.argmax(found[0].records.exposure))
    assert exposed.records[0].exposure == found[0].records.exposure[best]
    names = {pseudonym("digest", "row", row) for row in range(40)}
    assert {record.id for record in exposed.records} <= names
    assert not any(record.corrupted for record in exposed.records)


def test_groups_never_take_the_name_of_a_column():
    families = {name: ["a"] * 40 for name in ("id", "row", "age")}
    audit = SignalsAudit("known", signals(), [0], families=families)
    assert list(row_columns(audit)) == ["label", "slice id", "slice row", "age"]
