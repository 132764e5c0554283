"""What bad input must end in: exit code 2, one sentence, no traceback, and nothing written."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fer_audit.cli.main import main
from fer_audit.errors import FerAuditError

#: Seconds after which a reader counts as one that hangs.
_PATIENCE = 20

#: Letters that a sentence may have: more is a file that was printed.
_LONGEST = 5200

Listing = dict[str, tuple[int, int]]


def listed(folder: Path) -> Listing:
    """Every path below a folder, with its size and the time of its last change."""
    paths = folder.rglob("*")
    stats = ((path.relative_to(folder).as_posix(), path.lstat()) for path in paths)
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, which also holds the reports and the store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FER_AUDIT_STORE", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Lets a reader that waits for ever fail."""

    def given_up(*_: Any) -> None:
        raise AssertionError(f"nothing was said for {_PATIENCE} s")

    before = signal.signal(signal.SIGALRM, given_up)
    signal.alarm(_PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def patient(impatient: None) -> None:
    """Lets a test of thousands of files take its time."""
    signal.alarm(3600)


def check_sentence(text: str, said: Sequence[str]) -> None:
    """Whether `text` is one sentence of ours that holds all of `said`; what is listed below it is indented."""
    assert "Traceback" not in text
    assert text.startswith("fer-audit: ")
    assert text.endswith("\n")
    first, *more = text.removesuffix("\n").split("\n")
    assert all(line.startswith("  ") for line in more), text
    assert len(first) <= _LONGEST
    assert len(more) <= 11
    assert all(line.isprintable() for line in (first, *more)), text
    assert text.count("fer-audit: ") == 1
    assert first.removeprefix("fer-audit: ").strip()
    for part in said:
        assert part in text


Refused = Callable[..., str]


@pytest.fixture
def refused(place: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must be refused with all of `said` in one sentence; returns that sentence."""

    def run(*arguments: object, said: Sequence[str] = ()) -> str:
        capsys.readouterr()
        before = listed(place)
        code = main([str(argument) for argument in arguments])
        after, told = listed(place), capsys.readouterr()
        assert code == 2, told.out + told.err
        check_sentence(told.err, said)
        assert after == before
        return told.err

    return run


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str | None]:
    """What a reader says of what it refuses; None where it takes it."""

    def run(read: Callable[..., Any], *given: Any) -> str | None:
        try:
            read(*given)
        except FerAuditError as error:
            return str(error)
        return None

    return run
