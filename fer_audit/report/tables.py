"""The tables of the page, made from the results alone."""

from __future__ import annotations

from dataclasses import replace

from fer_audit.report.attack_rows import attack_entry, attack_rows
from fer_audit.report.cost import milliseconds, speeds_of
from fer_audit.report.naming import (
    answers_only,
    attack_name,
    given_models,
    labels_name,
    several_seeds,
    tested_on,
    threshold_setters,
    with_defences,
)
from fer_audit.report.numbers import UNKNOWN, decimal, loss, percent, share, short, signed
from fer_audit.report.private_training import private
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.table import (
    Bar,
    Column,
    Entry,
    Table,
    count,
    field,
    identified,
    measured,
    number,
    scale_of,
    without,
    words,
)
from fer_audit.results import (
    AttackResult,
    Cell,
    Cost,
    DatasetSummary,
    EpsilonBound,
    Estimate,
    Latency,
    Privacy,
    Results,
    RunRecord,
    SplitSummary,
)

#: The dataset of models that were trained elsewhere.
_LISTS = "member-lists"

_TONES = {"done": "good", "failed": "bad", "missing": "open"}

_DEFENCE, _EPSILON_PROMISED = "Defence", "Epsilon promised"
_CELL_COLUMNS = (
    Column("Model", numeric=False),
    Column("Augmentation", numeric=False),
    Column(_DEFENCE, "against leakage, while a model learns", numeric=False),
    Column("Labels", "what was done to the train labels", numeric=False),
    Column("Seed"),
    Column("Status", numeric=False),
    Column("Noise", "realised rate of corrupted train labels"),
    Column("Accuracy", "on the test split, last epoch; under early stopping the one whose weights are kept"),
    Column("Balanced acc.", "mean of the recall of each class"),
    Column("Attack AUC", "of the strongest attack; 0.5 is chance"),
    Column(_EPSILON_PROMISED, "privacy loss of one image that training rules out, but for a chance of delta"),
    Column("Parameters"),
    Column("MACs", "for one image at the grid's size"),
    Column("FLOPs", "2 \u00d7 MACs"),
    Column("p50 ms", "median latency of one image on the machine of the run"),
    Column("p95 ms", "95th percentile of the latency of one image"),
)

_DECISION_COLUMNS = (
    Column("Cell", numeric=False),
    Column("Attack", numeric=False),
    Column("AUC", "0.5 is chance; below it means that the score points the wrong way"),
    Column("SD", "standard deviation of the AUC over targets"),
    Column("TP", "members taken for members"),
    Column("FP", "non-members taken for members"),
    Column("FN", "members taken for non-members"),
    Column("TN", "non-members taken for non-members"),
    Column("FPR", "share of non-members taken for members"),
    Column("FNR", "share of members taken for non-members"),
    Column("Advantage", "TPR \u2212 FPR; 0 is chance"),
    Column("TPR at 1\u202f% FPR", "share of members found while at most 1 % of non-members are accused"),
    Column("TPR at 0.1\u202f% FPR", "share of members found while at most 0.1 % of non-members are accused"),
)
_EPSILON = (
    "lower bound: at {confidence} confidence, no (epsilon, {deltas})-guarantee with a smaller epsilon can hold for "
    "single rows or, where people have several, for people; the cap is the most that so few decisions could prove"
)


def cells_table(results: Results, run: RunRecord | None) -> Table:
    """Every cell of the grid with its main numbers."""
    costs = {cost.model: cost for cost in results.costs}
    speeds = speeds_of(run, batch=1)
    scales = _Scales(results)
    rows = [_cell_row(cell, costs.get(cell.model), speeds.get(cell.model), scales) for cell in results.cells]
    if not given_models(results):
        table = Table("cells", "All cells of the grid", _CELL_COLUMNS, tuple(rows), tools=True)
        return without(table, *_idle(results))
    hints = {"Accuracy": f"on {tested_on(results)}", "MACs": "for one image; counts exist for Keras files alone"}
    columns = tuple(replace(one, hint=hints.get(one.title, one.hint)) for one in _CELL_COLUMNS)
    return without(Table("cells", "All models", columns, tuple(rows), tools=True), *_idle(results))


def _test_list(results: Results) -> bool:
    """Whether models that were given were tested on rows of their own."""
    return tested_on(results) == "the test list"


