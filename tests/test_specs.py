"""Keys: worked out once, and the same as ever."""

import copy

import pytest

from fer_audit.plugins import content_key
from fer_audit.specs import (
    TRAINING_SCHEMA,
    MeasureSpec,
    PluginIdentity,
    PrivateStep,
    PrivateTraining,
    ProgramSpec,
    TrainingJob,
    TrainingSpec,
)

#: Of stored specs; a key that changes trains everything anew in every store that there is.
KEYS = {
    "program": "cc7e342d5c40dfc5e86bf0c5f860ebdf4004d3c29c38a967f3a153e3962a29e1",
    "training": "6b49e2abc6324a034747d1d30aa410ede0271b972b7d617449be89b9f1126e9a",
    "private": "2ad679663ee6bf474475714517449e2f679be92b9430b5ef152a3c2a8c17527f",
    "trace": "641a28823cf77ce9f0bef60bcc86a79139fd817e5ad74fd5dc2157a3e167379d",
    "predictions": "176a9791be8bf65a99e6c692bfac4f7b572093cb071c23340e142bec925e26ec",
    "identity": "31988e4539a03659dc99a16cbba532bca2c9966ced83cfc1ae0e15b05413055b",
    "flip": "d3e95126d5d18e579efb54622ec16a1c928be6f290da519740706432e5ff68e9",
    "measure": "49b83c4a39154085c514b9baa619baff323860bae12e417debfe9d3bcf34d048",
    "corrupted": "01b5ef10a80a54f2f6b428193edbae5add9622bf6fbe95262f65dcec2eb3aef7",
}


@pytest.fixture
def spec() -> TrainingSpec:
    program = ProgramSpec(
        model=PluginIdentity(kind="model", name="net", params={"width": 4, "ä": [1, 0.5, None]}, source="s"),
        input_shape=(16, 16, 3),
        classes=7,
        batch_size=8,
        optimizer="adamw",
        weight_decay=1e-4,
        momentum=0.0,
    )
    return TrainingSpec(
        program=program,
        augmentations=(PluginIdentity(kind="augmentation", name="mixup", params={"alpha": 0.2}, source="t"),),
        epochs=2,
        learning_rate=0.001,
        schedule="cosine",
        seed=3,
        pixels="p",
        labels="l",
        test_pixels="q",
        test_labels=None,
        versions={"numpy": "1", "keras": "3"},
        rows="r",
        data="d",
    )


@pytest.fixture
def private(spec: TrainingSpec) -> TrainingSpec:
    step = PrivateStep(physical_batch=8, clipping="ghost")
    defence = PrivateTraining(clip_norm=1.0, noise_multiplier=1.5, sampling="poisson", nominal_rows=60, source="m")
    program = spec.program.model_copy(update={"private": step})
    return spec.model_copy(update={"program": program, "defence": defence})


def test_no_key_of_what_was_ever_stored_has_changed(spec: TrainingSpec, private: TrainingSpec) -> None:
    measure = MeasureSpec(kind="corruption", params={"severities": [1]}, source="x")
    wanted = {"queries": ("identity", "flip"), "traces": ("l",), "follow_pool": True, "measures": (measure,)}
    job = TrainingJob(training=spec, pool="o", population="u", **wanted)
    kinds = ("training", "trace", "predictions", "identity", "flip", "measure")
    found = {"program": spec.program.key, "private": private.key, "corrupted": job.corrupted()[0][1]}
    found |= {kind: key for kind, (_, key) in zip(kinds, job.artefacts(), strict=True)}
    assert found == KEYS


def test_a_key_is_that_of_the_content_whatever_was_asked_before(spec: TrainingSpec) -> None:
    key, program = spec.key, spec.program.key
    other = spec.model_copy(update={"seed": 4})
    assert other.key == content_key([TRAINING_SCHEMA, other.content()]) != key
    assert other.model_copy(update={"seed": 3}).key == spec.model_copy(deep=True).key == copy.copy(spec).key == key
    wider = spec.program.model_copy(update={"classes": 8})
    assert wider.key == content_key(wider.model_dump(mode="json")) != program


def test_a_key_that_is_known_is_no_part_of_a_spec(spec: TrainingSpec) -> None:
    fresh = TrainingSpec.model_validate(spec.model_dump())
    written = spec.model_dump_json()
    assert spec.key == fresh.model_copy().key
    assert spec == TrainingSpec.model_validate_json(written)
    assert spec.model_dump_json() == written
    assert fresh.content() == spec.content()


def test_a_key_is_worked_out_once(spec: TrainingSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spec.key
    monkeypatch.setattr("fer_audit.specs.content_key", lambda _: pytest.fail("worked out again"))
    assert spec.key is first
