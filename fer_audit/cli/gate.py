"""`fer-audit gate RESULTS`: whether finished results keep their limits."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_audit.errors import FerAuditError, ResultsError, did_you_mean
from fer_audit.gate_section import METRICS, Where, check_certainty, check_limit, check_where, known_metric

if TYPE_CHECKING:
    from fer_audit.report.audited import Audited
    from fer_audit.report.gates import Judged
    from fer_audit.results import Gate, Results

#: Version of the JSON: `format`, `grid`, `exit_code`, of each of `gates` what `_gate_json` has, and of each promise of
#: privacy that is `refuted` what `_promise_json` has.
FORMAT = "fer-audit-gates-1"

_STYLES = {"kept": "green", "broken": "red", "warning": "yellow", "inconclusive": "yellow"}
_WORDS = {"kept": "PASS", "broken": "FAIL", "warning": "WARN", "inconclusive": "INCONCLUSIVE"}

_EXIT_CODES = """\
exit codes:
  0  every gate is kept, or is a warning
  1  a gate is broken, or an audit refutes a promise of privacy
  2  bad input
  3  inconclusive: a cell could not be finished or measured, or an interval straddles the limit of a certain gate
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gate`."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="results.json, its folder, or a bundle")
    for side, word, example in (("max", "most", "mia_auc=0.6"), ("min", "least", "accuracy=0.5")):
        parser.add_argument(
            f"--{side}",
            action="append",
            default=[],
            metavar="METRIC=VALUE",
            help=f"METRIC is at {word} VALUE in every cell, such as {example} (repeatable)",
        )
    parser.add_argument(
        "--certain", action="store_true", help="whole intervals must keep the limits of --max and --min"
    )
    parser.add_argument("--warn", action="store_true", help="only say where a limit of --max or --min is broken")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="--max and --min are about cells with this model, augmentation, defence, labels or seed, such as "
        "labels=none or defence=dp-sgd (repeatable; of the same name one is enough)",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write gates and cells as JUnit XML")
    parser.add_argument(
        "--format", choices=("text", "md", "json"), default="text", help="what to print (default: text)"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{_vocabulary()}\n{_EXIT_CODES}"


def _vocabulary() -> str:
    """The metrics and what they are, for `--help`; shares are numbers from 0 to 1."""
    width = max(map(len, METRICS))
    lines = (
        textwrap.fill(f"{name:{width}}  {one.words}", 100, initial_indent="  ", subsequent_indent=" " * (width + 4))
        for name, one in METRICS.items()
    )
    return "metrics (shares are 0 to 1; without --max and --min the gates of the grid are judged):\n" + "".join(
        f"{line}\n" for line in lines
    )


def execute(options: argparse.Namespace) -> int:
    """Prints one line a gate; 0 where all are kept, 1 where one is broken, 3 where one can't be judged.

    A promise of privacy that an audit refutes has a line too, and ends with 1 as a broken gate does.
    """
    from fer_audit.report.finished_run import read_finished
    from fer_audit.report.gates import exit_code, judge
    from fer_audit.report.junit import write_junit

    _check_file(options.junit)
    asked = _asked(options)
    found = read_finished(options.results)
    gates = _asked_gates(options, asked, found.results) if asked else _grid_gates(options, found.results)
    judged = judge(found.results, found.record, gates)
    code = exit_code(judged, found.results)
    _SHOWN[options.format](judged, found.results, code)
    if options.junit:
        write_junit(judged, found.results, options.junit)
    return code


def _check_file(file: Path | None) -> None:
    if file is not None and not file.absolute().parent.is_dir():
        raise FerAuditError(f"--junit: the folder of {file} does not exist; make it first")
    if file is not None and file.is_dir():
        raise FerAuditError(f"--junit: expected a file such as gates.xml, received the folder {file}")


def _asked(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The limits of the command line: first those of `--max`, then those of `--min`."""
    given = [(side, text) for side in ("max", "min") for text in getattr(options, side)]
    return [_limit(side, text, options.certain) for side, text in given]


def _limit(side: str, text: str, certain: bool) -> dict[str, Any]:
    metric, _, value = (part.strip() for part in text.partition("="))
    try:
        limit = float(value)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise FerAuditError(f"--{side}: expected METRIC=NUMBER, such as mia_auc=0.6, received {text!r}")
    try:
        check_limit(known_metric(metric), limit)
        if certain:
            check_certainty(metric)
    except ValueError as error:
        raise FerAuditError(f"--{side}: {error}") from None
    return {"metric": metric, side: limit}


def _asked_gates(options: argparse.Namespace, asked: Sequence[dict[str, Any]], results: Results) -> list[Gate]:
    from fer_audit.results import Gate

    level, where = "warn" if options.warn else "error", _where(options.where, results)
    shared = {"level": level, "certain": options.certain, "where": where}
    return [Gate.model_validate(one | shared) for one in asked]


def _where(texts: Iterable[str], results: Results) -> dict[str, list[str]]:
    """What `--where` asks of cells; raises FerAuditError where no cell has such a value."""
    from fer_audit.report.gates import parts

    cells, where = [parts(cell) for cell in results.cells], dict[str, list[str]]()
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise FerAuditError(f"--where: expected NAME=VALUE, such as labels=none, received {text!r}")
        where.setdefault(name, []).append(value)
    names = tuple(Where.model_fields)
    unknown = next((name for name in where if name not in names), None)
    if unknown is not None:
        raise FerAuditError(f"--where: unknown name {unknown!r}: {did_you_mean(unknown, names)}")
    try:
        check_where(where, {name: [cell[name] for cell in cells] for name in names})
    except ValueError as error:
        raise FerAuditError(f"--where: {error}") from None
    return where


def _grid_gates(options: argparse.Namespace, results: Results) -> list[Gate]:
    """The gates that the grid of the results has set; none at all is an error where no promise was audited either."""
    from fer_audit.report.audited import audited

    alone = next((f"--{name}" for name in ("certain", "warn", "where") if getattr(options, name)), None)
    if alone is not None:
        raise FerAuditError(f"{alone} is about limits of the command line; expected --max or --min with it")
    if not results.gates and not audited(results):
        raise ResultsError(
            "no limit to judge: the grid of these results has no `gates:`; write one on the command line, such as "
            "--max mia_auc=0.6"
        )
    return results.gates


def _show_text(judged: Sequence[Judged], results: Results, code: int) -> None:
    from rich.console import Console
    from rich.text import Text

    from fer_audit.report.audited import refuted
    from fer_audit.report.gates import verdict

    console = Console(highlight=False)
    for text in (one.text for one in refuted(results)):
        line = Text(f"{_WORDS['broken']:12}", style=f"bold {_STYLES['broken']}")
        console.print(line.append(f" promise refuted: {text}", style="not bold default"), soft_wrap=True)
    for one in judged:
        line = Text(f"{_WORDS[one.word]:12}", style=f"bold {_STYLES[one.word]}")
        console.print(line.append(f" {_line(one)}", style="not bold default"), soft_wrap=True)
    said = verdict(judged, results)
    console.print(f"{said.title}. {said.text}", markup=False, soft_wrap=True)


def _line(one: Judged) -> str:
    """Metric, limit, value, difference and cell, and why cells are unknown."""
    from fer_audit.report.gates import cells_text, where_text
    from fer_audit.report.judged_cell import difference_text, limit_text, value_text

    about = f" ({where_text(one.gate)})" if one.gate.where else ""
    parts = [f"{one.gate.metric} {limit_text(one.gate)}{about}"]
    if one.worst is not None and one.difference is not None:
        by = f" by {one.attack}" if one.attack else ""
        difference = difference_text(one.gate, one.difference)
        parts.append(f"{value_text(one.gate, one.worst)}, difference {difference}, on {one.name}{by}")
    return "; ".join([*parts, cells_text(one) if one.cells else one.text, *one.reasons])


def _show_markdown(judged: Sequence[Judged], results: Results, code: int) -> None:
    from fer_audit.report.gates import verdict
    from fer_audit.report.markdown import gates_block, promises_block, verdict_block

    blocks = verdict_block(results, verdict(judged, results)), promises_block(results), gates_block(judged)
    print("\n\n".join(filter(None, blocks)))


def _show_json(judged: Sequence[Judged], results: Results, code: int) -> None:
    from fer_audit.report.audited import refuted

    content = {
        "format": FORMAT,
        "grid": results.grid,
        "exit_code": code,
        "gates": [_gate_json(one) for one in judged],
        "refuted": [_promise_json(one) for one in refuted(results)],
    }
    print(json.dumps(content, indent=1))


def _gate_json(one: Judged) -> dict[str, Any]:
    return {
        **one.gate.model_dump(mode="json"),
        "outcome": one.outcome,
        "text": one.text,
        "cell": one.cell.id if one.cell else None,
        "attack": one.attack,
        "estimate": one.estimate.model_dump(mode="json") if one.estimate else None,
        "difference": one.difference,
        "passed": one.passed,
        "failed": one.failed,
        "unknown": one.unknown,
        "reasons": list(one.reasons),
    }


def _promise_json(one: Audited) -> dict[str, Any]:
    audit = one.audit
    return {
        "cell": one.cell.id,
        "text": one.text,
        "by": one.by,
        "unit": one.unit,
        "lower_bound": audit.lower_bound,
        "promised": audit.promised,
        "delta": audit.delta,
        "confidence": audit.confidence,
    }


_SHOWN: dict[str, Callable[[Sequence[Judged], Results, int], None]] = {
    "text": _show_text,
    "md": _show_markdown,
    "json": _show_json,
}
