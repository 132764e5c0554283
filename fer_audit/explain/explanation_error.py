"""The error of a network that Grad-CAM can't explain."""

from __future__ import annotations

from fer_audit.errors import FerAuditError


class ExplanationError(FerAuditError):
    """A network without a map to explain, or a layer that has none."""
