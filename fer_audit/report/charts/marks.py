"""How a cell is marked in the trade-off chart: colour for the treatment, symbol for the model, size for its MACs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fer_audit.report.charts.style import COLOURS, colour, faded, plain, symbol
from fer_audit.report.naming import cell_name, joined_treatment, models, several_seeds, treatment
from fer_audit.report.numbers import short
from fer_audit.report.private_training import private
from fer_audit.results import Cell, Results

_LARGE, _SMALL = (9.0, 22.0), (5.0, 12.0)  #: diameters of the lightest and of the heaviest model, in px


@dataclass(frozen=True)
class Marks:
    """What the marks of all figures share, looked up once."""

    treatments: list[str]  #: that have a colour each
    symbols: dict[str, str]  #: of each model
    macs: dict[str, int]  #: of each model whose cost is known
    seeds: bool

    @classmethod
    def of(cls, results: Results) -> Marks:
        """Of the results' models, treatments and costs."""
        names = models(results)
        macs = {cost.model: cost.macs for cost in results.costs}
        treated = list(dict.fromkeys(map(shade, results.cells)))
        return cls(treated, {one: symbol(names, one) for one in names}, macs, several_seeds(results))

    def name(self, cell: Cell) -> str:
        """The cell in one line."""
        return plain(cell_name(cell, self.seeds))

    def tint(self, treated: str) -> str:
        """The colour of a treatment."""
        return colour(self.treatments, treated)

    def dot(self, treated: str) -> str:
        """The end of a symbol's name that tells treatments of one colour apart."""
        return "-dot" if self.treatments.index(treated) // len(COLOURS) % 2 else ""

    def symbol(self, cell: Cell) -> str:
        """The model's; open where labels were corrupted."""
        opened = "" if cell.label_attack_plugin is None else "-open"
        return self.symbols[cell.model] + opened + self.dot(shade(cell))

    def size(self, model: str, crowded: bool) -> float:
        """A diameter in px whose square grows with the MACs."""
        least, most = _SMALL if crowded else _LARGE
        share = self.macs.get(model, 0) / (max(self.macs.values(), default=0) or 1)
        return math.sqrt(least**2 + (most**2 - least**2) * share)

    def cost(self, model: str) -> str:
        """The MACs of a model; empty where they are not known."""
        return f"{short(self.macs[model])} MACs" if model in self.macs else ""


def shade(cell: Cell) -> str:
    """What has a colour of its own: a treatment, private training being one whatever its epsilon."""
    if not private(cell) or cell.defence_plugin is None:
        return treatment(cell)
    return joined_treatment(cell.augmentation, cell.defence_plugin.name)


def filled(tint: str, symbol: str) -> str:
    """The fill of a mark, through which others can be seen; open symbols take the colour of their outline from it."""
    return tint if "-open" in symbol else faded(tint, 0.6)
