"""A training that is never made, for tests of what is around it."""

from fer_audit.specs import PluginIdentity, ProgramSpec, Training, TrainingJob, TrainingSpec


def training(program="a", number=0, rows=100, data=""):
    spec = TrainingSpec(
        program=ProgramSpec(
            model=PluginIdentity(kind="model", name=program, params={}, source=""),
            input_shape=(8, 8, 3),
            classes=2,
            batch_size=8,
            optimizer="sgd",
            weight_decay=0,
            momentum=0,
        ),
        augmentations=(),
        epochs=2,
        learning_rate=0.1,
        schedule="constant",
        seed=number,
        pixels="",
        labels="",
        test_pixels="",
        test_labels=None,
        versions={},
        rows="",
        data=data,
    )
    job = TrainingJob(training=spec, queries=("identity",), pool="", population="")
    return Training(job, spec.key, f"{program} {number}", rows, asked=200)
