"""Which cells are differentially private training, and which of them others are compared with."""

from __future__ import annotations

from fer_audit.results import Cell


def private(cell: Cell) -> bool:
    """Whether the training of the cell promises privacy."""
    return cell.guarantee is not None


def on_the_line(cell: Cell) -> bool:
    """Whether a cell is private training without augmentation, which others are compared with."""
    return private(cell) and not cell.augmentation_plugins


def line_of(cell: Cell) -> tuple[str, str, int]:
    """What a cell has in common with the private training that it is compared with: model, labels and seed."""
    return cell.model, cell.label_attack, cell.seed
