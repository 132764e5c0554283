"""Where the numbers that a gate can limit stand in the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fer_audit.errors import ResultsError
from fer_audit.gate_section import METRICS, known_metric
from fer_audit.report.comparison import widened
from fer_audit.report.cost import milliseconds, speeds_of
from fer_audit.report.naming import attack_name
from fer_audit.report.numbers import MINUS, Form, decimal, loss, percent, ratio, short
from fer_audit.report.table import Origin
from fer_audit.results import AttackResult, Cell, Cost, Estimate, Latency, Privacy, Results, RunRecord


@dataclass(frozen=True)
class Gated:
    """A number that a gate is held against; `by` names the attack that it is of, where there may be several."""

    estimate: Estimate
    of: tuple[Origin, ...]
    by: str = ""

    @property
    def value(self) -> float | None:
        """The number; None where the data can't resolve it."""
        value = self.estimate.value
        return None if value is None or math.isnan(value) else value


@dataclass(frozen=True)
class Source:
    """What is known of a cell, and of its model."""

    cell: Cell
    cost: Cost | None
    speed: Latency | None


@dataclass(frozen=True)
class Reader:
    """Takes a metric out of the results: one number, or one of each attack, of which the largest is meant."""

    take: Callable[[Source], Iterator[Gated]]
    form: Form
    unmeasured: str = "it was not measured"

    @property
    def of_shares(self) -> bool:
        """Whether limits and differences are written in percent."""
        return self.form in (percent, _gap_text)


def sources(results: Results, run: RunRecord | None) -> list[Source]:
    """The cells of the grid with what their models cost; latencies are in `run`."""
    costs, speeds = {cost.model: cost for cost in results.costs}, speeds_of(run, batch=1)
    return [Source(cell, costs.get(cell.model), speeds.get(cell.model)) for cell in results.cells]


def gated(metric: str, source: Source) -> list[Gated] | str:
    """The numbers of a cell that a gate on `metric` is about, or why there are none; raises ResultsError."""
    cell, reader = source.cell, reader_of(metric)
    if cell.status != "done":
        return "the cell failed" if cell.status == "failed" else "the cell is missing"
    if METRICS[metric].needs == "attacks.membership" and cell.privacy and cell.privacy.invalid:
        return f"its membership results can't be trusted, since {cell.privacy.invalid}"
    return list(reader.take(source)) or _unmeasured(metric, cell, reader)


def _unmeasured(metric: str, cell: Cell, reader: Reader) -> str:
    """Why there is no number of a cell that is done."""
    if cell.audited and METRICS[metric].error == "exact" and metric != "epsilon":
        return f"layers are counted in Keras files alone, and its file is of format {cell.audited.format}"
    if cell.audited and cell.utility is None and metric in ("accuracy", "balanced_accuracy"):
        return "only answers were audited, without a test"
    return reader.unmeasured


def reader_of(metric: str) -> Reader:
    """The reader of a metric; raises ResultsError where there is none."""
    try:
        return READERS[known_metric(metric)]
    except ValueError as error:
        raise ResultsError(f"can't judge a gate: {error}") from None


def _utility(field: Literal["accuracy", "balanced_accuracy"]) -> Reader:
    def take(source: Source) -> Iterator[Gated]:
        if source.cell.utility is not None:
            yield _measured(getattr(source.cell.utility, field))

    return Reader(take, percent)


def _attacks(of_attack: Callable[[AttackResult], Gated], form: Form) -> Reader:
    def take(source: Source) -> Iterator[Gated]:
        for attack in source.cell.privacy.attacks if source.cell.privacy else ():
            yield replace(of_attack(attack), by=attack_name(source.cell, attack))

    return Reader(take, form, "no membership attack was run")


def _tpr_at(fpr: str) -> Callable[[AttackResult], Gated]:
    unmeasured = Estimate(value=None, note="not measured")
    return lambda attack: _measured(attack.tpr_at_fpr.get(fpr, unmeasured))


def _proved(attack: AttackResult) -> Gated:
    bound = attack.epsilon
    return Gated(Estimate(value=bound.lower_bound, confidence=bound.confidence), ((bound, "lower_bound"),))


def _gap(source: Source) -> Iterator[Gated]:
    privacy = source.cell.privacy
    if privacy is not None:
        origins: tuple[Origin, ...] = ((privacy.member_accuracy, "value"), (privacy.nonmember_accuracy, "value"))
        yield Gated(accuracy_gap(privacy), origins)


