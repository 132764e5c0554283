"""The plug-ins that a grid names."""

from __future__ import annotations

import itertools
from typing import cast

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.augmentations.row_mixing import mixes_rows
from fer_audit.errors import GridError
from fer_audit.grid import NONE, Grid, GridFile, PluginRef
from fer_audit.models.model import Model
from fer_audit.outside_code import outside_code
from fer_audit.plugins import Plugin
from fer_audit.registry import Registry
from fer_audit.results import SourceFile
from fer_audit.specs import PluginIdentity


class GridPlugins:
    """The plug-ins of a grid; the source of each is read once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._identities: dict[tuple[str, str], PluginIdentity] = {}
        self._mixing: dict[tuple[str, int], bool] = {}

    def create(self, kind: str, ref: PluginRef) -> Plugin:
        """The plug-in that `ref` names; raises PluginError."""
        return self.registry.create(kind, ref.name, ref.params)

    def identity(self, kind: str, ref: PluginRef) -> PluginIdentity:
        """What keys hold of it."""
        known = (kind, ref.label)
        if known not in self._identities:
            self._identities[known] = PluginIdentity(**self.create(kind, ref).identity())
        return self._identities[known]

    def code(self, file: GridFile) -> list[SourceFile]:
        """Every file outside fer-audit that a run of the grid imports."""
        folders = zip(file.plugin_folders, file.grid.plugins, strict=True)
        named = {folder.resolve(): name for folder, name in folders}
        return outside_code(
            self.registry, [self.registry.get(kind, name) for kind, name in named_plugins(file.grid)], named
        )

    def mixes(self, ref: PluginRef, image_size: int, classes: int, batch_size: int) -> bool:
        """Whether an augmentation lets rows of a batch change each other."""
        known = (ref.label, batch_size)
        if known not in self._mixing:
            augmentation = cast("Augmentation", self.create("augmentation", ref))
            sizes = {"image_size": image_size, "classes": classes, "batch_size": batch_size}
            self._mixing[known] = mixes_rows(augmentation, **sizes)
        return self._mixing[known]

    def check_all(self, grid: Grid) -> None:
        """Makes every plug-in that the grid names, so that an error comes before any work."""
        for ref in grid.models:
            model = cast("Model", self.create("model", ref))
            if grid.training.image_size < model.minimum_size:
                raise GridError(
                    f"model {model.name!r} needs images of at least {model.minimum_size} px, received "
                    f"training.image_size: {grid.training.image_size}"
                )
        for ref in itertools.chain.from_iterable(grid.augmentations):
            self.create("augmentation", ref)
        for ref in grid.attacks.labels:
            if ref.name != NONE:
                self.create("label-attack", ref)


def named_plugins(grid: Grid) -> list[tuple[str, str]]:
    """Kind and name of every plug-in that a grid names."""
    refs = (
        ("dataset", (grid.dataset,)),
        ("model", grid.models),
        ("augmentation", tuple(itertools.chain.from_iterable(grid.augmentations))),
        ("label-attack", tuple(ref for ref in grid.attacks.labels if ref.name != NONE)),
        ("membership-attack", grid.attacks.membership),
    )
    return [(kind, ref.name) for kind, named in refs for ref in named]
