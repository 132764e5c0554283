"""The engines by name."""

import sys

import pytest

from fer_audit.errors import FerAuditError, GridError
from fer_audit.grid import Resources
from fer_audit.runner.engines.choice import open_engine


def test_the_local_engine_has_the_resources_of_the_grid(store):
    engine = open_engine("local", store, [], Resources(workers=3, timeout_minutes=2))
    assert (engine.name, engine.room(), engine.silence) == ("local", 3, 120.0)
    assert open_engine("local", store, [], Resources(workers=3, timeout_minutes=None)).silence is None
    assert open_engine("local", store, [], Resources(workers=3), workers=1).room() == 1


def test_no_workers_are_refused(store):
    for name in ("local", "ray"):
        with pytest.raises(GridError, match="--workers must be at least 1, received 0"):
            open_engine(name, store, [], Resources(), workers=0)


def test_without_ray_a_sentence_says_what_to_install(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(FerAuditError, match=r"pip install 'fer-audit\[ray\]'"),
        open_engine("ray", store, [], Resources()),
    ):
        pass
