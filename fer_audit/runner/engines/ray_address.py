"""Where the Ray cluster of a run is, found out without Ray, which gives up on one that is gone after minutes only."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from fer_audit.runner.engines.dealing import ClusterError

#: Of a cluster that is made for the run, on this machine.
OWN = "local"

#: Seconds in which a machine has to answer.
_PATIENCE = 5.0


def cluster_address() -> str:
    """`RAY_ADDRESS`, or the address of the cluster of this machine, or `OWN`; raises ClusterError."""
    named = os.environ.get("RAY_ADDRESS", "").strip()
    if named == OWN:
        return OWN
    if named in ("", "auto"):
        running = _last_started()
        return running if running and _problem(running) is None else OWN
    if "://" in named:
        raise ClusterError(
            f"RAY_ADDRESS is {named}, which is no address that a run can use; expected HOST:PORT of the head, such as "
            f"10.0.0.7:6379, on a machine of the cluster"
        )
    if (problem := _problem(named)) is not None:
        raise ClusterError(
            f"no Ray cluster answers at RAY_ADDRESS, {named} ({problem}); start one there with `ray start --head`, or "
            f"unset RAY_ADDRESS for one on this machine alone"
        )
    return named


def _last_started() -> str | None:
    """What Ray noted of the cluster that was last started on this machine, which may be gone."""
    note = Path(os.environ.get("RAY_TMPDIR") or "/tmp", "ray", "ray_current_cluster")  # noqa: S108 - Ray's own place
    try:
        return note.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _problem(address: str) -> str | None:
    """Why nobody answers at HOST:PORT, or None."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return "expected HOST:PORT"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE):
            return None
    except (OSError, OverflowError, UnicodeError) as error:
        return str(getattr(error, "strerror", None) or error)
