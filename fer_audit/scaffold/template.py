"""The templates of `fer-audit new`: working plug-ins that are written under another name."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO

from fer_audit.errors import PluginError, did_you_mean
from fer_audit.scaffold.plugin_name import PluginName


@dataclass(frozen=True)
class Template:
    """A plug-in and its test, and where a grid names the plug-in."""

    word: str  #: what users call its kind
    kind: str  #: of `plugins.KINDS`
    place: str  #: the lines of the grid, with the name that the plug-in has here

    @property
    def name(self) -> PluginName:
        """The name that the plug-in has here."""
        return PluginName(f"my-{self.word}")

    def used(self) -> frozenset[str]:
        """All identifiers of the plug-in but the name of its class."""
        plugin, _ = self._texts().values()
        tokens = tokenize.generate_tokens(StringIO(plugin).readline)
        return frozenset(token.string for token in tokens if token.type == tokenize.NAME) - {self.name.cls}

    def files(self, name: PluginName) -> dict[str, str]:
        """Name and text of the files of a plug-in called `name`, the plug-in first."""
        return {self._renamed(file, name): self._renamed(text, name) for file, text in self._texts().items()}

    def grid_lines(self, name: PluginName) -> list[str]:
        """The lines by which a grid names the plug-in."""
        return self._renamed(self.place, name).splitlines()

    def _texts(self) -> dict[str, str]:
        folder = files(__package__).joinpath("templates")
        return {
            file: folder.joinpath(file).read_text(encoding="utf-8")
            for file in (f"{self.name.module}.py", f"test_{self.name.module}.py")
        }

    def _renamed(self, text: str, name: PluginName) -> str:
        own = self.name
        other = {own.text: name.text, own.module: name.module, own.cls: name.cls}
        return re.sub("|".join(other), lambda match: other[match[0]], text)


TEMPLATES: tuple[Template, ...] = (
    Template("attack", "membership-attack", "attacks:\n  membership: [..., my-attack]"),
    Template("model", "model", "models: [..., my-model]"),
    Template("augmentation", "augmentation", "augmentations: [..., my-augmentation]"),
    Template("label-attack", "label-attack", "attacks:\n  labels: [..., my-label-attack]"),
    Template("dataset", "dataset", "dataset: {name: my-dataset, params: {root: my_faces}}"),
)


def template_of(word: str) -> Template:
    """The template of a kind as a user calls it, one or many; raises PluginError with the nearest."""
    known: Mapping[str, Template] = {
        **{template.kind: template for template in TEMPLATES},
        **{template.word: template for template in TEMPLATES},
    }
    found = known.get(word) or known.get(word.removesuffix("s"))
    if found is None:
        raise PluginError(f"unknown kind of plug-in {word!r}: {did_you_mean(word, [each.word for each in TEMPLATES])}")
    return found
