"""A training whose worker is lost is tried three times in all."""

from fer_audit.runner.engines.attempts import Attempts
from fer_audit.runner.engines.events import Failed, Lost


def test_tried_three_times_each(training):
    attempts, one, other = Attempts(), training(number=1), training(number=2)
    assert attempts.lost(one, 0, "gone") == Lost(one, 0, "gone", 1)
    assert attempts.lost(other, 0, "gone") == Lost(other, 0, "gone", 1)
    assert attempts.lost(one, 1, "gone again") == Lost(one, 1, "gone again", 2)
    failed = attempts.lost(one, 2, "gone for good")
    assert isinstance(failed, Failed)
    assert failed.error == "gone for good; that was attempt 3 of 3"
