"""Whose a draft or a log is, and whether that process still lives; the number and the host are in its name."""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from pathlib import Path
from typing import NamedTuple

#: Of another host nobody here knows which processes live: what it left alone for so long (s) is abandoned.
_ABANDONED_AFTER = 86400.0

_NAME = re.compile(r"(?P<process>[0-9]+)-(?:(?P<host>.+)-)?(?:[0-9a-f]{32}|worker-[0-9]+\.log|[a-z]+\.[a-z]+)")


class Owner(NamedTuple):
    """A process that writes to the store."""

    process: int
    host: str | None  #: None where the name does not say, so that it is taken for this one


def draft_name() -> str:
    """A new name for what is not or no longer an artefact: `<process>-<host>-<random>`."""
    return f"{os.getpid()}-{_this_host()}-{uuid.uuid4().hex}"


def log_name(rest: str) -> str:
    """The name of a log of this process: `<process>-<host>-<rest>`, such as `7-node1-worker-0.log`."""
    return f"{os.getpid()}-{_this_host()}-{rest}"


def owner_lives(path: Path, name: str | None = None) -> bool:
    """Whether whoever owns a draft or a log, by its `name`, still lives or, on another host, may do so."""
    owner = _owner(path.name if name is None else name)
    if owner is None:
        return False
    if owner.host not in (None, _this_host()):
        return time.time() - _newest(path) < _ABANDONED_AFTER
    try:
        os.kill(owner.process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _owner(name: str) -> Owner | None:
    if match := _NAME.fullmatch(name):
        return Owner(int(match["process"]), match["host"])
    process = name.partition("-")[0]
    return Owner(int(process), None) if process.isdecimal() else None


def _this_host() -> str:
    return re.sub(r"[^0-9A-Za-z.-]", "_", os.uname().nodename) or "host"


def _newest(path: Path) -> float:
    """When (s) a file or anything in a folder last changed; what vanishes meanwhile has not."""
    times = [0.0]
    for file in [path, *(Path(folder) / name for folder, _, names in os.walk(path) for name in names)]:
        with contextlib.suppress(OSError):
            times.append(file.lstat().st_mtime)
    return max(times)
