"""The model card: what a model is, from the results of its run alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from fer_audit.export.card_data import data_section, training_section
from fer_audit.export.card_measured import accuracy_section, cost_section, files_section, robustness_section
from fer_audit.export.card_privacy import privacy_section
from fer_audit.export.card_text import NOT_MEASURED, bullets, section
from fer_audit.export.record import Exported
from fer_audit.report.finding import counted
from fer_audit.report.markdown import escaped
from fer_audit.report.numbers import with_interval
from fer_audit.results import Cell, Results, RunRecord


def model_card(results: Results, record: RunRecord | None, cell: Cell, exported: Sequence[Exported] = ()) -> str:
    """The card in Markdown, with the front matter of Hugging Face.

    Args:
        results: of the run.
        record: of the run; None where there is none, and then no latency is known.
        cell: whose utility model the card is about.
        exported: files of the model, with what came of comparing them.
    """
    sections = [
        f"---\n{_front_matter(results, cell)}---",
        f"# {escaped(cell.id)}",
        _summary(results, cell),
        _use(results),
        data_section(results.dataset),
        training_section(results, cell),
        accuracy_section(results, cell),
        robustness_section(cell),
        privacy_section(results, cell),
        cost_section(results, record, cell),
        files_section(exported),
        _provenance(results, record, cell),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _front_matter(results: Results, cell: Cell) -> str:
    """As https://huggingface.co/docs/hub/model-cards has it; a licence is for its owner to give."""
    known: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression-recognition", "fer-audit", cell.model_plugin.name],
        "metrics": ["accuracy"],
        "model-index": [{"name": cell.id, "results": [_indexed(results, cell)]}],
    }
    return str(yaml.safe_dump(known, sort_keys=False, allow_unicode=True))


def _indexed(results: Results, cell: Cell) -> dict[str, Any]:
    utility, dataset = cell.utility, results.dataset
    named = {"accuracy": utility.accuracy, "balanced_accuracy": utility.balanced_accuracy} if utility else {}
    return {
        "task": {"type": "image-classification", "name": "facial expression recognition"},
        "dataset": {"type": dataset.plugin.name, "name": dataset.plugin.name, "split": "test"},
        "metrics": [{"type": name, "value": one.value} for name, one in named.items() if one.value is not None],
    }


def _summary(results: Results, cell: Cell) -> str:
    dataset = results.dataset
    found = with_interval(cell.utility.accuracy) if cell.utility else NOT_MEASURED
    return (
        f"{escaped(cell.model)} tells {counted(len(dataset.classes), 'expression')} apart in pictures of faces of "
        f"{dataset.image_size} x {dataset.image_size} pixels: {', '.join(map(escaped, dataset.classes))}. Accuracy on "
        f"test images: {found}. It was trained and audited by fer-audit, and every number below is from the results of "
        f"the run {escaped(results.grid)}."
    )


_DRAWN = (
    "It has seen drawn faces alone, and no person. What it makes of photographs is not known: it is for trying out "
    "methods, not for use on people."
)
_PEOPLE = (
    "It knows pictures such as those it was trained on. Of other people, light, cameras and poses nothing is known "
    "until it is measured there."
)


def _use(results: Results) -> str:
    """What the model is for, and what it does not do."""
    return section(
        "Intended use and limits",
        bullets(
            "For research on reading expressions in pictures, and on what such models leak of their training data.",
            "It reads which expression a face shows in a picture, not what a person feels, thinks or intends: faces "
            "tell of feelings unreliably, and otherwise in other people and places.",
            "Not for decisions about people, as in hiring, schools, policing, border control, insurance or health.",
            _DRAWN if results.dataset.drawn else _PEOPLE,
            "It expects one upright face that fills the image; of an image without a face it names an expression too.",
        ),
    )


def _provenance(results: Results, record: RunRecord | None, cell: Cell) -> str:
    origin = results.provenance
    commit = escaped(record.git_commit) if record and record.git_commit else "not known"
    dirty = ", with changes that were not committed" if record and record.git_dirty else ""
    packages = ", ".join(f"{name} {version}" for name, version in origin.packages.items())
    return section(
        "Provenance",
        bullets(
            f"Training: {escaped(cell.utility.training) if cell.utility else 'not known'}",
            f"Dataset content: {escaped(results.dataset.digest)}",
            f"Grid: {escaped(results.grid)}, SHA-256 {escaped(origin.grid_sha256)}; commit {commit}{dirty}",
            f"Run: {escaped(record.started) if record else 'not known when'}",
            f"Made by: fer-audit {escaped(origin.fer_audit)}, Python {escaped(origin.python)}, "
            f"{escaped(origin.platform)}; {escaped(packages)}",
        ),
    )
