"""A defence of the grid as trainings have it: what it changes of the recipe, and what it promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fer_audit.defence_section import DEFENCES, DpSgd, EarlyStopping, LabelSmoothing
from fer_audit.errors import GridError
from fer_audit.grid import NONE, PluginRef, Training
from fer_audit.metrics.accounting import account, noise_for
from fer_audit.plugins import content_key
from fer_audit.results import Guarantee, PluginRecord
from fer_audit.sources import module_digest
from fer_audit.specs import PrivateStep, PrivateTraining, SmoothedLabels, StoppedEarly

#: Modules of `fer_audit.training`, which can't be imported here, that are the mechanism of private training.
_MECHANISM = (
    "private_step",
    "gaussian_sum",
    "clipped_gradients",
    "ghost_gradients",
    "example_gradients",
    "convolution_gradients",
    "per_example_gradients",
    "recorded_layers",
    "group_norm",
    "fused_group_norm",
    "sampling",
)

#: Tag of the random stream that holds rows out.
_HELD_OUT = 7


@dataclass(frozen=True)
class Recipe:
    """What every training under one defence of the grid shares, whatever rows it sees."""

    defence: DpSgd | LabelSmoothing | EarlyStopping | None
    epochs: int
    batch_size: int
    learning_rate: float

    @property
    def private(self) -> DpSgd | None:
        """The defence where it is differentially private."""
        return self.defence if isinstance(self.defence, DpSgd) else None

    @property
    def step(self) -> PrivateStep | None:
        """The step of private training."""
        given = self.private
        return PrivateStep(physical_batch=given.physical_batch, clipping=given.clipping) if given else None


def recipe_of(ref: PluginRef, recipe: Training) -> Recipe:
    """The recipe of the grid as the defence `ref` changes it."""
    defence = None if ref.name == NONE else DEFENCES[ref.name].model_validate(ref.params)
    own = defence if isinstance(defence, DpSgd) else DpSgd()
    return Recipe(
        defence=cast("DpSgd | LabelSmoothing | EarlyStopping | None", defence),
        epochs=own.epochs or recipe.epochs,
        batch_size=own.batch_size or recipe.batch_size,
        learning_rate=own.learning_rate or recipe.optimizer.learning_rate,
    )


def record_of(ref: PluginRef) -> PluginRecord | None:
    """The defence as results have it, with all parameters."""
    if ref.name == NONE:
        return None
    return PluginRecord(name=ref.name, params=DEFENCES[ref.name].model_validate(ref.params).model_dump(mode="json"))


def guarantee_of(recipe: Recipe, rows: int, group: int | None) -> Guarantee | None:
    """What training on `rows` rows promises, at most `group` of them of one person; raises FerAuditError."""
    given = recipe.private
    if given is None:
        return None
    sizes: Any = {
        "rows": rows,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "delta": given.delta,
        "sampling": given.sampling,
    }
    noise = noise_for(given.aim, **sizes) if given.noise_multiplier is None else given.noise_multiplier
    return account(noise_multiplier=noise, clip_norm=given.clip_norm, group=group, **sizes)


def trained_with(
    recipe: Recipe,
    guarantee: Guarantee | None,
    units: npt.NDArray[np.int64],
    seed: int,
    keep: Callable[[npt.NDArray[np.int64]], str],
) -> PrivateTraining | SmoothedLabels | StoppedEarly | None:
    """The defence in the form that a training's key is made of.

    `units` (K,) are the people of the training's rows; what is held out of them is kept by `keep`, which returns its
    address.
    """
    match recipe.defence:
        case DpSgd() as given if guarantee is not None:
            return PrivateTraining(
                clip_norm=given.clip_norm,
                noise_multiplier=guarantee.noise_multiplier,
                sampling=given.sampling,
                nominal_rows=guarantee.rows,
                source=_mechanism_digest(),
            )
        case LabelSmoothing() as given:
            return SmoothedLabels(smoothing=given.smoothing)
        case EarlyStopping() as given:
            return StoppedEarly(patience=given.patience, held_out=keep(held_out(units, given.held_out, seed)))
        case _:
            return None


@cache
def _mechanism_digest() -> str:
    """What decides what a private training computes, beside what all trainings share."""
    modules = [module_digest(f"fer_audit.training.{name}") for name in _MECHANISM]
    return content_key([*modules, metadata.version("tensorflow-privacy")])


def held_out(units: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.int64]:
    """Places (H,) of about a `share` of the rows, ascending, whole people of `units` (K,); raises GridError.

    A person's pictures are alike: with some of them trained on, the others would not tell when to stop.
    """
    people, index, counts = np.unique(units, return_inverse=True, return_counts=True)
    order = np.random.default_rng([seed, _HELD_OUT]).permutation(len(people))
    before = np.cumsum(counts[order]) - counts[order]
    chosen = order[before < share * len(units)][: len(people) - 1]  # someone is trained on
    if not len(chosen):
        raise GridError(
            f"early-stopping holds out whole people, or rows where people are not known: expected two or more, "
            f"received {len(people)} in {len(units)} training rows"
        )
    return np.flatnonzero(np.isin(index, chosen))
