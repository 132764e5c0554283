"""How fast batch normalisation follows the data; one parameter of the networks that `keras.applications` offers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from fer_audit.plugins import Parameters


class NormMomentum(Parameters):
    """Parameters of a network whose own momentum suits far longer trainings."""

    norm_momentum: float = Field(
        0.9, ge=0, lt=1, description="share of a batch normalisation's moving statistics that a training step keeps"
    )


def set_norm_momentum(network: Any, momentum: float) -> Any:
    """`network` with `momentum` in its batch normalisations.

    With 0.999, as Keras has it for the MobileNets, 200 steps leave four fifths of the statistics at their initial
    values, and the network answers at chance in inference however well it was trained.
    """
    for layer in network.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = momentum
    return network
