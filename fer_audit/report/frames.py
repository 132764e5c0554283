"""Finished results in a notebook: tidy pandas frames, one row an observation, one column a variable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd

from fer_audit.report import attack_frames, audited_frames, model_frames, private_frames
from fer_audit.report.finding import counted
from fer_audit.report.finished_run import read_finished
from fer_audit.report.naming import attacks
from fer_audit.results import Results, RunRecord


def load_results(path: str | Path) -> LoadedResults:
    """The results in a folder such as `reports/grid`, or of its results.json; raises ResultsError."""
    found = read_finished(Path(path))
    return LoadedResults(found.results, found.record)


@dataclass(frozen=True, eq=False, repr=False)
class LoadedResults:
    """What a run found.

    The frames of cells start with what tells a cell: `cell` (its id), `model`, `augmentation`, `defence`,
    `label_attack`, `noise_rate` (realised), `seed`, `status`. An estimate `x` has its interval in `x_low` and `x_high`.
    Shares are from 0 to 1. Numbers are `float64`, counts `Int64`, truths `boolean`; what the data can't resolve is
    missing, and `results` says why. A frame is made when it is first asked for and then kept: copy it before you change
    it.
    """

    results: Results
    run: RunRecord | None = None

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row per cell: accuracy, measures, costs of its model. Columns as in results.csv, without attacks."""
        return attack_frames.cells(self.results)

    @cached_property
    def attacks(self) -> pd.DataFrame:
        """A row per cell and membership attack. Columns as in results.csv; a cell without attacks has one row."""
        return attack_frames.attacks(self.results)

    @cached_property
    def targets(self) -> pd.DataFrame:
        """A row per cell, attack and target model: `auc`, the transferred `threshold`, `tp`, `fp`, `fn`, `tn`."""
        return attack_frames.targets(self.results)

    @cached_property
    def roc(self) -> pd.DataFrame:
        """A row per cell, attack and point: `fpr`, `tpr` with `tpr_low`, `tpr_high` where there is a band."""
        return attack_frames.roc(self.results)

    @cached_property
    def transferred(self) -> pd.DataFrame:
        """A row per cell, attack and `wanted_fpr`: counts, and the `fpr` and `tpr` that the thresholds really had."""
        return attack_frames.transferred(self.results)

    @cached_property
    def slices(self) -> pd.DataFrame:
        """A row per cell, attack and group: `family`, `group`, `auc`, `tpr`, `fpr`, `difference`, `p_adjusted`."""
        return attack_frames.slices(self.results)

    @cached_property
    def exposed(self) -> pd.DataFrame:
        """A row per cell, attack and most exposed record: `rank`, `record` (a pseudonym), `label`, `exposure`."""
        return attack_frames.exposed(self.results)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """A row per pair of cells and metric: `difference`, the cell less its `baseline`, paired by row."""
        return attack_frames.comparisons(self.results)

    @cached_property
    def guarantees(self) -> pd.DataFrame:
        """A row per cell and kind of private `training`: `epsilon`, `delta`, `noise_multiplier`, `group_epsilon`."""
        return private_frames.guarantees(self.results)

    @cached_property
    def audits(self) -> pd.DataFrame:
        """A row per cell and `audit` of a promise: `lower_bound` with its `cap`, what is `promised`, `refuted`."""
        return private_frames.audits(self.results)

    @cached_property
    def canaries(self) -> pd.DataFrame:
        """A row per cell with canaries: `count`, `included`, `auc`, `guesses`, `correct`, `lower_bound`, `promised`."""
        return private_frames.canaries(self.results)

    @cached_property
    def matched(self) -> pd.DataFrame:
        """A row per cell and attack: `difference` to private training that is as accurate, `below` and `above` it."""
        return private_frames.matched(self.results)

    @cached_property
    def audited_models(self) -> pd.DataFrame:
        """A row per model that was audited as given: `model_file`, `model_sha256`, `scaling`, `model_warnings`, ..."""
        return audited_frames.models(self.results)

    @cached_property
    def checkpoints(self) -> pd.DataFrame:
        """A row per checkpoint of a training (`model_checkpoint`: epochs) and attack: `auc`, `member_accuracy`, ..."""
        return audited_frames.checkpoints(self.results)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """A row per cell and class: `recall`, and the `rows` that it was counted on."""
        return model_frames.classes(self.results)

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """A row per cell, `true` and `predicted` class: `rows`, how many test images."""
        return model_frames.confusion(self.results)

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row per cell and `epoch`: `train_loss`, `train_accuracy`, `test_loss`, `test_accuracy`, ..."""
        return model_frames.history(self.results)

    @cached_property
    def memorisation_epochs(self) -> pd.DataFrame:
        """A row per cell and `epoch`: shares `memorised`, `recovered`, `neither`, and `clean_accuracy`."""
        return model_frames.memorisation_epochs(self.results)

    @cached_property
    def label_errors(self) -> pd.DataFrame:
        """A row per cell where wrong labels were looked for: `average_precision`, `chance`, `precision_at_10`, ..."""
        return model_frames.label_errors(self.results)

    @cached_property
    def noise(self) -> pd.DataFrame:
        """A row per noise curve and point: `rate`, `accuracy`, `balanced_accuracy`, `drop`, `balanced_drop`."""
        return model_frames.noise(self.results)

    @cached_property
    def corruptions(self) -> pd.DataFrame:
        """A row per cell, `kind` and `severity`: `accuracy`; `error` is of the kind, the same at each severity."""
        return model_frames.corruptions(self.results)

    @cached_property
    def adversarial(self) -> pd.DataFrame:
        """A row per cell, white-box `attack` and `epsilon`: `accuracy`, and `clean` on the same rows without it."""
        return model_frames.adversarial(self.results)

    @cached_property
    def explanations(self) -> pd.DataFrame:
        """A row per cell and `measure` of its heat maps: `value`, `random` (of random maps), `difference`."""
        return model_frames.explanations(self.results)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """A row per model: `params_total`, `macs`, `flops` (2 x MACs), and counts of other tools."""
        return model_frames.costs(self.results)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """A row per model and call of a layer, in running order: `params_total`, `macs`, `activation_bytes`."""
        return model_frames.layers(self.results)

    @cached_property
    def latencies(self) -> pd.DataFrame:
        """A row per model and size of a `batch`: `p50_ms`, `p95_ms`; empty without a run.json."""
        return model_frames.latencies(self.run)

    def __repr__(self) -> str:
        return f"<LoadedResults of {self._summary()}; frames: {', '.join(FRAMES)}>"

    def _repr_html_(self) -> str:
        lines = (f"<tr><th>{name}</th><td>{escape(line)}</td></tr>" for name, line in FRAMES.items())
        return f"<p>{escape(self._summary())}</p><table>{''.join(lines)}</table>"

    def _summary(self) -> str:
        cells = self.results.cells
        done = sum(cell.status == "done" for cell in cells)
        there = [f"{counted(len(cells), 'cell')} ({done:,} done)", counted(len(attacks(self.results)), "attack")]
        started = f", run of {self.run.started}" if self.run else ""
        return f"{self.results.grid!r}: {', '.join(there)}{started}"


#: Every frame, and what a row of it is.
FRAMES = {
    name: (value.__doc__ or "").partition("\n")[0]
    for name, value in vars(LoadedResults).items()
    if isinstance(value, cached_property)
}
