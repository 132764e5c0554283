"""What a model costs, counted on its built network and kept in the store."""

from __future__ import annotations

from typing import Any

from fer_audit.metrics.compute import count
from fer_audit.models.model import Model
from fer_audit.specs import ProgramSpec, cost_key
from fer_audit.store import Store

#: Published figures are counted at this size.
REFERENCE_SIZE = 224


def keep_cost(store: Store, spec: ProgramSpec, model: Model, network: Any) -> None:
    """Counts parameters and MACs of `network`, and MACs at 224 px, once for a model and an image size."""
    key = cost_key(spec)
    if store.has("costs", key):
        return
    here = count(network)
    reference = count(model.create((REFERENCE_SIZE, REFERENCE_SIZE, 3), spec.classes))
    store.write_json(
        "costs",
        key,
        {
            "image_size": spec.input_shape[0],
            "params_total": here.params_total,
            "params_trainable": here.params_trainable,
            "macs": here.macs,
            "flops": here.flops,
            "reference_size": REFERENCE_SIZE,
            "reference_macs": reference.macs,
            "reference_flops": reference.flops,
        },
    )