def accuracy_gap(privacy: Privacy) -> Estimate:
    """Accuracy on members less accuracy on non-members.

    Its interval holds however the two depend on each other: it is that of both ends at once, each interval widened for
    two (Bonferroni).
    """
    inside, outside = privacy.member_accuracy, privacy.nonmember_accuracy
    if inside.value is None or outside.value is None:
        return Estimate(value=None, note=inside.note or outside.note)
    value, confidence = inside.value - outside.value, min(inside.confidence, outside.confidence)
    one, other = widened(inside, 2), widened(outside, 2)
    if one is None or other is None:
        return Estimate(value=value, confidence=confidence)
    low, high = max(one[0] - other[1], -1.0), min(one[1] - other[0], 1.0)
    return Estimate(value=value, low=low, high=high, confidence=confidence, method="Bonferroni over both ends")


def _gap_text(value: float) -> str:
    return percent(value).replace("-", MINUS)


def _promised(source: Source) -> Iterator[Gated]:
    guarantee = source.cell.guarantee
    if guarantee is not None:
        yield Gated(Estimate(value=guarantee.epsilon), ((guarantee, "epsilon"),))


def _shown_by_canaries(source: Source) -> Iterator[Gated]:
    found = source.cell.canaries
    if found is not None:
        yield Gated(Estimate(value=found.lower_bound, confidence=found.confidence), ((found, "lower_bound"),))


def _memorised(source: Source) -> Iterator[Gated]:
    if source.cell.memorisation is not None:
        yield _measured(source.cell.memorisation.memorised)


def _corruptions(field: Literal["accuracy", "mce"], form: Form) -> Reader:
    def take(source: Source) -> Iterator[Gated]:
        if source.cell.corruptions is not None:
            yield _measured(getattr(source.cell.corruptions, field))

    return Reader(take, form)


def _adversarial(attack: Literal["fgsm", "pgd"]) -> Reader:
    def take(source: Source) -> Iterator[Gated]:
        points = source.cell.adversarial.points if source.cell.adversarial else []
        found = max((one for one in points if one.attack == attack), key=lambda one: one.epsilon, default=None)
        if found is not None:
            yield Gated(found.accuracy, ((found.accuracy, "value"),), f"{attack.upper()} at {found.epsilon:g} of 255")

    return Reader(take, percent)


def _cost(field: Literal["macs", "flops", "params_total", "keras_file_bytes"], form: Form) -> Reader:
    def take(source: Source) -> Iterator[Gated]:
        count = None if source.cost is None else getattr(source.cost, field)
        if source.cost is not None and count is not None:
            yield Gated(Estimate(value=count), ((source.cost, field),))

    return Reader(take, form)


def _latency(source: Source) -> Iterator[Gated]:
    if source.speed is not None:
        yield Gated(Estimate(value=source.speed.p50_ms), ((source.speed, "p50_ms"),))


def _measured(estimate: Estimate) -> Gated:
    return Gated(estimate, ((estimate, "value"),))


#: Where each metric of `fer_audit.gate_section.METRICS` stands, and how it is written.
READERS: Mapping[str, Reader] = {
    "accuracy": _utility("accuracy"),
    "balanced_accuracy": _utility("balanced_accuracy"),
    "mia_auc": _attacks(lambda attack: _measured(attack.auc), decimal),
    "mia_tpr_at_fpr_0.01": _attacks(_tpr_at("0.01"), percent),
    "mia_tpr_at_fpr_0.001": _attacks(_tpr_at("0.001"), percent),
    "mia_advantage": _attacks(lambda attack: _measured(attack.advantage), decimal),
    "epsilon_lower_bound": _attacks(_proved, loss),
    "epsilon": Reader(_promised, loss, "its training promises no privacy"),
    "canary_epsilon_lower_bound": Reader(_shown_by_canaries, loss),
    "accuracy_gap": Reader(_gap, _gap_text, "no membership attack was run"),
    "memorised": Reader(_memorised, percent, "it was not measured, or no label of the cell is corrupted"),
    "corrupted_accuracy": _corruptions("accuracy", percent),
    "mce": _corruptions("mce", ratio),
    "fgsm_accuracy": _adversarial("fgsm"),
    "pgd_accuracy": _adversarial("pgd"),
    "macs": _cost("macs", short),
    "flops": _cost("flops", short),
    "params_total": _cost("params_total", short),
    "file_bytes": _cost("keras_file_bytes", lambda value: f"{short(value)}B"),
    "latency_p50_ms": Reader(_latency, milliseconds),
}
