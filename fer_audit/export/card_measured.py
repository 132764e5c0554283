"""How good a model is, what it withstands, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from fer_audit.export.card_text import NOT_MEASURED, bullets, section, table
from fer_audit.export.record import Exported
from fer_audit.report.markdown import escaped
from fer_audit.report.numbers import confidence, integer, percent, ratio, short, with_interval
from fer_audit.results import BatchInvariance, Cell, Cost, Latency, Results, RunRecord


def accuracy_section(results: Results, cell: Cell) -> str:
    """Accuracy over all test images, over classes, and of each class."""
    utility = cell.utility
    if utility is None:
        return section("Accuracy", f"Accuracy: {NOT_MEASURED}.")
    recalls = zip(results.dataset.classes, utility.per_class, strict=True)
    return section(
        "Accuracy",
        f"On the test split, at the last epoch; in brackets {confidence(results)} intervals.",
        bullets(
            f"Accuracy: {with_interval(utility.accuracy)}, {integer(utility.accuracy.n or 0)} images",
            f"Balanced accuracy (mean recall of the classes): {with_interval(utility.balanced_accuracy)}",
            f"Accuracy on the train split, against the labels given: {percent(utility.train_accuracy)}",
        ),
        table(
            ["Class", "Recall", "Images"],
            [[name, with_interval(one), integer(one.n or 0)] for name, one in recalls],
        ),
    )


def robustness_section(cell: Cell) -> str:
    """Accuracy on corrupted and on adversarial images."""
    return section(
        "Robustness",
        bullets(
            f"Corrupted images: {_corrupted(cell)}",
            f"Adversarial images: {_adversarial(cell)}",
            f"Does an answer depend on the other images of a batch? {_batch(cell.batch_invariance)}",
        ),
        _kinds(cell),
        _points(cell),
    )


def _corrupted(cell: Cell) -> str:
    done = cell.corruptions
    if done is None:
        return NOT_MEASURED
    return (
        f"accuracy {with_interval(done.accuracy)}, mean over {len(done.kinds)} kinds and severities "
        f"{', '.join(map(str, done.severities))}; {with_interval(done.clean)} on the same {integer(done.rows)} images "
        f"as they are; mean corruption error {with_interval(done.mce, ratio)} relative to cell {escaped(done.baseline)}"
    )


def _kinds(cell: Cell) -> str:
    if cell.corruptions is None:
        return ""
    heads = ["Corruption", *(f"Severity {one}" for one in cell.corruptions.severities)]
    return table(heads, [[one.kind, *map(with_interval, one.accuracy)] for one in cell.corruptions.kinds])


def _adversarial(cell: Cell) -> str:
    done = cell.adversarial
    if done is None:
        return NOT_MEASURED
    return f"{integer(done.rows)} images, accuracy {with_interval(done.clean)} as they are; PGD of {done.steps} steps"


def _points(cell: Cell) -> str:
    if cell.adversarial is None:
        return ""
    rows = [[one.attack.upper(), f"{one.epsilon:g}", with_interval(one.accuracy)] for one in cell.adversarial.points]
    return table(["White-box attack", "Largest change of a pixel, of 255", "Accuracy"], rows)


def _batch(found: BatchInvariance | None) -> str:
    if found is None:
        return NOT_MEASURED
    largest = f"logits of one image differ by at most {found.max_difference:.2g}, on {integer(found.rows)} images"
    return f"No: {largest}." if found.passed else f"Yes: {largest}, {integer(found.changed)} are predicted otherwise."


def cost_section(results: Results, record: RunRecord | None, cell: Cell) -> str:
    """Parameters, operations and speed of one image."""
    cost = next((one for one in results.costs if one.model == cell.model), None)
    latency = next((one for one in _latencies(record) if one.model == cell.model and one.batch == 1), None)
    return section("Cost", bullets(*_counts(cost), f"Latency of one image: {_speed(latency, record)}"))


def _latencies(record: RunRecord | None) -> Sequence[Latency]:
    return record.latencies if record else ()


def _counts(cost: Cost | None) -> list[str]:
    if cost is None:
        return [f"Parameters and operations: {NOT_MEASURED}"]
    return [
        f"Parameters: {integer(cost.params_total)}, of them {integer(cost.params_trainable)} trained",
        f"MACs of one image of {cost.image_size} px: {integer(cost.macs)} ({short(cost.macs)})",
        f"FLOPs (2 for each MAC): {integer(cost.flops)} ({short(cost.flops)})",
    ]


def _speed(latency: Latency | None, record: RunRecord | None) -> str:
    if latency is None:
        return NOT_MEASURED
    machine = f" of {escaped(record.machine)}" if record and record.machine else ""
    return f"p50 {latency.p50_ms:.2f} ms, p95 {latency.p95_ms:.2f} ms, on one thread{machine}"


def files_section(exported: Sequence[Exported]) -> str:
    """Exported files, each loaded again and compared with the network."""
    if not exported:
        return ""
    rows = [
        [
            one.file,
            f"{integer(one.bytes)} bytes",
            "not a number" if one.max_difference is None else f"{one.max_difference:.1e}",
            with_interval(one.equal, lambda share: percent(share, 2)),
            with_interval(one.accuracy),
            with_interval(one.original_accuracy),
            integer(one.rows),
            f"{one.p50_ms:.2f} / {one.p95_ms:.2f}",
            one.runtime,
        ]
        for one in exported
    ]
    heads = [
        *("File", "Size", "Largest difference of a logit", "Equal predictions", "Accuracy"),
        *("Accuracy of the network", "Test images", "p50 / p95 ms, one image", "Loaded by"),
    ]
    warnings = [_warning(one) for one in exported if not one.agrees]
    return section("Files", _TAKES, table(heads, rows), bullets(*warnings))


#: What every file has in common.
_TAKES = (
    "All take RGB images (batch, height, width, 3) with values 0..255, unscaled, as `images`, and answer with "
    "`probabilities` and `logits`; `labels.txt` has the classes in their order. Each was loaded again by a runtime of "
    "its own and compared with the network it was made from, on test images."
)


def _warning(one: Exported) -> str:
    equal = percent(one.equal.value or 0.0, 2)
    if one.quantised:
        return (
            f"Warning: {one.file} predicts only {equal} of the images as the network does, as its numbers are coarse."
        )
    return f"**{one.file} does not answer as the network does; do not use it.**"
