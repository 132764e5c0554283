"""What speaks against what was declared of models that were given: their preprocessing, and the order of classes."""

from __future__ import annotations

from fer_audit.report.audited_models import declared_wrong
from fer_audit.report.finding import Finding, joined
from fer_audit.results import Results

#: How warnings of the audit begin, or what is in them, and the title above them.
_TITLES = (("labels look permuted", "Labels look permuted"), ("near chance", "A model is hardly better than chance"))
_OTHER = "Images may not be as a model wants them"


def declared(results: Results) -> list[Finding]:
    """One finding for each warning, with all models that it is of."""
    of: dict[str, list[str]] = {}
    for name, warning in declared_wrong(results):
        of.setdefault(warning, []).append(name)
    return [_finding(results, warning, names) for warning, names in of.items()]


def _finding(results: Results, warning: str, names: list[str]) -> Finding:
    title = next((title for part, title in _TITLES if part in warning), _OTHER)
    spoilt = any(cell.privacy and cell.privacy.invalid == warning for cell in results.cells)
    tail = " What attacks and accuracy say below is then of wrong labels, and can't be trusted." if spoilt else ""
    return Finding(title, f"{joined(names)}: {warning}.{tail}", "bad")
