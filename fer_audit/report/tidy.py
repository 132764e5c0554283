"""The results as one tidy table: a row per cell and membership attack; a cell without attacks has one row."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TextIO, get_args

from fer_audit.results import (
    AttackResult,
    AuditedFile,
    CanaryAudit,
    Cell,
    Cost,
    Estimate,
    ExplanationMeasure,
    Guarantee,
    ManyRunAudit,
    PluginRecord,
    Privacy,
    Results,
    Utility,
)

Row = dict[str, Any]

_MEASURES = get_args(ExplanationMeasure.model_fields["name"].annotation)
TPR_LEVELS = ("0.01", "0.001")


def tidy_rows(results: Results) -> list[Row]:
    """Rows with the same columns in the same order; what a cell does not have is None."""
    return list(each_tidy_row(results))


def tidy_csv(results: Results) -> str:
    """`tidy_rows` as CSV text; floats are written so that they read back as the same number."""
    text = io.StringIO()
    _write(results, text)
    return text.getvalue()


def write_tidy_csv(results: Results, path: Path) -> None:
    """Writes `tidy_csv` row after row, since a very large grid has more of them than should be in memory at once.

    As of `write_text`, a reader sees the old table or the new one, never a part.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        _write(results, file)
    temporary.replace(path)


def _write(results: Results, file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    head: Row = {}
    for left, attacks in _parts(results):
        if not head:
            head = left | attacks[0]
            writer.writerow(head)
        shared = _tamed(left)
        writer.writerows(shared + _tamed(attack) for attack in attacks)
    if not head:
        writer.writerow(["cell"])


def _tamed(row: Row) -> list[object]:
    """Values without text that a spreadsheet would run as a formula, which an apostrophe keeps it from."""
    return [f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value for value in row.values()]


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def each_tidy_row(results: Results) -> Iterator[Row]:
    """`tidy_rows`, one after another."""
    return (left | attack for left, attacks in _parts(results) for attack in attacks)


def _parts(results: Results) -> Iterator[tuple[Row, list[Row]]]:
    """Of each cell what its rows have in common, and what each of its attacks adds; one that adds nothing if none."""
    costs = {cost.model: _cost(cost) for cost in results.costs}
    unknown = _cost(None)
    for cell in results.cells:
        attacks = cell.privacy.attacks if cell.privacy else []
        yield _cell(cell, costs.get(cell.model, unknown)), list(map(_attack, attacks)) or [_attack(None)]


def _cell(cell: Cell, cost: Row) -> Row:
    return {
        **_identity(cell),
        **cost,
        **_utility(cell.utility),
        **_labels(cell),
        **_images(cell),
        **_heat_maps(cell),
        **_promised(cell.guarantee),
        **_canaries(cell.canaries),
        **_audit("many_run", cell.many_runs),
        **_privacy(cell.privacy),
    }


def _identity(cell: Cell) -> Row:
    return {
        "cell": cell.id,
        "model": cell.model,
        "augmentation": cell.augmentation,
        "defence": cell.defence,
        "label_attack": cell.label_attack,
        "noise_rate": cell.noise_rate,
        "seed": cell.seed,
        "status": cell.status,
        "error": cell.error.strip().partition("\n")[0],
        **file_columns(cell.audited),
    }


def file_columns(audited: AuditedFile | None) -> Row:
    """The file of a model that was audited as it was given; the same columns without one."""
    names = ("file", "format", "sha256", "bytes", "outputs", "trusted", "checkpoint", "references")
    held = audited.calibration if audited else None
    return {
        **{f"model_{name}": _known(getattr(audited, name)) if audited else None for name in names},
        "model_warnings": ("; ".join(audited.warnings) or None) if audited else None,
        "calibration_members": held.members if held else None,
        "calibration_nonmembers": held.nonmembers if held else None,
    }


def _known(value: Any) -> Any:
    """The value, unless it is an empty text."""
    return None if value == "" else value


def _cost(cost: Cost | None) -> Row:
    names = [name for name in Cost.model_fields if name not in ("model", "layers")]
    return {name: getattr(cost, name) if cost else None for name in names}


def _utility(utility: Utility | None) -> Row:
    return {
        **_estimate("accuracy", utility.accuracy if utility else None),
        **_estimate("balanced_accuracy", utility.balanced_accuracy if utility else None),
        "train_accuracy": utility.train_accuracy if utility else None,
    }


def _labels(cell: Cell) -> Row:
    row: Row = {}
    for name in ("memorised", "recovered", "neither"):
        row |= _estimate(name, getattr(cell.memorisation, name) if cell.memorisation else None)
    found = cell.label_errors.average_precision if cell.label_errors else None
    return row | _estimate("label_errors_average_precision", found)


def _images(cell: Cell) -> Row:
    done = cell.adversarial
    largest = max((point.epsilon for point in done.points), default=None) if done else None
    here = {point.attack: point.accuracy for point in done.points if point.epsilon == largest} if done else {}
    return {
        **_estimate("corrupted_accuracy", cell.corruptions.accuracy if cell.corruptions else None),
        **_estimate("mce", cell.corruptions.mce if cell.corruptions else None),
        "adversarial_epsilon": largest,
        **_estimate("fgsm_accuracy", here.get("fgsm")),
        **_estimate("pgd_accuracy", here.get("pgd")),
        "batch_invariant": cell.batch_invariance.passed if cell.batch_invariance else None,
    }


def _heat_maps(cell: Cell) -> Row:
    found = {one.name: one.value for one in cell.explanation.measures} if cell.explanation else {}
    row: Row = {}
    for name in _MEASURES:
        row |= _estimate(name.replace("-", "_"), found.get(name))
    return row


def _promised(guarantee: Guarantee | None) -> Row:
    """Of the utility model, for one image, and for a person with that many."""
    names = ("epsilon", "delta", "noise_multiplier", "clip_norm", "epsilon_rdp", "epsilon_shuffled")
    row: Row = {name: getattr(guarantee, name) if guarantee else None for name in names}
    group = guarantee.group if guarantee else None
    return row | {"group_images": group.images if group else None, "group_epsilon": group.epsilon if group else None}


def _canaries(audit: CanaryAudit | None) -> Row:
    return {**_estimate("canary_auc", audit.auc if audit else None), **_audit("canary", audit)}


def _audit(name: str, audit: CanaryAudit | ManyRunAudit | None) -> Row:
    """A lower bound on epsilon, its cap, and what is promised for the same unit by the trainings that it is of."""
    return {
        f"{name}_epsilon_lower_bound": audit.lower_bound if audit else None,
        f"{name}_epsilon_cap": audit.cap if audit else None,
        f"{name}_epsilon_promised": audit.promised if audit else None,
        f"{name}_promise_refuted": audit.broken if audit and audit.promised is not None else None,
    }


def _privacy(privacy: Privacy | None) -> Row:
    return {
        "references": privacy.references if privacy else None,
        "invalid": (privacy.invalid or None) if privacy else None,
        **_estimate("member_accuracy", privacy.member_accuracy if privacy else None),
        **_estimate("nonmember_accuracy", privacy.nonmember_accuracy if privacy else None),
        **_estimate("privacy_test_accuracy", privacy.test_accuracy if privacy else None),
    }


def _attack(attack: AttackResult | None) -> Row:
    row: Row = {
        "attack": attack.attack.name if attack else None,
        "attack_params": _params(attack.attack) if attack else None,
        "threat_model": attack.threat_model if attack else None,
        "unit": attack.unit if attack else None,
        **_estimate("auc", attack.auc if attack else None),
        "auc_spread": attack.auc_spread if attack else None,
    }
    for name in ("tp", "fp", "fn", "tn"):
        row[name] = getattr(attack.confusion, name) if attack else None
    for name in ("fpr", "fnr", "tpr", "advantage"):
        row |= _estimate(name, getattr(attack, name) if attack else None)
    for level in TPR_LEVELS:
        row |= _estimate(f"tpr_at_fpr_{level}", attack.tpr_at_fpr.get(level) if attack else None)
    for level in TPR_LEVELS:
        done = attack.transferred.get(level) if attack else None
        row |= _estimate(f"fpr_for_{level}", done.fpr if done else None)
        row |= _estimate(f"tpr_for_{level}", done.tpr if done else None)
    return row | _epsilon(attack) | {"record_stability": attack.record_stability if attack else None}


def _params(attack: PluginRecord) -> str:
    return json.dumps(attack.params, sort_keys=True) if attack.params else "{}"


def _epsilon(attack: AttackResult | None) -> Row:
    return {
        "epsilon_lower_bound": attack.epsilon.lower_bound if attack else None,
        "epsilon_cap": attack.epsilon.cap if attack else None,
        "epsilon_delta": attack.epsilon.delta if attack else None,
        "epsilon_unit": attack.epsilon.unit if attack else None,
    }


def _estimate(name: str, estimate: Estimate | None) -> Row:
    value, low, high = _ends(name)
    if estimate is None:
        return {value: None, low: None, high: None}
    return {value: estimate.value, low: estimate.low, high: estimate.high}


@cache
def _ends(name: str) -> tuple[str, str, str]:
    """The columns of an estimate."""
    return name, f"{name}_low", f"{name}_high"
