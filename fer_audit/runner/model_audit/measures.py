"""What is measured on an audited model beside its accuracy and leakage."""

from __future__ import annotations

from importlib import metadata

from fer_audit.grid import Grid
from fer_audit.measure_specs import measure_specs
from fer_audit.runner.measured import Measured
from fer_audit.runner.model_audit.subjects import Audited
from fer_audit.store import Store, array_digest
from fer_audit.training.measures import Instruments, Trained, measured

#: Packages whose version can change a corrupted image.
_NUMERICS = ("numpy", "opencv-python", "pillow", "scikit-image")

#: Rows of a batch that a model is asked with where the batch matters.
_BATCH = 32

#: Measures that differentiate through the network.
_NEEDS_KERAS = ("adversarial", "explanation")


def measure(audited: Audited, grid: Grid, store: Store) -> tuple[list[Measured], list[str]]:
    """What the grid wants measured on the test split, and which of it this file can't give."""
    data = audited.rows.data
    trained = Trained(
        program=audited.model,
        instruments=Instruments(audited.model),
        faces=data,
        augmentations=(),
        batch_size=_BATCH,
        test_pixels=array_digest(data.test.image_digests()),
        versions={name: metadata.version(name) for name in _NUMERICS},
        data=audited.rows.address,
        store=store,
    )
    found, left_out = list[Measured](), []
    for spec in measure_specs(grid.measures, data, audited.label):
        if spec.kind in _NEEDS_KERAS and audited.model.network is None:
            reason = f"{spec.kind} needs gradients, which a file of format {audited.opened.format} does not give"
            found += [(spec, {}, {"refused": reason})] if spec.kind == "explanation" else []
            left_out.append(f"{audited.label}: {reason}")
            continue
        one = measured(trained, spec)
        found.append((spec, one.arrays, one.facts))
    return found, left_out
