"""How much is measured: enough to quote, or just enough to see that the benchmark works."""

from __future__ import annotations

from dataclasses import dataclass

BATCH = 64
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-4
CLASSES = 7

#: Rows of the test split that fer-audit answers for beside its trainings; the baselines answer for none.
TEST_ROWS = 64


@dataclass(frozen=True)
class Settings:
    """Sizes and repeats; the defaults are those that figures are quoted at."""

    repeats: int = 3
    trainings: int = 9
    trainings_rows: int = 1024
    trainings_epochs: int = 5
    trainings_repeats: int = 2  #: plain Keras needs some ten minutes for each
    step_rows: int = 1024
    step_epochs: int = 5  #: the first is left out
    augmented_rows: int = 1024
    augmented_epochs: int = 4
    signal_rows: int = 4096
    signal_passes: int = 5
    memory_rows: int = 12271
    memory_size: int = 100
    agreement_steps: int = 20
    references: tuple[int, ...] = (2, 4, 8, 16)
    reference_rows: int = 1024
    growth_rows: tuple[int, ...] = (500, 1000, 2000, 4000)
    growth_epochs: int = 2
    study_rows: int = 512
    study_epochs: int = 4


QUICK = Settings(
    repeats=1,
    trainings=3,
    trainings_rows=256,
    trainings_epochs=2,
    trainings_repeats=1,
    step_rows=512,
    step_epochs=3,
    augmented_rows=256,
    augmented_epochs=3,
    signal_rows=1024,
    signal_passes=3,
    memory_rows=1500,
    references=(2, 4),
    reference_rows=256,
    growth_rows=(200, 400),
    study_rows=256,
    study_epochs=3,
)
