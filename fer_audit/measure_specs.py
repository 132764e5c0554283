"""What the measures of a grid ask of each utility model."""

from __future__ import annotations

import numpy as np

from fer_audit.data.dataset import FaceData
from fer_audit.measures_section import Measures
from fer_audit.plugins import content_key
from fer_audit.sources import module_digest, package_digest
from fer_audit.specs import ASKED_PER_TRAINED, MeasureSpec
from fer_audit.store import array_digest


def measure_specs(measures: Measures, data: FaceData, model: str) -> tuple[MeasureSpec, ...]:
    """What a worker is asked to measure on the weights of every utility model of `model`, a label of the grid."""
    specs = []
    how = module_digest("fer_audit.training.measures")
    robustness, explain = (
        content_key([how, package_digest(f"fer_audit.{name}")]) for name in ("robustness", "explain")
    )
    if measures.corruptions is not None:
        shared = measures.corruptions.model_dump(mode="json", include={"severities", "rows", "seed"})
        # Each kind apart, so that one more is all that a changed grid measures.
        each = ({"corruption": kind, **shared} for kind in measures.corruptions.kinds)
        specs += [MeasureSpec(kind="corruption", params=params, source=robustness) for params in each]
    if measures.adversarial is not None:
        params = measures.adversarial.model_dump(mode="json")
        specs.append(MeasureSpec(kind="adversarial", params=params, source=robustness))
    if measures.batch_invariance is not None:
        params = measures.batch_invariance.model_dump(mode="json")
        specs.append(MeasureSpec(kind="batch-invariance", params=params, source=robustness))
    if measures.explanations is not None:
        # The key of a training holds the test images, but not where their expressive regions are.
        masks = None if data.test.masks is None else array_digest(np.asarray(data.test.masks))
        layer = measures.explanations.layer
        layer = layer.get(model) if isinstance(layer, dict) else layer
        params = {**measures.explanations.model_dump(mode="json"), "layer": layer, "masks": masks}
        specs.append(MeasureSpec(kind="explanation", params=params, source=explain))
    return tuple(specs)


def images_of(measure: MeasureSpec, test_rows: int) -> int:
    """Images that a network answers for, roughly, where a test split of `test_rows` rows is measured on."""
    params = measure.params
    rows = int(min(params["rows"] or test_rows, test_rows))
    if measure.kind == "corruption":
        return rows * len(params["severities"])
    if measure.kind == "adversarial":  # with gradients
        return rows * len(params["epsilons"]) * (1 + int(params["steps"])) * ASKED_PER_TRAINED
    if measure.kind == "explanation":  # insertion and deletion by heat and by chance, and the maps
        return rows * (4 * int(params["steps"]) + 4)
    return 8 * rows  # in batches twice, and one by one, which costs more