def _idle(results: Results) -> list[str]:
    """The columns of the table of cells that say the same of all of them."""
    told = {
        "Augmentation": not given_models(results),
        _DEFENCE: with_defences(results),
        "Labels": not given_models(results),
        "Noise": not given_models(results),
        "Seed": several_seeds(results),
        _EPSILON_PROMISED: any(map(private, results.cells)),
    }
    return [title for title, tells in told.items() if not tells]


class _Scales:
    """The ranges of the bars in the table of cells."""

    def __init__(self, results: Results) -> None:
        found = [cell.utility for cell in results.cells if cell.utility]
        self.accuracy = scale_of([e for u in found for e in (u.accuracy, u.balanced_accuracy)])
        self.auc = scale_of([_auc(cell) for cell in results.cells])


def _cell_row(cell: Cell, cost: Cost | None, speed: Latency | None, scales: _Scales) -> tuple[Entry, ...]:
    utility = cell.utility
    return (
        *_identity(cell),
        Entry(cell.status, sort=cell.status, tone=_TONES[cell.status]),
        field(cell, "noise_rate", percent),
        measured(utility.accuracy if utility else None, percent, scales.accuracy),
        measured(utility.balanced_accuracy if utility else None, percent, scales.accuracy),
        _strongest(cell, scales),
        field(cell.guarantee, "epsilon", loss),
        field(cost, "params_total"),
        field(cost, "macs", short),
        field(cost, "flops", short),
        field(speed, "p50_ms", milliseconds),
        field(speed, "p95_ms", milliseconds),
    )


def _strongest(cell: Cell, scales: _Scales) -> Entry:
    """The AUC of the strongest attack, with the attack's name below it."""
    attack = strongest_attack(cell)
    if attack is None:
        return Entry(UNKNOWN)
    auc, name = measured(attack.auc, decimal, scales.auc), attack_name(cell, attack)
    untrusted = ["invalid"] if cell.privacy and cell.privacy.invalid else []
    return replace(auc, note="\n".join([auc.note, name, *untrusted]), attack=name)


def _auc(cell: Cell) -> Estimate | None:
    attack = strongest_attack(cell)
    return attack.auc if attack else None


def _identity(cell: Cell) -> tuple[Entry, ...]:
    model = replace(words(cell.model), cell=cell.id)
    labels, seed = words(labels_name(cell)), field(cell, "seed", _plain)
    return model, words(cell.augmentation), words(cell.defence), labels, seed


def _plain(value: float) -> str:
    return f"{value:.0f}"


def decisions_table(results: Results) -> Table:
    """Every attack on every cell: counts and rates at the transferred threshold."""
    seeds = several_seeds(results)
    shown, note = attack_rows(results)
    rows = [_decision_row(cell, attack, seeds) for cell, attack in shown]
    caption = f"Membership decisions at the threshold that the {threshold_setters(results)} chose{note}"
    columns = (*_DECISION_COLUMNS, _epsilon_column(results))
    made = Table("decisions", caption, columns, tuple(rows), tools=True)
    return without(made, "SD") if given_models(results) else made


def _epsilon_column(results: Results) -> Column:
    found = [attack.epsilon for cell in results.cells if cell.privacy for attack in cell.privacy.attacks]
    deltas = " or ".join(dict.fromkeys(f"{bound.delta:g}" for bound in found)) or "delta"
    confidence = " or ".join(dict.fromkeys(share(bound.confidence) for bound in found))
    return Column("epsilon \u2265", _EPSILON.format(confidence=confidence, deltas=deltas))


def _decision_row(cell: Cell, attack: AttackResult, seeds: bool) -> tuple[Entry, ...]:
    untrusted = "invalid; " if cell.privacy and cell.privacy.invalid else ""
    return (
        identified(cell, seeds),
        attack_entry(cell, attack, untrusted + _threat(attack)),
        measured(attack.auc, decimal),
        field(attack, "auc_spread", decimal),
        *(field(attack.confusion, name) for name in ("tp", "fp", "fn", "tn")),
        measured(attack.fpr),
        measured(attack.fnr),
        measured(attack.advantage, decimal),
        *(measured(attack.tpr_at_fpr.get(level)) for level in ("0.01", "0.001")),
        _bound(attack.epsilon),
    )


