"""Whether the fast step computes what plain Keras computes."""

from __future__ import annotations

from typing import Any

import side
from settings import BATCH, Settings
from table import at_most, heading, note, show

from figures.worker import WORKER_ENVIRONMENT, spec_of

SIZE = 48
TARGET = 1e-4

#: Steps after which the difference of losses is printed.
SHOWN = (1, 2, 3, 5, 10, 20)

#: Optimizer and learning rate.
RECIPES: dict[str, dict[str, Any]] = {
    "AdamW": {"learning_rate": 1e-3},
    "SGD": {"name": "sgd", "learning_rate": 1e-2},
}

_COLUMNS = {"first_loss": "first loss", "loss": "losses (max)", "weights": "weights", "way": "... of their way"}


def agreement(settings: Settings) -> None:
    """Relative differences of losses and weights after some steps from the same weights on the same batches."""
    heading(f"Agreement with plain Keras: GhostFace, {SIZE} px, {settings.agreement_steps} steps of {BATCH}")
    growth: list[str] = []
    rows: list[tuple[object, ...]] = [("relative difference", *_COLUMNS.values(), "moving statistics")]
    for name, recipe in RECIPES.items():
        found = side.run(
            "ours.agreement:agreement",
            WORKER_ENVIRONMENT,
            spec=spec_of(SIZE, **recipe),
            steps=settings.agreement_steps,
            learning_rate=recipe["learning_rate"],
        )
        rows += _rows(name, found)
        losses = found["ours"]["free"]["losses"]
        growth.append(f"{name}: " + ", ".join(f"{losses[step - 1]:.0e}" for step in SHOWN if step <= len(losses)))
    show(rows)
    note("(A) all steps on its own, from the same weights; (B) one step, with a fresh optimizer, from each of the")
    note("weights that plain Keras passed through, the worst of them. `turned` is plain Keras against itself with the")
    note("rows of each batch in another order: what float32 rounding does. More would be a fault of arithmetic.")
    note(f"(A) losses of fer-audit after {', '.join(map(str, SHOWN))} steps: {'; '.join(growth)}")


def _rows(name: str, found: dict[str, Any]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for mark, kind in (("A", "free"), ("B", "guided")):
        for who, label in (("ours", "fer-audit"), ("turned", "Keras, turned")):
            values = found[who][kind]
            verdict = at_most(max(values["loss"], values["weights"]), TARGET) if who == "ours" else ""
            rows.append(
                (f"{name} ({mark}) {label}", *(f"{values[part]:.1e}" for part in (*_COLUMNS, "moving")), verdict)
            )
    return rows
