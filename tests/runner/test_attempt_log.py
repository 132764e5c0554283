"""The log of attempts."""

import json

import pytest

from fer_audit.owner import log_name
from fer_audit.runner.attempt_log import AttemptLog
from fer_audit.runner.engines.events import Failed, Finished, Lost, Started, Stepped
from fer_audit.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_every_beginning_and_end_is_a_line(store, training):
    one = training("a", 1)
    events = [
        Started(one, 0),
        Stepped(one, 0, 1, 2),
        Lost(one, 0, "gone", 1),
        Started(one, 1),
        Finished(one, 1, {"start": 1.0, "steps": 2.0}),
        Failed(training("a", 2), 0, "ValueError: no"),
    ]
    for half in (events[:3], events[3:]):  # a second run of this process goes on with the same file
        with AttemptLog(store) as log:
            for event in half:
                log.hear(event)
    (file,) = (store.root / "logs").iterdir()
    assert file.name == log_name("attempts.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "lost", "started", "finished", "failed"]
    assert {line["training"] for line in lines[:4]} == {one.key}
    assert (lines[1]["attempt"], lines[1]["reason"], lines[3]["seconds_with_start"]) == (1, "gone", 3.0)
    assert lines[4]["reason"] == "ValueError: no"


def test_a_log_that_can_not_be_written_is_no_reason_to_stop(store, training):
    (store.root / "logs").write_text("a file")
    with AttemptLog(store) as log:
        log.hear(Started(training("a", 1), 0))
