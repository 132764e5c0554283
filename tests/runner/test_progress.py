"""What a run shows, on a terminal and elsewhere."""

import importlib.util
import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fer_audit.runner.engines.events import Failed, Finished, Started, Stepped
from fer_audit.runner.progress import PlainProgress, TerminalProgress, progress_for
from fer_audit.timespan import duration


def load_training():
    path = Path(__file__).with_name("example_training.py")
    spec = importlib.util.spec_from_file_location("example_training", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.training("a[b]", 0)


def events():
    training = load_training()
    return [
        Started(training, 0),
        Stepped(training, 0, 3, 10),
        Finished(training, 0, {"start": 4.0, "steps": 1.25, "write": 0.25}),
        Started(training, 0),
        Failed(training, 0, "Traceback\nValueError: odd"),
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_titles_times_and_failures_are_shown(terminal):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    progress = progress_for(console, 2)
    assert isinstance(progress, TerminalProgress if terminal else PlainProgress)
    with progress:
        for event in events():
            progress.hear(event, lambda: 200)
    text = out.getvalue()
    assert "about 4 min left" in text
    assert "failed: a[b] 0: ValueError: odd" in text
    if not terminal:
        assert text.splitlines()[0] == "[1/2]   1.5 s  a[b] 0  (about 4 min left)"
        assert "\x1b" not in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 s"), (7.2, "8 s"), (89, "89 s"), (91, "2 min"), (5399, "1 h 30 min"), (7201, "2 h 01 min")],
)
def test_durations_are_short(seconds, words):
    assert duration(seconds) == words
