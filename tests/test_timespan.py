"""Times in words, and what words for times mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.timespan import duration, seconds_of

MEANT = {
    "2h": 7200,
    "90m": 5400,
    "1h30m": 5400,
    "1 h 30 min": 5400,
    " 45 min ": 2700,
    "3600s": 3600,
    "3600 sec": 3600,
    "1.5h": 5400,
    "0h10m": 600,
    "2 HOURS": 7200,
    "1h 05 min 7s": 3907,
}


@pytest.mark.parametrize(("text", "seconds"), MEANT.items())
def test_a_time_is_read_as_it_is_written(text, seconds):
    assert seconds_of(text) == seconds


WRONG = [
    "",
    "  ",
    "2",
    "h",
    "2x",
    "2h30",
    "30m2h",
    "1h1h",
    "-2h",
    "2h!",
    "1,5h",
    "two hours",
    "٢h",
    "1e3h",
    "inf h",
    "2h\n3",
]


@pytest.mark.parametrize("text", WRONG)
def test_anything_else_is_refused_in_one_sentence_that_shows_it(text):
    with pytest.raises(ValueError, match="a time such as 2h") as refused:
        seconds_of(text)
    assert str(refused.value).endswith(f"received {text!r}")


@pytest.mark.parametrize("text", ["0h", "0 min", "0.0s"])
def test_no_time_is_no_budget(text):
    with pytest.raises(ValueError, match="above 0"):
        seconds_of(text)


@given(st.integers(1, 10**6))
def test_what_is_said_of_a_time_means_it_again(seconds):
    again = seconds_of(duration(seconds))
    assert seconds <= again < seconds + 60
    assert duration(again) == duration(seconds)
