"""Drafts and logs: of the dead here they may go, of another host only once nobody touched them for a day."""

import os
import time

import pytest

from fer_audit.owner import draft_name, owner_lives

DEAD = 999999999
HERE = os.uname().nodename
RANDOM = "0123456789abcdef" * 2
HOUR = 3600.0


def test_the_name_of_a_draft_says_whose_it_is(tmp_path):
    first, second = draft_name(), draft_name()
    assert first != second
    assert first.startswith(f"{os.getpid()}-")
    assert owner_lives(tmp_path / first)


@pytest.mark.parametrize("host", ["node-7", "worker-1", "node.example.org", "1234"])
def test_a_number_means_nothing_on_another_host(host, tmp_path):
    for process in (os.getpid(), DEAD):
        draft = tmp_path / f"{process}-{host}-{RANDOM}"
        draft.mkdir()
        (draft / "weights.npz").write_bytes(b"")
        assert owner_lives(draft)
        age(draft, 30 * HOUR)
        assert owner_lives(draft)  # one of its files is new
        age(draft / "weights.npz", 25 * HOUR)
        age(draft, 30 * HOUR)
        assert not owner_lives(draft)
        age(draft, 23 * HOUR)
        assert owner_lives(draft)


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("name", "lives"),
    [
        ("SELF-worker-0.log", True),
        (f"{DEAD}-worker-0.log", False),
        ("SELF-watch.log", True),
        (f"{DEAD}-watch.log", False),
        ("SELF-attempts.jsonl", True),
        (f"{DEAD}-attempts.jsonl", False),
        (f"SELF-{RANDOM}", True),
        (f"{DEAD}-{RANDOM}", False),
        (f"{DEAD}-x", False),
        ("99999999999999999999999-x", False),
        ("1-x", True),
        ("x", False),
        ("-x", False),
        ("worker-0.log", False),
    ],
)
def test_without_a_host_it_is_a_process_of_this_one(name, lives, tmp_path):
    assert owner_lives(tmp_path / name.replace("SELF", str(os.getpid()))) is lives


@pytest.mark.parametrize("tail", ["worker-12.log", "watch.log", "attempts.jsonl"])
def test_the_name_of_a_log_may_have_a_host_too(tail, tmp_path):
    here = "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "_" for letter in HERE)
    assert not owner_lives(tmp_path / f"{DEAD}-{here}-{tail}")
    log = tmp_path / f"{DEAD}-other-{tail}"
    log.write_text("said")
    assert owner_lives(log)
    age(log, 25 * HOUR)
    assert not owner_lives(log)