def _threat(attack: AttackResult) -> str:
    return attack.threat_model if attack.unit == "row" else f"about whole subjects; {attack.threat_model}"


def _bound(epsilon: EpsilonBound) -> Entry:
    return replace(field(epsilon, "lower_bound", loss), note=f"cap {loss(epsilon.cap)}, by {epsilon.unit}")


def memorisation_table(results: Results) -> Table:
    """Accuracy on members, non-members and the test split of each attacked cell."""
    columns = (
        Column("Cell", numeric=False),
        Column("Members"),
        Column("Non-members"),
        Column("Gap", "members \u2212 non-members, in percentage points"),
        Column("Test split"),
        Column("Utility model, train", "accuracy of the model trained on all of the pool, against the given labels"),
    )
    seeds = several_seeds(results)
    rows = [
        (identified(cell, seeds), *_memorisation(cell.privacy), field(cell.utility, "train_accuracy", percent))
        for cell in results.cells
        if cell.privacy is not None
    ]
    given = given_models(results)
    caption = "Accuracy of the model" if given else "Mean accuracy of the privacy models, against the given labels"
    table = Table("memorisation", caption, columns, tuple(rows), tools=True)
    if given:
        table = without(table, "Utility model, train", *([] if _test_list(results) else ["Test split"]))
    return without(table, "Test split", "Utility model, train") if answers_only(results) else table


def _memorisation(privacy: Privacy) -> tuple[Entry, ...]:
    inside, outside = privacy.member_accuracy, privacy.nonmember_accuracy
    gap = None if inside.value is None or outside.value is None else inside.value - outside.value
    difference = number(gap, signed, (inside, "value"), (outside, "value"))
    return measured(inside), measured(outside), difference, measured(privacy.test_accuracy)


def splits_table(data: DatasetSummary) -> Table:
    """Rows of each split and class."""
    pool, test = "Pool (train)", "Test"
    if data.plugin.name == _LISTS:
        pool = "Members and non-members"
        test = "Test list" if data.plugin.params.get("test") else "Of them non-members, for accuracy"
    splits = [(pool, data.pool), (test, data.test), ("Population", data.population)]
    what = "Images"
    if data.image_size is None:
        splits, what = [("Pool", data.pool), ("Population", data.population)], "Rows"  # of members and non-members
    columns = [Column("Split", numeric=False), Column(what), Column("Subjects"), *map(Column, data.classes)]
    rows = [_split_row(name, split) for name, split in splits]
    return Table("splits", f"{what} of each split and class", tuple(columns), tuple(rows))


def _split_row(name: str, split: SplitSummary) -> tuple[Entry, ...]:
    counts = [_class_count(split, place) for place in range(len(split.per_class))]
    return (words(name), field(split, "rows"), field(split, "subjects"), *counts)


def _class_count(split: SplitSummary, place: int) -> Entry:
    found = count(split.per_class[place], (split, f"per_class/{place}"))
    if not split.rows:
        return replace(found, note=UNKNOWN)
    share = split.per_class[place] / split.rows
    return replace(found, note=percent(share), bar=Bar(0, round(share, 3), 0))


def corruption_table(results: Results) -> Table:
    """What each label attack really did; label attacks with the same outcome stand in one line."""
    columns = (
        Column("Label attack", numeric=False),
        Column("Seed"),
        Column("Realised rate"),
        Column("Corrupted rows"),
        Column("SHA-256 of the labels", numeric=False),
    )
    found = {(cell.label_attack, cell.seed): (cell, cell.corruption) for cell in results.cells if cell.corruption}
    rows = [
        (
            words(cell.label_attack),
            field(cell, "seed", _plain),
            field(done, "rate", percent),
            field(done, "corrupted_rows"),
            words(done.labels_sha256[:12]),
        )
        for cell, done in found.values()
    ]
    return Table("corruptions", "Realised label noise", columns, tuple(rows))


def corruption_remarks(results: Results) -> list[str]:
    """What label attacks had to say of what they did."""
    found = {(cell.label_attack, cell.seed): cell.corruption for cell in results.cells if cell.corruption}
    seeds = several_seeds(results)
    return [
        f"{name}{f', seed {seed}' if seeds else ''}: {remark}"
        for (name, seed), done in found.items()
        for remark in done.remarks
    ]
